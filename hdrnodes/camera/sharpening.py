"""Sharpening, as cameras do after the response: an unsharp mask of the luma. Of what `nodes.Refine` undoes."""

from typing import Any

from array_api_compat import array_namespace

from hdrnodes.camera.spread import blurred

Array = Any

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as JPEG has it


def sharpen(display: Array, amount: Array, radius: Array) -> Array:
    """Add what a blur of the luma takes away, to all channels alike, so that no edge changes its colour.

    Source: the unsharp mask (Gonzalez and Woods, "Digital Image Processing", section 3.6).

    Args:
        display: N x 3 x H x W, display-referred, 0..1.
        amount: how many times the difference is added; N x 1 x 1 x 1, or what broadcasts. 0 changes nothing.
        radius: standard deviation of the blur, pixels; of the same shape.

    Returns:
        The shape of `display`, 0..1.
    """
    red, green, blue = display[:, 0:1], display[:, 1:2], display[:, 2:3]
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return array_namespace(display).clip(display + amount * (luma - blurred(luma, radius)), 0.0, 1.0)
