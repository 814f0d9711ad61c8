"""Refine: the rest of the camera pipeline, which the other three stages leave behind.

    out = max(A + strength * (network(A, B, C) - A), 0)

A is what Hallucinate made, B scene-linear before it, C dequantised and display-referred. B and C are derived
from A where they are not connected: B = min(A, 1), and C is B through the response that InverseCRF undid.

Source: Liu et al., CVPR 2020. The strength and the derived inputs are ours.
"""

from __future__ import annotations

import numpy as np

from hdrnodes.camera.response import apply_response
from hdrnodes.curve import Curve
from hdrnodes.image import Image, Pixels
from hdrnodes.nodes.base import Context, Knob, Node
from hdrnodes.nodes.stage import without_bad_values


class Refine(Node):
    """Clean up after the other stages: colours, edges of highlights, what is left of compression."""

    optional_inputs = ("linear", "dequantized")

    strength: float = Knob(1.0, ge=0, le=1, doc="How much of the network's correction is taken.")
    model: str = Knob("default", doc="A name that `hdrnodes doctor` lists.")

    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        image = without_bad_values(inputs["image"], self.name, context)
        if not self.strength:
            return image
        linear, dequantized = _before_hallucination(image, inputs)
        refined = context.run("refine", self.model, image.rgb, linear, dequantized)  # H x W x 3, linear
        blended = image.rgb + np.float32(self.strength) * (refined - image.rgb)
        return image.with_rgb(np.where(np.isfinite(blended), np.maximum(blended, 0), image.rgb))


def _before_hallucination(image: Image, inputs: dict[str, Image]) -> tuple[Pixels, Pixels]:
    """B and C: as connected, else derived from A. C is scene-linear where the plate was from the start."""
    linear = np.clip(inputs["linear"].rgb if "linear" in inputs else image.rgb, 0, 1)
    if "dequantized" in inputs and not inputs["dequantized"].is_linear:
        return linear, np.clip(inputs["dequantized"].rgb, 0, 1)
    curves = image.curves if image.curves is not None else Curve.named("srgb").samples
    display: Pixels = apply_response(linear, curves)
    return linear, display
