"""The camera response from statistics of one reduced picture.

    weights = mlp(statistics(display))
    curve   = constrain(mean + weights . directions)

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
    """Display-referred picture -> inverse response. Args: width: of the hidden layers."""

    output = "curve"
    mean: Tensor
    directions: Tensor
    spread: Tensor

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.width = width
        self.normalise = nn.BatchNorm1d(COUNT, affine=False, momentum=0.02)
        self.mlp = nn.Sequential(
            nn.Linear(COUNT, width),
            nn.SiLU(),
            nn.Dropout(0.3),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Dropout(0.3),
            nn.Linear(width, DIRECTIONS),
        )
        self.register_buffer("mean", torch.zeros(SAMPLES))
        self.register_buffer("directions", torch.zeros(DIRECTIONS, SAMPLES))
        self.register_buffer("spread", torch.ones(DIRECTIONS))

    @property
    def config(self) -> dict[str, Any]:
        return {"width": self.width}

    def example_inputs(self) -> dict[str, Tensor]:
        return {"display": torch.rand(1, 3, 128, 192)}

    def use_basis(self, mean: np.ndarray, directions: np.ndarray, spread: np.ndarray) -> None:
        """Set the response basis: (1024,), (11, 1024), and the usual size of each weight (11,)."""
        for buffer, value in ((self.mean, mean), (self.directions, directions), (self.spread, spread)):
            buffer.copy_(torch.from_numpy(value))

    def forward(self, display: Tensor) -> Tensor:
        """N x 3 x h x w float32, the whole frame, reduced; 0..1 -> N x 1024, rising from 0 to 1."""
        with torch.no_grad():  # nothing to learn up to here
            numbers = statistics(display.float())
        told = self.normalise(numbers).clamp(-4, 4)
        if self.training:  # no scene is to be known by its exact numbers
            told = told + 0.1 * torch.randn_like(told)
        weights = self.mlp(told).float() * self.spread
        return constrain_curve(self.mean + weights @ self.directions)
