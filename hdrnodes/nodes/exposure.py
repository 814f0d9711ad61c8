"""Exposure: more or less light. `out = in * 2^stops`, on scene-linear values."""

from __future__ import annotations

from hdrnodes.image import Image
from hdrnodes.nodes.base import Context, Knob, Node
from hdrnodes.pixelwise import pixelwise


class Exposure(Node):
    """Brighten or darken a scene-linear picture, as a camera's exposure would."""

    on_device = True

    stops: float = Knob(0.0, ge=-20, le=20, unit="stops", doc="One more doubles the light.")

    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        image = inputs["image"]
        if not self.stops:
            return image
        return image.with_rgb(pixelwise(lambda rgb: rgb * 2**self.stops, image.rgb))
