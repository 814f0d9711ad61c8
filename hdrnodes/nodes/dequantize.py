"""Dequantize: what rounding to 8 bits and JPEG took. Undoes `camera.quantisation` and `camera.jpeg`.

    out = clip(codes + strength * (network(codes) - codes), 0, 1), and clipped codes as they are

Source: Liu et al., CVPR 2020. The strength is ours, and so is that a clipped code (254.5 / 255 and above) is
left alone: a network that lowers it by half a code would pass off clipped light as light that was measured.
"""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from hdrnodes.camera.clipping import TOP_CODE
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context, Knob, Node
from hdrnodes.nodes.stage import straight_display, without_bad_values
from hdrnodes.pixelwise import pixelwise

SMOOTH_BITS = 12  # from here on, steps are finer than a plate's noise


class Dequantize(Node):
    """Restore smooth gradients in an 8-bit or JPEG plate; plates of 12 bits and more pass unchanged."""

    on_device = True

    strength: float = Knob(1.0, ge=0, le=1, doc="How much of the network's correction is taken.")
    model: str = Knob("default", doc="A name that `hdrnodes doctor` lists.")

    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        plate = inputs["image"]
        reason = _why_skip(plate)
        if self.strength and not reason:
            plate = context.on_device(plate)
        plate = without_bad_values(plate, self.name, context)
        if reason:
            context.say(f"Dequantize: skipped, for the {reason}")
        if reason or not self.strength:
            return plate
        codes, cover = straight_display(plate)
        continuous = context.run("dequantize", self.model, codes)  # H x W x 3, display-referred

        def blend(codes: Any, continuous: Any, cover: Any) -> Any:
            smooth = (codes + self.strength * (continuous - codes)).clip(0, 1)
            smooth = array_namespace(codes).where((codes < TOP_CODE) & (smooth >= 0), smooth, codes)  # NaN is not >= 0
            return smooth if cover is None else smooth * cover

        smooth = plate.with_rgb(pixelwise(blend, codes, continuous, cover, reuse=continuous))
        return smooth.with_bounds(0, 1) if cover is None else smooth


def _why_skip(plate: Image) -> str | None:
    if plate.is_linear:
        return "picture is scene-linear"
    if plate.bits is not None and plate.bits >= SMOOTH_BITS:
        return f"plate has {plate.bits} bits a sample"
    return None
