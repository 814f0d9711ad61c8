"""The lens: it is never quite sharp, and some of the light strays over the whole picture (veiling glare).

Sources: the sum of a core and a wide veil, and glare of some per cent at most: ISO 9358 (veiling glare of image forming
systems); CIE 146:2002 (scatter in the eye, of the same shape); McCann and Rizzi, "The Art and Science of HDR Imaging",
2012 (what glare does to cameras in front of HDR scenes).
"""

from typing import Any

from array_api_compat import array_namespace

from hdrnodes.camera.spread import spread

Array = Any


def through_lens(light: Array, blur: Array, glare: Array, reach: Array) -> Array:
    """What falls on the sensor: most of the light in a Gaussian, a share of it in a veil with far tails.

    The transfer function is (1 - g) exp(-2 pi^2 s^2 f^2) + g exp(-2 pi r f). Its second term is the exact transform of
    Moffat's profile of exponent 3/2, r / (2 pi (r^2 + x^2)^(3/2)), which falls with the cube of the distance.

    Args:
        light: N x 3 x H x W, scene-linear, >= 0.
        blur: s, the Gaussian's standard deviation, pixels. This and the next two: N x 1 x 1 x 1, or what broadcasts.
        glare: g, 0..1.
        reach: r, pixels; half of the veil falls within 1.7 r.

    Returns:
        The shape of `light`, >= 0, with the same sum.
    """
    xp = array_namespace(light)

    def transfer(squared: Array) -> Array:
        return (1 - glare) * xp.exp(-squared * blur**2 / 2) + glare * xp.exp(-xp.sqrt(squared) * reach)

    # Rounding leaves some 1e-7 of the brightest pixel everywhere, of either sign.
    return xp.clip(spread(light, transfer), 0.0, None)
