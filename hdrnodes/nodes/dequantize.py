"""Dequantize: what rounding to 8 bits and JPEG took. Undoes `camera.quantisation` and `camera.jpeg`.

    out = clip(codes + strength * (network(codes) - codes), 0, 1), and clipped codes as they are

Source: Liu et al., CVPR 2020. The strength is ours, and so is that a clipped code (254.5 / 255 and above) is
left alone: a network that lowers it by half a code would pass off clipped light as light that was measured.
"""

from __future__ import annotations

import numpy as np

from hdrnodes.camera.clipping import TOP_CODE
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context, Knob, Node
from hdrnodes.nodes.stage import straight_colours, without_bad_values

SMOOTH_BITS = 12  # from here on, steps are finer than a plate's noise


class Dequantize(Node):
    """Restore smooth gradients in an 8-bit or JPEG plate; plates of 12 bits and more pass unchanged."""

    strength: float = Knob(1.0, ge=0, le=1, doc="How much of the network's correction is taken.")
    model: str = Knob("default", doc="A name that `hdrnodes doctor` lists.")

    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        plate = without_bad_values(inputs["image"], self.name, context)
        if plate.is_linear:
            context.say("Dequantize: skipped, for the picture is scene-linear")
            return plate
        if plate.bits is not None and plate.bits >= SMOOTH_BITS:
            context.say(f"Dequantize: skipped, for the plate has {plate.bits} bits a sample")
            return plate
        if not self.strength:
            return plate
        rgb, cover = straight_colours(plate)
        codes = np.clip(rgb, 0, 1)
        continuous = context.run("dequantize", self.model, codes)  # H x W x 3, display-referred
        smooth = np.clip(codes + np.float32(self.strength) * (continuous - codes), 0, 1)
        return plate.with_rgb(np.where(codes >= TOP_CODE, codes, smooth) * cover)
