"""The camera response from one reduced picture: statistics of small neighbourhoods, pooled over the frame.

    features -> three convolutional levels -> means and spreads over the frame -> weights of the response basis
    curve = constrain(mean + weights . directions)

It sees no more than a few dozen pixels around each place and pools over all of them: what stands where in a scene says
nothing of the camera, and a network that sees it learns scenes. The features are those of Liu et al. (CVPR 2020): the
picture, its edges, soft histograms; edges matter most, as colours mix linearly across them in scene-linear light only.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrnodes.camera.response import SAMPLES, constrain_curve
from hdrnodes.networks.base import StageNetwork

DIRECTIONS = 11


class Linearize(StageNetwork):
    """Display-referred picture -> inverse response.

    Args:
        widths: channels at 1/2, 1/4 and 1/8 of the picture's size.
        bins: of the soft histograms.
    """

    output = "curve"

    def __init__(self, widths: tuple[int, ...] = (32, 64, 96), bins: int = 16) -> None:
        super().__init__()
        self.widths, self.bins = tuple(widths), bins
        features = 3 + 6 + 3 * (bins + 1)
        self.levels = nn.ModuleList(_Level(a, b) for a, b in zip((features, *widths), widths, strict=False))
        pooled = features + 2 * sum(widths)
        self.head = nn.Sequential(
            nn.LayerNorm(pooled),
            nn.Dropout(0.2),
            nn.Linear(pooled, 256),
            nn.SiLU(),
            nn.Dropout(0.2),
            nn.Linear(256, DIRECTIONS),
        )
        self.register_buffer("mean", torch.zeros(SAMPLES))
        self.register_buffer("directions", torch.zeros(DIRECTIONS, SAMPLES))
        self.register_buffer("spread", torch.ones(DIRECTIONS))

    @property
    def config(self) -> dict[str, Any]:
        return {"widths": list(self.widths), "bins": self.bins}

    def example_inputs(self) -> dict[str, Tensor]:
        return {"display": torch.rand(1, 3, 128, 192)}

    def use_basis(self, mean: np.ndarray, directions: np.ndarray, spread: np.ndarray) -> None:
        """Set the response basis: (1024,), (11, 1024), and the usual size of each weight (11,)."""
        for buffer, value in ((self.mean, mean), (self.directions, directions), (self.spread, spread)):
            buffer.copy_(torch.from_numpy(value))

    def forward(self, display: Tensor) -> Tensor:
        """N x 3 x h x w float32, the whole frame, reduced; 0..1 -> N x 1024, rising from 0 to 1."""
        x = self._features(display)
        pooled = [x.mean(dim=(2, 3))]
        for level in self.levels:
            x = level(x)
            mean = x.float().mean(dim=(2, 3))
            spread = (x.float() - mean[:, :, None, None]).square().mean(dim=(2, 3))
            pooled += [mean, torch.sqrt(spread + 1e-6)]
        weights = self.head(torch.cat(pooled, dim=1)).float() * self.spread
        return constrain_curve(self.mean + weights @ self.directions)

    def _features(self, display: Tensor) -> Tensor:
        """Picture, Sobel edges, and for each level of a soft histogram how much of each channel lies there."""
        sobel = torch.tensor([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]], device=display.device, dtype=display.dtype)
        kernels = torch.stack([sobel, sobel.T])[:, None].repeat(3, 1, 1, 1)
        edges = F.conv2d(F.pad(display, (1, 1, 1, 1), mode="replicate"), kernels, groups=3)
        levels = torch.arange(self.bins + 1, device=display.device, dtype=display.dtype) / self.bins
        near = F.relu(1 - self.bins * (display[:, :, None] - levels[:, None, None]).abs())
        return torch.cat([display, edges, near.flatten(1, 2)], dim=1)


class _Level(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(before, after, 3, stride=2, padding=1)
        self.convs = nn.ModuleList(nn.Conv2d(after, after, 3, padding=1) for _ in range(2))
        self.norms = nn.ModuleList(nn.GroupNorm(1, after) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.reduce(x))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = x + F.silu(norm(conv(x)))
        return x
