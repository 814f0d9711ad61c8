"""What the four stage nodes share: the bottom code, and pictures that a network can compute with."""

from __future__ import annotations

import numpy as np

from hdrnodes.clean import clean
from hdrnodes.image import STRAIGHT_ALPHA, Image, Pixels
from hdrnodes.nodes.base import Context

BOTTOM_CODE = 0.5 / 255  # what rounds to 0


def without_bad_values(image: Image, node: str, context: Context) -> Image:
    """The image with NaN, infinite and negative colours replaced; says how many there were."""
    cleaned, counts = clean(image)
    if counts:
        found = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        context.warn(f"{node}: {found} values replaced")
    return cleaned


def straight_colours(image: Image) -> tuple[Pixels, Pixels]:
    """The colours as the camera made them, and what to multiply the answer with.

    Through a curve, half of a value is not half of the result: colours that alpha has been multiplied into are
    divided by it first. Where alpha is 0 they are light without cover, and stay as they are.

    Returns:
        H x W x 3, and H x W x 1 (or 1 x 1 x 1), float32.
    """
    alpha = image.alpha
    if alpha is None or image.metadata.get(STRAIGHT_ALPHA):
        return image.rgb, np.ones((1, 1, 1), np.float32)
    cover: Pixels = np.where(np.isfinite(alpha) & (alpha > 0), alpha, np.float32(1))
    return image.rgb / cover, cover
