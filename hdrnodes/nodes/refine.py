"""Refine: the rest of the camera pipeline, which the other three stages leave behind.

    out = max(A + strength * (network(A, B, C) - A), 0)

A is what Hallucinate made, B scene-linear before it, C dequantised and display-referred. B and C are derived
from A where they are not connected: B = min(A, 1), and C is B through the response that InverseCRF undid.

Source: Liu et al., CVPR 2020. The strength and the derived inputs are ours.
"""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from hdrnodes.camera.response import apply_response
from hdrnodes.curve import Curve
from hdrnodes.image import Image, Pixels
from hdrnodes.nodes.base import Context, Knob, Node
from hdrnodes.nodes.stage import within, without_bad_values
from hdrnodes.pixelwise import beside, pixelwise


class Refine(Node):
    """Clean up after the other stages: colours, edges of highlights, what is left of compression."""

    optional_inputs = ("linear", "dequantized")
    on_device = True

    strength: float = Knob(1.0, ge=0, le=1, doc="How much of the network's correction is taken.")
    model: str = Knob("default", doc="A name that `hdrnodes doctor` lists.")

    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        image = inputs["image"]
        if self.strength:
            image = context.on_device(image)
        image = without_bad_values(image, self.name, context)
        if not self.strength:
            return image
        linear, dequantized = _before_hallucination(image, inputs)
        refined = context.run("refine", self.model, image.rgb, linear, dequantized)  # H x W x 3, linear

        def blend(rgb: Any, refined: Any) -> Any:
            xp = array_namespace(rgb)
            blended = rgb + self.strength * (refined - rgb)
            return xp.where(xp.isfinite(blended), blended.clip(min=0), rgb)

        return image.with_rgb(pixelwise(blend, image.rgb, refined, reuse=refined))


def _before_hallucination(image: Image, inputs: dict[str, Image]) -> tuple[Pixels, Pixels]:
    """B and C: as connected, else derived from A. C is scene-linear where the plate was from the start."""
    before = {name: other.beside(image) for name, other in inputs.items() if name != "image"}
    linear = within(before.get("linear", image), 1.0)
    if "dequantized" in before and not before["dequantized"].is_linear:
        return linear, within(before["dequantized"], 1.0)
    curves = beside(linear, image.curves if image.curves is not None else Curve.named("srgb").samples)
    display: Pixels = pixelwise(lambda linear: apply_response(linear, curves), linear)
    return linear, display
