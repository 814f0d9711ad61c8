"""The camera response from what one picture tells of it, in numbers that do not say what the picture shows.

    numbers = statistics(display, reduced), edges, transitions, noise      the last three: `hdrnodes.camera.evidence`
    weights = mlp(numbers)
    curve   = constrain(mean + weights . directions)

A convolutional network of the usual kind learns the training scenes by heart here and fails on others (measured, see
engines/TRAINING.md); these numbers leave it no scene to learn. Basis and constraint: Liu et al., CVPR 2020.
"""

from typing import Any

import torch
from torch import Tensor, nn

from hdrnodes.camera.basis import DIRECTIONS, response_basis
from hdrnodes.camera.edges import COUNT as EDGES
from hdrnodes.camera.noise_levels import COUNT as NOISE
from hdrnodes.camera.response import constrain_curve
from hdrnodes.camera.transitions import COUNT as TRANSITIONS
from hdrnodes.networks.base import StageNetwork
from hdrnodes.networks.default.statistics import COUNT as STATISTICS
from hdrnodes.networks.default.statistics import statistics

WITHOUT_NOISE = 0.15  # share of the plates in training whose noise is not told


class Linearize(StageNetwork):
    """Display-referred picture -> inverse response. Args: width: of the hidden layers."""

    output = "curve"
    mean: Tensor
    directions: Tensor
    spread: Tensor

    def __init__(self, width: int = 192) -> None:
        super().__init__()
        self.width = width
        count = STATISTICS + EDGES + TRANSITIONS + NOISE
        self.normalise = nn.BatchNorm1d(count, affine=False)
        self.mlp = nn.Sequential(
            nn.Linear(count, width),
            nn.SiLU(),
            nn.Dropout(0.3),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Dropout(0.3),
            nn.Linear(width, DIRECTIONS),
        )
        basis = response_basis()
        self.register_buffer("mean", torch.tensor(basis.mean))
        self.register_buffer("directions", torch.tensor(basis.directions))
        self.register_buffer("spread", torch.tensor(basis.spread))

    @property
    def config(self) -> dict[str, Any]:
        return {"width": self.width}

    def example_inputs(self) -> dict[str, Tensor]:
        return {
            "display": torch.rand(1, 3, 128, 192),
            "edges": torch.zeros(1, EDGES),
            "transitions": torch.zeros(1, TRANSITIONS),
            "noise": torch.zeros(1, NOISE),
        }

    def forward(self, display: Tensor, edges: Tensor, transitions: Tensor, noise: Tensor) -> Tensor:
        """Of N frames: N x 3 x h x w float32, reduced, 0..1; N x EDGES, TRANSITIONS, NOISE, what is found at full size.

        Returns:
            N x 1024, rising from 0 to 1.
        """
        return self.curve(self.numbers(display, edges, transitions, noise))

    @torch.no_grad()
    def numbers(self, display: Tensor, edges: Tensor, transitions: Tensor, noise: Tensor) -> Tensor:
        """What is told of each frame, N x (STATISTICS + EDGES + TRANSITIONS + NOISE); nothing is learned here."""
        return torch.cat([statistics(display.float()), edges.float(), transitions.float(), noise.float()], dim=1)

    def train(self, mode: bool = True) -> "Linearize":
        super().train(mode)
        self.normalise.eval()  # the mean and spread of a batch would be one more noise
        return self

    def normalise_by(self, numbers: Tensor) -> None:
        """Take mean and spread of the numbers from those of many plates; without it they are taken as they are."""
        variance, mean = torch.var_mean(numbers, dim=0)
        for own, found in ((self.normalise.running_mean, mean), (self.normalise.running_var, variance.clamp(min=1e-6))):
            assert own is not None
            own.copy_(found)

    def curve(self, numbers: Tensor) -> Tensor:
        """N x (STATISTICS + EDGES + TRANSITIONS + NOISE) -> N x 1024."""
        told = self.normalise(numbers).clamp(-4, 4)
        if self.training:  # no scene is to be known by its exact numbers
            told = told + 0.1 * torch.randn_like(told)
            # Nor is noise to be relied on: denoised plates have none of it.
            heard = torch.rand(len(told), 1, device=told.device) > WITHOUT_NOISE
            told = torch.cat([told[:, :-NOISE], told[:, -NOISE:] * heard], dim=1)
        weights = self.mlp(told).float() * self.spread
        return constrain_curve(self.mean + weights @ self.directions)
