"""8-bit codes -> continuous display values: what rounding and JPEG took, as a bounded residual.

    continuous = codes + reach * tanh(unet(codes))

The network works on 2 x 2 pixels at a time (pixel-unshuffle): a quarter of the cost, and banding is wide, not fine.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrnodes.networks.base import StageNetwork
from hdrnodes.networks.default.blocks import UNet, silent_conv
from hdrnodes.networks.edges import continue_edges

REACH = 8 / 255  # JPEG at quality 75 moves a pixel this far now and then; nothing should move it farther


class Dequantize(StageNetwork):
    """Args: widths: channels at 1/2, 1/4, 1/8 ... of the size."""

    output = "continuous"
    half_parts = ("unet", "head")

    def __init__(self, widths: tuple[int, ...] = (24, 48, 96, 96)) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.unet = UNet(24, self.widths)
        self.head = silent_conv(self.widths[0], 12)

    @property
    def config(self) -> dict[str, Any]:
        return {"widths": list(self.widths)}

    def example_inputs(self) -> dict[str, Tensor]:
        return {"codes": torch.rand(1, 3, 96, 128)}

    def forward(self, codes: Tensor) -> Tensor:
        """N x 3 x H x W float32, code values / 255, 0..1 -> the same shape, 0..1, continuous."""
        height, width = codes.shape[-2:]
        padded = continue_edges(codes, 2 * self.unet.multiple)
        x = F.pixel_unshuffle(self.as_trunk(torch.cat([padded, _detail(padded)], dim=1)), 2)
        residual = F.pixel_shuffle(self.head(self.unet(x)), 2)[..., :height, :width]
        # Added in float32: in half precision the banding would come back.
        return (codes + REACH * torch.tanh(residual.float())).clamp(0, 1)


def _detail(codes: Tensor) -> Tensor:
    """How far each pixel lies from the mean around it, about one for ten codes; taken in float32.

    Half precisions hold a code value near white to no better than a quarter or half a code, and what is to be found is
    smaller than that.
    """
    around = F.avg_pool2d(F.pad(codes, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    return (codes - around) * 25
