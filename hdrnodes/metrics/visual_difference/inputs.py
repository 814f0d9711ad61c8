"""What HDR-VDP takes: a test picture and its reference, as channels of absolute light."""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from hdrnodes.errors import MetricError
from hdrnodes.metrics.base import Array, check_pair
from hdrnodes.metrics.visual_difference.tables import Plane

RELATIVE = 0.001  # a difference smaller than this part of the reference is none


def check_viewing(metric: str, encoding: str, encodings: Collection[str], ppd: float, above: float) -> None:
    """Refuse ways of looking at a picture that a metric has no model of.

    Raises:
        MetricError: an unknown encoding, or pixels per degree that are not more than `above`, or infinite.
    """
    if encoding not in encodings:
        raise MetricError(metric, f"does not know the encoding {encoding!r}", f"choose {' or '.join(encodings)}")
    if not above < ppd < np.inf:
        raise MetricError(metric, f"has no value at {ppd} pixels per degree", f"give more than {above}; 30 is usual")


def light_pair(test: npt.ArrayLike, reference: npt.ArrayLike, channels: int, smallest: int) -> tuple[Plane, Plane]:
    """H x W x 3 (or, for one channel, H x W) pictures as channels x H x W float64, light below 0 raised to 0.

    Raises:
        MetricError: the two differ in size, do not have the channels, hold NaN or infinity, or a side is shorter than
            `smallest` pixels.
    """
    both = np.asarray(test), np.asarray(reference)
    check_pair(*both)
    shape = both[0].shape
    if shape[2:] != ((channels,) if channels > 1 else ()):
        wanted = f"H x W x {channels}" if channels > 1 else "H x W"
        raise MetricError("test picture", f"has the shape {shape}", f"give {wanted}, or another encoding")
    if min(shape[:2]) < smallest:
        raise MetricError("test picture", f"is {shape[1]} x {shape[0]} pixels", f"give {smallest} or more on each side")
    first, second = (_channels(each, channels) for each in both)
    return first, second


def differing(test: Plane, reference: Plane) -> Plane:
    """1 where any channel differs by more than 0.1 % of the reference, else 0: H x W. 0 against 0 is equal."""
    return np.any(np.abs(test - reference) > RELATIVE * reference, axis=0).astype(np.float64)


def _channels(picture: Array, channels: int) -> Plane:
    height, width = picture.shape[:2]
    light = np.empty((channels, height, width))
    light[:] = picture.reshape(height, width, channels).transpose(2, 0, 1)
    np.maximum(light, 0, out=light)
    return light
