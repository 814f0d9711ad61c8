"""Mild local tone mapping, as cameras do before the response ("dynamic range optimiser", "active lighting").

Of what `nodes.Refine` undoes. Source: Moroney, "Local color correction using non-linear masking" (IS&T Color
Imaging Conference, 2000): each pixel goes through a curve that a heavily blurred copy of the picture chooses, and all
curves hold black and white.
"""

from typing import Any

from array_api_compat import array_namespace

from hdrnodes.camera.spread import spread
from hdrnodes.primaries import LUMINANCE

Array = Any

DARKEST = 2.0**-8  # of the clip level; what is darker is not lifted further
MIDDLE = 0.18  # stays as it is
SMOOTHEST = 0.1  # of the longer side: the standard deviation of the blur


def local_gain(light: Array, strength: Array) -> Array:
    """How much brighter each place gets: more than 1 in the shadows, less in the highlights.

    Args:
        light: N x 3 x H x W, scene-linear, 0..1.
        strength: of the distance in stops between a place and the middle, what it is moved by; N x 1 x 1 x 1, or what
            broadcasts. 0 changes nothing, 0.3 is as much as cameras do.

    Returns:
        N x 1 x H x W, for `tone_map_locally`; smooth.
    """
    xp = array_namespace(light)
    red, green, blue = light[:, 0:1], light[:, 1:2], light[:, 2:3]
    stops = xp.log2(LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue + DARKEST)
    deviation = SMOOTHEST * max(light.shape[-2:])
    base = spread(stops, lambda squared: xp.exp(-squared * deviation**2 / 2), finest=deviation)
    middle = xp.log2(xp.full_like(base[:1, :, :1, :1], MIDDLE + DARKEST))
    return 2 ** (strength * (middle - base))


def tone_map_locally(light: Array, gain: Array) -> Array:
    """Brighten each pixel by its gain where it is dark; black stays black, and what clipped stays clipped.

    The curve is g x / (1 + (g - 1) x): of slope g in the dark, through 0 and 1, rising.

    Args:
        light: N x 3 x H x W, scene-linear, 0..1.
        gain: N x 1 x H x W, > 0.

    Returns:
        The shape of `light`, 0..1.
    """
    return gain * light / (1 + (gain - 1) * light)
