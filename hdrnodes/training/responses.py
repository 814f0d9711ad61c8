"""Camera responses to train with: the measured ones (DoRF), mixtures of them, and what digital cameras write.

Source: Grossberg and Nayar, "What is the Space of Camera Response Functions?", CVPR 2003. All curves are inverse
responses of 1024 samples, see `hdrnodes.camera.response`.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hdrnodes.camera.response import SAMPLES, constrain_curve, invert_response
from hdrnodes.curve import Curve

HELD_OUT = 30  # of the measured curves, for validation only


def measured_responses(file: Path) -> tuple[Tensor, Tensor]:
    """The measured inverse responses of a `dorf_*.npz`: those to train with, and `HELD_OUT` that no training sees."""
    with np.load(file) as archive:
        inverse = constrain_curve(torch.from_numpy(archive["inverse"]))
    order = torch.from_numpy(np.random.default_rng(2003).permutation(len(inverse)))
    return inverse[order[HELD_OUT:]], inverse[order[:HELD_OUT]]


class Responses:
    """Draws curves: measured ones, mixtures of two of them, and transfer functions with an S-curve on top."""

    def __init__(self, measured: Tensor) -> None:
        self.measured = measured

    def draw(self, n: int, random: torch.Generator, channels: int = 1) -> Tensor:
        """N x channels x 1024 inverse responses. Some differ between channels, as one camera's do."""
        kind = torch.rand(n, 1, generator=random)
        one, other = torch.randint(len(self.measured), (2, n), generator=random)
        share = torch.rand(n, 1, generator=random) * 0.5 * (torch.rand(n, 1, generator=random) < 0.25)
        film = self.measured[one] * (1 - share) + self.measured[other] * share
        curves = torch.where(kind < 0.7, film, transfer_functions(n, random))
        # A bend that no set of curves has, so that the next camera is not outside what was seen.
        bend = torch.exp(torch.randn(n, 1, generator=random) * 0.04)
        curves = constrain_curve(curves**bend)[:, None]  # N x 1 x S
        if channels == 1:
            return curves
        apart = torch.exp(torch.randn(n, channels, 1, generator=random) * 0.05)
        apart = torch.where(torch.rand(n, 1, 1, generator=random) < 0.3, apart, torch.ones_like(apart))
        return constrain_curve(curves**apart)


def transfer_functions(n: int, random: torch.Generator) -> Tensor:
    """N x 1024: inverses of sRGB, BT.709 and pure gammas, half of them with an S-shaped tone curve on top."""
    display = torch.linspace(0, 1, SAMPLES).expand(n, -1)
    strength = torch.randn(n, 1, generator=random) * 0.25 * (torch.rand(n, 1, generator=random) < 0.5)
    middle = 0.35 + 0.3 * torch.rand(n, 1, generator=random)
    # Undo an S: a gain that pulls display values away from the middle, the ends held.
    toned = display - strength * display * (1 - display) * torch.tanh((display - middle) * 4)
    srgb, bt709 = (invert_response(toned, torch.tensor(Curve.named(name).samples[0])) for name in ("srgb", "bt709"))
    gamma = toned.clamp(min=0) ** (1.6 + 0.9 * torch.rand(n, 1, generator=random))
    kind = torch.rand(n, 1, generator=random)
    return constrain_curve(torch.where(kind < 0.5, srgb, torch.where(kind < 0.75, bt709, gamma)))
