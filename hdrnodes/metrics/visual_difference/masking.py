"""Visual masking: strong contrast in both pictures hides a difference between them."""

import numpy as np
from scipy.ndimage import correlate1d

from hdrnodes.metrics.resampling import resized
from hdrnodes.metrics.visual_difference.tables import Plane

THIRDS = np.full(3, 1 / 3)


def signed_power(values: Plane, exponent: float) -> Plane:
    """|x|^exponent with the sign of x."""
    return np.copysign(np.abs(values) ** exponent, values)


def mutual_contrast(test: Plane, reference: Plane) -> Plane:
    """What both bands have, the mean of 3 x 3 pixels (nothing outside the picture): orientations x height x width.

    Source: Mantiuk et al., "HDR-VDP-2", 2011, "Contrast masking" (mutual masking, after Daly, 1993).
    """
    both = np.minimum(np.abs(test), np.abs(reference))
    for axis in (-2, -1):
        both = correlate1d(both, THIRDS, axis=axis, mode="constant")
    return both


def at_size(neighbour: Plane, orientation: int, shape: tuple[int, int]) -> Plane:
    """One orientation (the last, where there are fewer) of a neighbouring band's contrast, H x W, not negative."""
    return np.maximum(resized(neighbour[min(orientation, len(neighbour) - 1)], shape, "cubic"), 0)
