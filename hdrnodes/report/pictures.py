"""What is shown of a comparison: made from its pixels, small and encoded, so that those can go.

Light is shown beside one white, the same for every method and the reference: the light at which the plate clipped,
which as many of the reference's pixels exceed as clipped. Where that is not known, the reference's geometric mean
becomes mid-grey (the key of Reinhard et al., SIGGRAPH 2002).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hdrnodes.curve import Curve
from hdrnodes.display import MID_GREY, false_colours, light_of, shown
from hdrnodes.image import Pixels
from hdrnodes.io import read
from hdrnodes.metrics.base import DARKEST, Array, Mask, luminance
from hdrnodes.metrics.evaluate import Comparison
from hdrnodes.metrics.pu21 import pu21
from hdrnodes.metrics.stops import log_ratio
from hdrnodes.reduce import reduce
from hdrnodes.report.colour_maps import magnitudes, signed
from hdrnodes.report.encoded import Encoded, as_jpeg, as_png

STOPS = (-6, -4, -2, 0, 2)
LONGEST = 640  # pixels of a shown picture's longer side
IN_STOPS = signed(3.0, "stops")
IN_PU21 = magnitudes(100.0, "PU21")  # 256 of these are from black to the white of an ordinary display

# Of histograms, in stops from mid-grey; what is beyond counts in the first or last bin.
BINS = np.arange(-12.25, 12.5, 0.5)

Shares = npt.NDArray[np.float64]  # of the pixels, one for each bin


@dataclass(frozen=True)
class Light:
    """A picture at each of `STOPS`, in false colours, and how its luminance is spread."""

    exposures: tuple[Encoded, ...]
    false_colours: Encoded
    histogram: Shares


@dataclass(frozen=True)
class MethodPictures:
    """Of one method: its light, and where and by how much that differs from the reference's."""

    light: Light
    in_stops: Encoded
    in_pu21: Encoded
    curve: Curve | None


@dataclass(frozen=True)
class ScenePictures:
    """What all methods are compared with.

    Args:
        size, shown_size: width, height, in pixels; before and after the reduction.
        white: cd/m2 that are a display's white at 0 stops; `white_is_clip` says whether the plate clipped there.
        plate, plate_histogram, mask: None where there is no plate; the mask also where the protocol makes one.
        clipped: share of the pixels, 0..1; None where not known.
    """

    size: tuple[int, int]
    shown_size: tuple[int, int]
    white: float
    white_is_clip: bool
    plate: Encoded | None
    plate_histogram: Shares | None
    mask: Encoded | None
    clipped: float | None
    reference: Light
    curve: Curve | None


def draw_scene(comparison: Comparison) -> ScenePictures:
    """Draw what every method of this reference and plate is beside.

    Raises:
        ReadError: the plate is gone since.
    """
    plate = None if comparison.plate_path is None else light_of(read(comparison.plate_path))[0]
    mask = comparison.clipped
    white, white_is_clip = _white(comparison.reference, mask)
    reference = _light(comparison.reference, white)
    height, width = comparison.reference.shape[:2]
    return ScenePictures(
        size=(width, height),
        shown_size=(reference.exposures[0].width, reference.exposures[0].height),
        white=white,
        white_is_clip=white_is_clip,
        plate=None if plate is None else as_jpeg(shown(_small(plate))),
        plate_histogram=None if plate is None else _histogram(luminance(plate)),
        mask=None if mask is None else as_png(_small(mask[..., None].astype(np.float32)).repeat(3, axis=2)),
        clipped=None if mask is None else float(mask.mean()),
        reference=reference,
        curve=comparison.reference_curve,
    )


def draw_method(comparison: Comparison, white: float) -> MethodPictures:
    """Draw what one method made; `white` is the scene's."""
    stops = log_ratio(comparison.test, comparison.reference)
    ours, theirs = (pu21(luminance(light)) for light in (comparison.test, comparison.reference))
    return MethodPictures(
        _light(comparison.test, white),
        as_jpeg(IN_STOPS(_small(stops[..., None])[..., 0])),
        as_jpeg(IN_PU21(_small(np.abs(ours - theirs)[..., None])[..., 0])),
        comparison.test_curve,
    )


def _light(light: Array, white: float) -> Light:
    relative = _small(light / np.float32(white))
    return Light(
        tuple(as_jpeg(shown(relative, stops)) for stops in STOPS),
        as_png(false_colours(luminance(relative).astype(np.float32))),
        _histogram(luminance(light) / white),
    )


def _white(reference: Array, clipped: Mask | None) -> tuple[float, bool]:
    """Light of a display's white, cd/m2; and whether the plate clipped there."""
    if clipped is not None and clipped.any():
        level = float(np.quantile(reference.max(axis=2), 1 - clipped.mean(), method="lower"))
        if level > 0:
            return level, True
    return float(np.exp(np.mean(np.log(np.maximum(luminance(reference), DARKEST))))) / MID_GREY, False


def _histogram(relative: Array) -> Shares:
    """Shares of the pixels in `BINS`, of luminance beside white."""
    stops = np.log2(np.maximum(relative, 1e-30) / MID_GREY)
    middles = (BINS[:-1] + BINS[1:]) / 2
    counts, _ = np.histogram(stops.clip(middles[0], middles[-1]), BINS)
    return counts / relative.size


def _small(pixels: npt.NDArray[Any]) -> Pixels:
    return reduce(pixels.astype(np.float32), LONGEST)
