"""What the four stage nodes share: the bottom code, and pictures that a network can compute with."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from hdrnodes.clean import clean
from hdrnodes.image import STRAIGHT_ALPHA, Image, Pixels
from hdrnodes.nodes.base import Context
from hdrnodes.pixelwise import pixelwise

BOTTOM_CODE = 0.5 / 255  # what rounds to 0


def without_bad_values(image: Image, node: str, context: Context) -> Image:
    """The image with NaN, infinite and negative colours replaced; says how many there were."""
    cleaned, counts = clean(image)
    if counts:
        found = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        context.warn(f"{node}: {found} values replaced")
    return cleaned


def straight_display(image: Image) -> tuple[Pixels, Pixels | None]:
    """The colours as the camera made them, clipped to 0..1, and what to multiply the answer with.

    Through a curve, half of a value is not half of the result: colours that alpha has been multiplied into are
    divided by it first. Where alpha is 0 they are light without cover, and stay as they are.

    Returns:
        H x W x 3 float32, the image's own memory where nothing is to be done. H x W x 1 float32; None for one.
    """
    alpha = image.alpha
    if alpha is None or image.metadata.get(STRAIGHT_ALPHA):
        return within(image, 1.0), None

    def cover_of(alpha: Any) -> Any:
        xp = array_namespace(alpha)
        return xp.where(xp.isfinite(alpha) & (alpha > 0), alpha, xp.ones_like(alpha))

    cover = pixelwise(cover_of, alpha)
    return pixelwise(lambda rgb, cover: (rgb / cover).clip(0, 1), image.rgb, cover), cover


def within(image: Image, top: float) -> Pixels:
    """The colours, H x W x 3, clipped to 0..top; the image's own memory where it is known that none goes beyond."""
    lowest, highest = image.colour_bounds
    if lowest >= 0 and highest <= top:
        return image.rgb
    return pixelwise(lambda rgb: rgb.clip(0, top), image.rgb)
