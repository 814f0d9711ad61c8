"""Hallucination-Net (24,569,118 parameters): the light of what clipped.

VGG16 down to 1/32, a decoder back up, skips between them that start as plain sums.
Source: Liu et al., CVPR 2020, section 3.3; Eilertsen et al., SIGGRAPH Asia 2017, whose decoder it follows.
"""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hdrnodes.networks.base import StageNetwork, in_float32
from hdrnodes.networks.edges import continue_edges
from hdrnodes.networks.half import fold

VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))  # widths at 1/1 .. 1/16
VGG_MEAN = (103.939, 116.779, 123.68)  # BGR, of 0..255
EPSILON = 1e-5


def _level(inputs: int, widths: tuple[int, ...]) -> nn.Sequential:
    """The convolutions of one size, each followed by a ReLU."""
    steps = (nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.ReLU()) for a, b in pairwise([inputs, *widths]))
    return nn.Sequential(*steps)


class Decode(nn.Module):
    """Twice the size by repetition, then a convolution with mirrored edges."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3)
        self.norm = nn.BatchNorm2d(outputs, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(F.interpolate(x, scale_factor=2.0, mode="nearest"), (1, 1, 1, 1), mode="reflect")
        return torch.relu(self.norm(torch.relu(self.conv(x))))


class Hallucinate(StageNetwork):
    """Invent light where the plate clipped. No log inside: the log was in the loss."""

    output: ClassVar[str] = "radiance"
    half_parts: ClassVar[tuple[str, ...]] = ("encoder", "bottom", "decoder", "fuse", "head")
    vgg_mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.white = 255.0  # the size of light inside the encoder
        self.register_buffer("vgg_mean", torch.tensor(VGG_MEAN)[:, None, None], persistent=False)
        inputs = (3, *(widths[-1] for widths in VGG16))
        self.encoder = nn.ModuleList(_level(a, widths) for a, widths in zip(inputs, VGG16, strict=False))
        self.bottom = nn.Conv2d(512, 512, 3, padding=1)
        self.bottom_norm = nn.BatchNorm2d(512, eps=EPSILON)
        skips = [widths[-1] for widths in reversed(VGG16)]  # 512, 512, 256, 128, 64 at 1/16 .. 1/1
        self.decoder = nn.ModuleList(Decode(a, b) for a, b in zip([512, *skips[:-1]], skips, strict=True))
        self.fuse = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width in skips)
        self.head = nn.Conv2d(64, 3, 1)
        self.head_norm = nn.BatchNorm2d(3, eps=EPSILON)
        self.fuse_picture = nn.Conv2d(6, 3, 1)

    def make_ready_for_half(self) -> None:
        """Let light be 1 inside the encoder, as it is in the skips: VGG16's own features reach thousands."""
        fold(self, "bottom", "bottom_norm")
        for part in self.encoder.modules():
            if isinstance(part, nn.Conv2d) and part.bias is not None:
                part.bias.data /= self.white
        self.bottom.weight.data *= self.white
        self.vgg_mean = self.vgg_mean / self.white
        self.white = 1.0

    def example_inputs(self) -> dict[str, Tensor]:
        return {"linear": torch.zeros(1, 3, 64, 96)}

    def forward(self, linear: Tensor) -> Tensor:
        """N x 3 x H x W, scene-linear, 0..1 -> the same shape, >= 0: times the clip mask, to be added."""
        height, width = linear.shape[-2:]
        picture = continue_edges(linear, 32)
        x = self.as_trunk(self.white * picture.flip(1) - self.vgg_mean)  # N, 3, H, W, BGR
        skips = []
        for level in self.encoder:
            x = level(x)
            skips.append(x / self.white)  # N, VGG16[i][-1], H / 2^i, W / 2^i
            x = F.max_pool2d(x, 2)
        x = torch.relu(self.bottom_norm(self.bottom(x)))  # N, 512, H / 32, W / 32
        for decode, fuse, skip in zip(self.decoder, self.fuse, reversed(skips), strict=True):
            x = fuse(torch.cat([decode(x), skip], dim=1))  # the shape of skip
        x = torch.relu(self.head_norm(in_float32(self.head(x))))  # N, 3, H, W
        return torch.relu(self.fuse_picture(torch.cat([x, picture], dim=1)))[..., :height, :width]
