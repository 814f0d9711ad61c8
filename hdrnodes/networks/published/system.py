"""The four published networks one after the other."""

from typing import NamedTuple

from torch import Tensor, nn

from hdrnodes.camera.clipping import clip_mask
from hdrnodes.camera.response import invert_response
from hdrnodes.networks.published.hallucinate import Hallucinate
from hdrnodes.networks.published.linearize import Linearize
from hdrnodes.networks.published.unet import Dequantize, Refine


class Reconstruction(NamedTuple):
    """All that the published system computes on its way."""

    C: Tensor  # N x 3 x H x W, 0..1: display-referred, continuous
    curve: Tensor  # N x 1024, rising from 0 to 1: scene-linear at evenly spaced display values
    B: Tensor  # N x 3 x H x W, 0..1: scene-linear, 1.0 where the plate clips
    A: Tensor  # N x 3 x H x W, >= 0: B, and light where it clipped
    out: Tensor  # N x 3 x H x W, >= 0: refined


class Published(nn.Module):
    """From a picture to scene-linear light; its parts are the stages."""

    def __init__(self) -> None:
        super().__init__()
        self.dequantize = Dequantize()
        self.linearize = Linearize()
        self.hallucinate = Hallucinate()
        self.refine = Refine()

    def forward(self, codes: Tensor) -> Reconstruction:
        """N x 3 x H x W float32, code values / 255, 0..1, RGB."""
        dequantized = self.dequantize(codes)
        curve = self.linearize(dequantized)
        linear = invert_response(dequantized, curve[:, None])
        hallucinated = linear + clip_mask(linear, channels=1) * self.hallucinate(linear)
        refined = self.refine(hallucinated, linear, dequantized)
        return Reconstruction(dequantized, curve, linear, hallucinated, refined)
