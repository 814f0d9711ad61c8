"""What the four stage nodes share: the top code, and pictures that a network can compute with."""

from __future__ import annotations

from hdrnodes.image import Image, clean
from hdrnodes.nodes.base import Context

TOP_CODE = 254.5 / 255  # what rounds to 255: clipped
BOTTOM_CODE = 0.5 / 255


def without_bad_values(image: Image, node: str, context: Context) -> Image:
    """The image with NaN, infinite and negative colours replaced; says how many there were."""
    cleaned, counts = clean(image)
    if counts:
        found = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        context.say(f"{node}: {found} values replaced")
    return cleaned
