"""Hallucinate: radiance for what clipped. Undoes `camera.clipping`. B is linear, 1.0 where it clips:

    alpha = clip((max over RGB of B - threshold) / (1 - threshold), 0, 1)
    out   = B + alpha * clip(network(B), 0, 2**ceiling - 1)

A linear picture that goes above 1 without InverseCRF, a render or an HDR merge, was not clipped at 1: it is skipped.

Source: Liu et al., CVPR 2020 (published model: threshold 0.88). The ceiling is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from array_api_compat import array_namespace

from hdrnodes.camera.clipping import THRESHOLD, clip_mask
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context, Knob, Node
from hdrnodes.nodes.stage import within, without_bad_values
from hdrnodes.pixelwise import pixelwise


class Hallucinate(Node):
    """Invent radiance in clipped highlights; return every other pixel bit for bit."""

    on_device = True

    threshold: float = Knob(THRESHOLD, ge=0, lt=1, unit="of clip level", doc="Where invented light fades in.")
    ceiling: float = Knob(6.0, gt=0, le=16, unit="stops", doc="Brightest invented light, above clip level.")
    output: Literal["image", "mask"] = Knob("image", doc="The picture, or what would be replaced.")
    model: str = Knob("default", doc="A name that `hdrnodes doctor` lists.")

    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        plate = without_bad_values(inputs["image"], self.name, context)
        if not plate.is_linear:
            context.warn("Hallucinate: the picture is display-referred; InverseCRF belongs before it")
        if _is_hdr_already(plate):
            context.warn(
                "Hallucinate: skipped, for the picture goes above 1 already, and where it clipped is not known"
            )
            return plate if self.output == "image" else plate.with_rgb(_grey(plate, lambda rgb: 0 * rgb[..., :1]))
        if self.output == "mask":
            return plate.with_rgb(_grey(plate, lambda rgb: clip_mask(rgb, self.threshold)))
        # Where nothing clipped no network is loaded; to ask a GPU would take longer than to have it compute nothing.
        if plate.device is None and plate.colour_range[1] <= self.threshold:
            return plate
        plate = context.on_device(plate)
        clipped = within(plate, 1.0)  # brightened since, or in other primaries, it goes higher; no plate does
        masked = pixelwise(lambda rgb: clip_mask(rgb, self.threshold) > 0, plate.rgb)
        invented = context.run("hallucinate", self.model, clipped, where=masked)  # H x W x 3, linear, any sign
        brightest = 2**self.ceiling - 1

        def brighten(rgb: Any, invented: Any) -> Any:
            xp = array_namespace(rgb)
            # Laid out for three channels, once: to spread it in each of what follows takes numpy three times as long.
            alpha = clip_mask(rgb, self.threshold) + xp.zeros_like(rgb)  # 0..1
            added = alpha * invented.clip(max=brightest)
            return xp.where((alpha > 0) & (invented > 0), rgb + added, rgb)  # NaN is not > 0

        brightened = plate.with_rgb(pixelwise(brighten, plate.rgb, invented, reuse=invented))
        return brightened.with_bounds(0, plate.colour_bounds[1] + brightest)


def _is_hdr_already(plate: Image) -> bool:
    """Whether light was measured above clip level: in no plate of ours, and by more than half's rounding there."""
    measured = 1 + 2**-10
    if not plate.is_linear or plate.curves is not None or plate.colour_bounds[1] <= measured:
        return False
    return plate.colour_range[1] > measured


def _grey(plate: Image, function: Callable[[Any], Any]) -> Any:
    """One value a pixel, in all three channels."""
    values = pixelwise(function, plate.rgb)
    return array_namespace(values).broadcast_to(values, (plate.height, plate.width, 3))
