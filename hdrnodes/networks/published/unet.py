"""The published U-Net, twice: Dequantization-Net (1,999,779 parameters) and Refinement-Net (1,266,947).

Convolutions keep the size and are followed by LeakyReLU 0.1; no normalisation. Source: Liu et al., CVPR 2020.
"""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hdrnodes.networks.base import StageNetwork, in_float32
from hdrnodes.networks.edges import continue_edges

WIDTHS = (16, 32, 64, 128)  # channels at 1/1, 1/2, 1/4, 1/8
KERNELS = (7, 5, 3, 3)  # and the size of the convolutions there, going down


def _convolution(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.LeakyReLU(0.1))


def _two_convolutions(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(_convolution(inputs, outputs, kernel), _convolution(outputs, outputs, kernel))


class Up(nn.Module):
    """Twice the size, then the skip beside it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.before = _convolution(inputs, outputs)
        self.after = _convolution(2 * outputs, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.before(twice_the_size(x))
        return self.after(torch.cat([x, skip], dim=1))


def twice_the_size(x: Tensor) -> Tensor:
    """Bilinear as TensorFlow 1 did it: out[2i] = in[i], out[2i + 1] = (in[i] + in[i+1]) / 2, the last twice.

    That is what `align_corners` does to n + 1 samples spread over 2n + 1.
    """
    height, width = x.shape[-2:]
    x = F.pad(x, (0, 1, 0, 1), mode="replicate")
    x = F.interpolate(x, size=(2 * height + 1, 2 * width + 1), mode="bilinear", align_corners=True)
    return x[..., :-1, :-1]


class UNet(nn.Module):
    """N x inputs x H x W -> N x 3 x H x W, linear; H and W are multiples of 16."""

    def __init__(self, inputs: int, bottom: int) -> None:
        super().__init__()
        # In the order in which the published variables are numbered: `weights` counts on it.
        steps = pairwise([inputs, *WIDTHS])
        self.down = nn.ModuleList(_two_convolutions(a, b, k) for (a, b), k in zip(steps, KERNELS, strict=True))
        self.bottom = _two_convolutions(WIDTHS[-1], bottom, 3)
        self.up = nn.ModuleList(Up(a, b) for a, b in pairwise([bottom, *reversed(WIDTHS)]))
        self.head = nn.Conv2d(WIDTHS[0], 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for convolutions in self.down:
            skips.append(convolutions(x))  # N, WIDTHS[i], H / 2^i, W / 2^i
            x = F.avg_pool2d(skips[-1], 2)
        x = self.bottom(x)  # N, bottom, H / 16, W / 16
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x = up(x, skip)  # the shape of skip
        return self.head(x)


class Dequantize(StageNetwork):
    """Dequantization-Net: undo 8-bit rounding and JPEG by a residual in -1..1."""

    output: ClassVar[str] = "continuous"
    half_parts: ClassVar[tuple[str, ...]] = ("unet",)

    def __init__(self) -> None:
        super().__init__()
        self.unet = UNet(inputs=3, bottom=256)

    def example_inputs(self) -> dict[str, Tensor]:
        return {"codes": torch.zeros(1, 3, 48, 64)}

    def forward(self, codes: Tensor) -> Tensor:
        """N x 3 x H x W, code values / 255, 0..1 -> the same shape, continuous, 0..1."""
        height, width = codes.shape[-2:]
        residual = torch.tanh(in_float32(self.unet(self.as_trunk(continue_edges(codes, 16)))))[..., :height, :width]
        return (codes + residual).clamp(0, 1)


class Refine(StageNetwork):
    """Refinement-Net: a correction of the hallucinated picture, seeing all three before it."""

    output: ClassVar[str] = "refined"
    half_parts: ClassVar[tuple[str, ...]] = ("unet",)
    same_size: ClassVar[tuple[str, ...]] = ("hallucinated", "linear", "dequantized")

    def __init__(self) -> None:
        super().__init__()
        self.white = 1.0  # the size of the clip level inside the network
        self.unet = UNet(inputs=9, bottom=128)

    def make_ready_for_half(self) -> None:
        """Let light be a sixteenth inside: Hallucinate's brightest, 2^16, is more than half holds. What a convolution
        and LeakyReLU make of it is a sixteenth, too, where the bias is."""
        self.white = 1 / 16
        for part in self.unet.modules():
            if isinstance(part, nn.Conv2d) and part.bias is not None:
                part.bias.data *= self.white

    def example_inputs(self) -> dict[str, Tensor]:
        return {name: torch.zeros(1, 3, 48, 64) for name in self.same_size}

    def forward(self, hallucinated: Tensor, linear: Tensor, dequantized: Tensor) -> Tensor:
        """N x 3 x H x W each: linear; linear 0..1; display-referred 0..1 -> the same shape, linear, >= 0."""
        height, width = hallucinated.shape[-2:]
        pictures = self.white * torch.cat([hallucinated, linear, dequantized], dim=1)
        correction = self.unet(self.as_trunk(continue_edges(pictures, 16)))[..., :height, :width]
        return torch.relu(hallucinated + in_float32(correction) / self.white)
