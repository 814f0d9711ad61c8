"""The camera response from statistics of one reduced picture.

    weights = mlp(statistics(display))                      for each member of a small committee
    curve   = constrain(mean + weights . directions)        averaged over its members

A convolutional network of the usual kind learns the training scenes by heart here and fails on others (measured, see
engines/TRAINING.md); the statistics leave it no scene to learn. Basis and constraint: Liu et al., CVPR 2020.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hdrnodes.camera.response import SAMPLES, constrain_curve
from hdrnodes.networks.base import StageNetwork
from hdrnodes.networks.default.statistics import COUNT, statistics

DIRECTIONS = 11


class Linearize(StageNetwork):
    """Display-referred picture -> inverse response.

    Args:
        width: of the hidden layers.
        members: MLPs whose curves are averaged.
    """

    output = "curve"
    mean: Tensor
    directions: Tensor
    spread: Tensor

    def __init__(self, width: int = 128, members: int = 4) -> None:
        super().__init__()
        self.width, self.members = width, members
        self.normalise = nn.BatchNorm1d(COUNT, affine=False, momentum=0.02)
        self.committee = nn.ModuleList(_mlp(width) for _ in range(members))
        self.register_buffer("mean", torch.zeros(SAMPLES))
        self.register_buffer("directions", torch.zeros(DIRECTIONS, SAMPLES))
        self.register_buffer("spread", torch.ones(DIRECTIONS))

    @property
    def config(self) -> dict[str, Any]:
        return {"width": self.width, "members": self.members}

    def example_inputs(self) -> dict[str, Tensor]:
        return {"display": torch.rand(1, 3, 128, 192)}

    def use_basis(self, mean: np.ndarray, directions: np.ndarray, spread: np.ndarray) -> None:
        """Set the response basis: (1024,), (11, 1024), and the usual size of each weight (11,)."""
        for buffer, value in ((self.mean, mean), (self.directions, directions), (self.spread, spread)):
            buffer.copy_(torch.from_numpy(value))

    def forward(self, display: Tensor) -> Tensor:
        """N x 3 x h x w float32, the whole frame, reduced; 0..1 -> N x 1024, rising from 0 to 1."""
        return self.members_curves(display).mean(dim=0)  # a mean of curves that rise from 0 to 1 is one, too

    def members_curves(self, display: Tensor) -> Tensor:
        """What each member says for itself, members x N x 1024; each is trained by itself."""
        with torch.no_grad():  # nothing to learn up to here
            numbers = statistics(display.float())
        told = self.normalise(numbers).clamp(-4, 4)
        return torch.stack([self._curve(member, told) for member in self.committee])

    def _curve(self, member: nn.Module, told: Tensor) -> Tensor:
        if self.training:  # no scene is to be known by its exact numbers
            told = told + 0.1 * torch.randn_like(told)
        weights = member(told).float() * self.spread
        return constrain_curve(self.mean + weights @ self.directions)


def _mlp(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(COUNT, width),
        nn.SiLU(),
        nn.Dropout(0.3),
        nn.Linear(width, width),
        nn.SiLU(),
        nn.Dropout(0.3),
        nn.Linear(width, DIRECTIONS),
    )
