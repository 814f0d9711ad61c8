"""Radiance for what clipped, in two parts: the whole frame reduced says how bright, the pixels say where.

    context  = overview(linear, reduced)                                    once a frame, constant cost
    stops    = context's first three channels + local(linear, context)      tile by tile, small reach
    radiance = gate(linear) * (2^stops - 1)                                 stops <= ceiling

Only the first part needs to see far, and it sees the whole frame at any size; so tiles meet without a seam. The gate
keeps channels that did not clip as they are: a red lamp keeps its green. Networks see log2 light and predict it.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrnodes.networks.base import StageNetwork
from hdrnodes.networks.default.blocks import Convs, UNet, in_rows, look_up, power_of_two
from hdrnodes.networks.edges import continue_edges

CEILING = 12.0  # stops over the clip level: the sun over a plate exposed for its shadows
CONTEXT = 16  # channels
NEIGHBOURHOODS = (5, 9, 17, 33, 65)  # pixels of the reduced frame


def light_features(linear: Tensor) -> Tensor:
    """What the networks look at: log2 of the light, and how close to clipping each channel is. N x 6 x H x W."""
    stops = torch.log2(linear.clamp(0, 1) + 2.0**-8) / 4 + 1
    return torch.cat([stops, ((linear - 0.8) * 5).clamp(0, 1)], dim=1)


def _clipped_around(linear: Tensor) -> Tensor:
    """How much of each neighbourhood clipped: deep inside a clipped area, where suns are, all of it. N x 5 x H x W."""
    clipped = ((linear.amax(dim=1, keepdim=True) - 0.9) * 10).clamp(0, 1)
    shares = []
    for size in NEIGHBOURHOODS:
        rim = size // 2
        padded = F.pad(clipped, (rim, rim, rim, rim), mode="replicate")
        # Down, then across: a square of 65 takes 130 sums a pixel in place of 4225.
        shares.append(F.avg_pool2d(F.avg_pool2d(padded, (size, 1), stride=1), (1, size), stride=1))
    return torch.cat(shares, dim=1)


class HallucinateOverview(StageNetwork):
    """Args: widths: channels at 1/1, 1/2, 1/4 ... of the reduced frame's size."""

    output = "context"
    half_parts = ("unet", "head")

    def __init__(self, widths: tuple[int, ...] = (24, 48, 96, 128, 160)) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.unet = UNet(6 + len(NEIGHBOURHOODS), self.widths, whole_frame=True)
        self.head = nn.Conv2d(self.widths[0], CONTEXT, 3, padding=1)
        nn.init.zeros_(self.head.weight[:3])
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias[:3], 1.0)  # what clipped is a stop above, to begin with

    @property
    def config(self) -> dict[str, Any]:
        return {"widths": list(self.widths)}

    def example_inputs(self) -> dict[str, Tensor]:
        return {"linear": torch.rand(1, 3, 96, 160)}

    def forward(self, linear: Tensor) -> Tensor:
        """N x 3 x h x w, scene-linear, the whole frame reduced -> N x 16 x h x w."""
        height, width = linear.shape[-2:]
        padded = continue_edges(linear, self.unet.multiple)
        x = self.unet(self.as_trunk(torch.cat([light_features(padded), _clipped_around(padded)], dim=1)))
        context: Tensor = self.head(x)
        return context[..., :height, :width].float()


class Hallucinate(StageNetwork):
    """Args: widths: channels at 1/2 and 1/4 of the size."""

    output = "radiance"
    half_parts = ("fine", "coarse", "up", "head")

    def __init__(self, widths: tuple[int, int] = (24, 48)) -> None:
        super().__init__()
        fine, coarse = widths
        self.widths = (fine, coarse)
        self.fine = Convs(24, fine)
        self.coarse = nn.Sequential(Convs(fine + CONTEXT, coarse), Convs(coarse, coarse))
        self.up = Convs(coarse + fine, fine)
        self.head = nn.Conv2d(fine, 12, 3, padding=1)
        nn.init.zeros_(self.head.weight)

    @property
    def config(self) -> dict[str, Any]:
        return {"widths": list(self.widths)}

    def example_inputs(self) -> dict[str, Tensor]:
        return {
            "linear": torch.rand(1, 3, 96, 128),
            "context": torch.rand(1, CONTEXT, 48, 80),
            "window": torch.tensor([[0.0, 0.0, 1.0, 1.0]]),
        }

    def forward(self, linear: Tensor, context: Tensor, window: Tensor) -> Tensor:
        """N x 3 x H x W scene-linear, the frame's context, where the tile stands in it -> radiance, N x 3 x H x W."""
        height, width = linear.shape[-2:]
        padded = continue_edges(linear, 4)
        rows, columns = padded.shape[-2:]
        fine = self.fine(F.pixel_unshuffle(self.as_trunk(light_features(padded)), 2))
        around = look_up(context, window, (height, width), (rows // 4, columns // 4), every=4).to(fine.dtype)
        x = self.coarse(torch.cat([F.avg_pool2d(fine, 2), around], dim=1))
        x = self.up(torch.cat([F.interpolate(x, scale_factor=2.0, mode="bilinear"), fine], dim=1))
        fours = self.head(x).float().unflatten(1, (3, 4))  # of each channel, the pixels of a square of two by two
        mean = fours.mean(dim=2, keepdim=True)
        detail = F.pixel_shuffle((fours - mean).flatten(1, 2), 2)[..., :height, :width]
        # At half the size, then doubled: the context is coarse, and looking it up costs more than a convolution.
        base = look_up(context[:, :3], window, (height, width), (rows // 2, columns // 2), every=2) + mean[:, :, 0]
        base = F.interpolate(base, scale_factor=2.0, mode="bilinear")[..., :height, :width]
        # Where all channels clipped the pixels say nothing: what differs among four there is a pattern, not detail.
        told = ((0.9 - linear.amin(dim=1, keepdim=True)) * 10).clamp(0, 1)
        # Leaky below zero: a plain floor has no gradient, and a network that once falls under it stays there.
        stops = CEILING * torch.tanh(F.leaky_relu(in_rows(base) + in_rows(told * detail), 0.1) / CEILING)
        gate = ((in_rows(linear) - 0.5) * 2.5).clamp(0, 1)
        return (gate * (power_of_two(stops) - 1)).reshape(linear.shape)
