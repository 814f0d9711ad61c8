"""Hallucinate: radiance for what clipped. Undoes `camera.clipping`. B is linear, 1.0 where it clips:

    alpha = clip((max over RGB of B - threshold) / (1 - threshold), 0, 1)
    out   = B + alpha * clip(network(B), 0, 2**ceiling - 1)

A linear picture that goes above 1 without InverseCRF, a render or an HDR merge, was not clipped at 1: it is skipped.

Source: Liu et al., CVPR 2020 (published model: threshold 0.88). The ceiling is ours.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from hdrnodes.camera.clipping import THRESHOLD, clip_mask
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context, Knob, Node
from hdrnodes.nodes.stage import without_bad_values


class Hallucinate(Node):
    """Invent radiance in clipped highlights; return every other pixel bit for bit."""

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
            return plate if self.output == "image" else plate.with_rgb(np.zeros_like(plate.rgb))
        alpha = clip_mask(plate.rgb, self.threshold)  # H x W x 1, 0..1
        if self.output == "mask":
            return plate.with_rgb(np.broadcast_to(alpha, plate.rgb.shape))
        if not alpha.any():  # nothing clipped: load no network
            return plate
        clipped = np.minimum(plate.rgb, 1)  # brightened since, or in other primaries, it goes higher; no plate does
        invented = context.run("hallucinate", self.model, clipped, where=alpha)  # H x W x 3, linear, any sign
        added = alpha * np.clip(np.nan_to_num(invented), 0, np.float32(2**self.ceiling - 1))
        return plate.with_rgb(np.where(alpha > 0, plate.rgb + added, plate.rgb))


def _is_hdr_already(plate: Image) -> bool:
    """Whether light was measured above clip level: in no plate of ours, and by more than half's rounding there."""
    return plate.is_linear and plate.curves is None and bool(plate.rgb.max() > 1 + 2**-10)
