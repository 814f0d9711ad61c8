"""Linearization-Net (1,195,328 + 5,643 parameters): one inverse camera response for a picture.

Edges and histograms of the picture -> a short bottleneck ResNet -> 11 weights of principal directions of
measured responses -> a curve made to rise. (The paper has a ResNet-18, other bins; the published graph this.)
Source: Liu et al., CVPR 2020, section 3.2; Grossberg and Nayar, CVPR 2003, for the directions (EMoR).
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hdrnodes.camera.response import SAMPLES, constrain_curve
from hdrnodes.networks.base import StageNetwork, in_float32
from hdrnodes.networks.edges import continue_edges
from hdrnodes.networks.half import fold

DIRECTIONS = 11
BINS = (4, 8, 16)
SOBEL = ((-1.0, -2.0, -1.0), (0.0, 0.0, 0.0), (1.0, 2.0, 1.0))  # down the rows


class ConvNorm(nn.Module):
    """A convolution and its batch normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class Bottleneck(nn.Module):
    """A residual block: reduce, look around, expand by four."""

    def __init__(self, inputs: int, width: int, stride: int = 1, project: bool = False) -> None:
        super().__init__()
        self.shortcut = ConvNorm(inputs, 4 * width, stride=stride) if project else nn.Identity()
        self.reduce = ConvNorm(inputs, width, stride=stride)
        self.look = ConvNorm(width, width, kernel=3)
        self.expand = ConvNorm(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.expand(torch.relu(self.look(torch.relu(self.reduce(x)))))
        return torch.relu(self.shortcut(x) + residual)


class Linearize(StageNetwork):
    """Estimate the inverse response of the camera that took a picture."""

    output: ClassVar[str] = "curve"
    half_parts: ClassVar[tuple[str, ...]] = ("conv1", "blocks")
    sobel: Tensor
    mean: Tensor
    directions: Tensor

    def __init__(self) -> None:
        super().__init__()
        down = torch.tensor(SOBEL)
        # Per channel down the rows, then along the columns: 6 x 1 x 3 x 3 for a convolution of 3 groups.
        self.register_buffer("sobel", torch.stack([down, down.T])[:, None].repeat(3, 1, 1, 1), persistent=False)
        self.register_buffer("mean", torch.linspace(0, 1, SAMPLES))
        self.register_buffer("directions", torch.zeros(DIRECTIONS, SAMPLES))
        self.conv1 = nn.Conv2d(3 + 6 + 3 * sum(n + 1 for n in BINS), 64, 7, stride=2)
        self.norm1 = nn.BatchNorm2d(64, eps=1e-3)
        self.blocks = nn.ModuleDict(
            {
                "2a": Bottleneck(64, 64, project=True),
                "2b": Bottleneck(256, 64),
                "2c": Bottleneck(256, 64),
                "3a": Bottleneck(256, 128, stride=2, project=True),
                "3b": Bottleneck(512, 128),
            }
        )
        self.weigh = nn.Linear(512, DIRECTIONS)

    def make_ready_for_half(self) -> None:
        fold(self, "conv1", "norm1")
        for part in list(self.modules()):
            if isinstance(part, ConvNorm):
                fold(part, "conv", "norm")

    def example_inputs(self) -> dict[str, Tensor]:
        return {"display": torch.zeros(1, 3, 48, 64)}

    def forward(self, display: Tensor) -> Tensor:
        """N x 3 x H x W, display-referred, 0..1 -> N x 1024, the inverse response, rising from 0 to 1."""
        x = self.as_trunk(self.look_at(continue_edges(display, 4)))  # N, 102, H, W
        x = torch.relu(self.norm1(self.conv1(F.pad(x, (2, 3, 2, 3)))))  # N, 64, H / 2, W / 2
        x = F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 3, stride=2)  # zeros are as good as nothing after a ReLU
        for block in self.blocks.values():
            x = block(x)  # N, 512, H / 8, W / 8 in the end
        weights = self.weigh(in_float32(x).mean(dim=(2, 3)))  # N, 11
        return constrain_curve(self.mean + weights @ self.directions)

    def look_at(self, display: Tensor) -> Tensor:
        """The picture, its edges, and where on the scale its values lie: N x 3 x H x W -> N x 102 x H x W."""
        edges = F.conv2d(F.pad(display, (1, 1, 1, 1), mode="reflect"), self.sobel, groups=3)
        return torch.cat([display, edges, *(soft_histogram(display, bins) for bins in BINS)], dim=1)


def soft_histogram(display: Tensor, bins: int) -> Tensor:
    """How near each value is to i / bins, i = 0..bins: 1 there, 0 at the next.

    N x 3 x H x W -> N x 3 (bins + 1) x H x W, the three channels side by side inside each bin.
    """
    centres = torch.arange(bins + 1, dtype=display.dtype, device=display.device)[:, None, None, None] / bins
    return torch.relu(1 - bins * (display[:, None] - centres).abs()).flatten(1, 2)
