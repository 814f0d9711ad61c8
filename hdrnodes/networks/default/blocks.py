"""What the networks of `default` share."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrnodes.networks.base import in_float32


class FrameNorm(nn.GroupNorm):
    """Normalised over the frame, by statistics in float32 where the trunk is half: squares overflow it."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(in_float32(x)).to(x.dtype) if x.dtype == torch.float16 else super().forward(x)


class Convs(nn.Module):
    """Two 3 x 3 convolutions, the second a residual.

    Args:
        before, after: channels.
        normalised: over the frame, in eight groups of channels; not for networks that are fed tiles.
    """

    def __init__(self, before: int, after: int, normalised: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.first_norm, self.second_norm = (FrameNorm(8, after) if normalised else nn.Identity() for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.first_norm(self.first(x)))
        return x + F.silu(self.second_norm(self.second(x)))


class UNet(nn.Module):
    """Convolutions at 1/1, 1/2, 1/4 ... of the size, and back up with skips; sizes must be multiples of `multiple`.

    Args:
        before: channels in.
        widths: channels at each scale; as many come out as `widths[0]`.
        whole_frame: it is only ever fed whole frames: the mean over the frame is mixed into the coarsest scale, and
            the convolutions are normalised (without that, this depth blows up: measured).
    """

    def __init__(self, before: int, widths: tuple[int, ...], whole_frame: bool = False) -> None:
        super().__init__()
        self.down = nn.ModuleList(Convs(a, b, whole_frame) for a, b in zip((before, *widths), widths, strict=False))
        coarse_to_fine = list(zip(reversed(widths[1:]), reversed(widths[:-1]), strict=True))
        self.up = nn.ModuleList(Convs(a + b, b, whole_frame) for a, b in coarse_to_fine)
        self.pool = nn.Linear(widths[-1], widths[-1]) if whole_frame else None
        self.multiple = 2 ** (len(widths) - 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for level, convs in enumerate(self.down):
            x = convs(x if level == 0 else F.avg_pool2d(x, 2))
            skips.append(x)
        if self.pool is not None:
            x = x + self.pool(in_float32(x).mean(dim=(2, 3))).to(x.dtype)[:, :, None, None]
        for convs, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            x = convs(torch.cat([F.interpolate(x, scale_factor=2.0, mode="bilinear"), skip], dim=1))
        return x


def silent_conv(before: int, after: int) -> nn.Conv2d:
    """A 3 x 3 convolution that answers zero until it is trained: a stage then starts by changing nothing."""
    conv = nn.Conv2d(before, after, 3, padding=1)
    for parameter in conv.parameters():
        nn.init.zeros_(parameter)
    return conv


def look_up(context: Tensor, window: Tensor, size: tuple[int, int], samples: tuple[int, int], every: int = 1) -> Tensor:
    """Sample a map of the whole frame where a tile stands, bilinearly.

    Args:
        context: N x C x h x w, the whole frame of each.
        window: N x 4: top, left, bottom, right of the tile, in parts of the frame.
        size: height and width of the tile, pixels.
        samples: how many, down and across; they may go beyond the tile, where it is padded.
        every: pixels from one sample to the next.

    Returns:
        N x C x samples.
    """

    def centres(count: int, pixels: int, first: Tensor, last: Tensor) -> Tensor:
        # Nothing here is made of Python's numbers and copied to the device: no CUDA graph could record that.
        along = (torch.arange(count, device=context.device, dtype=torch.float32) + 0.5) * every / pixels
        return (first + along * (last - first)) * 2 - 1

    height, width = samples
    y = centres(height, size[0], window[:, 0:1], window[:, 2:3])  # N x height, -1..1
    x = centres(width, size[1], window[:, 1:2], window[:, 3:4])
    n = window.shape[0]
    grid = torch.stack([x[:, None, :].expand(n, height, width), y[:, :, None].expand(n, height, width)], dim=-1)
    return F.grid_sample(context.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)


def in_rows(x: Tensor) -> Tensor:
    """N x all of it: for formulas on single numbers, behind convolutions.

    OpenVINO has channels last there, and of three it computes three numbers at a time: so, the last lines of
    hallucinate took 13 % of its time (measured).
    """
    return x.flatten(1)


def power_of_two(stops: Tensor) -> Tensor:
    """2^stops, as an exponential: runtimes have a fast one, and take exp2 for a general power, ten times as slow."""
    return torch.exp(stops * math.log(2))
