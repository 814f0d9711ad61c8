"""Camera responses to train with: the measured ones (DoRF), mixtures of them, and what digital cameras write.

Source: Grossberg and Nayar, "What is the Space of Camera Response Functions?", CVPR 2003. All curves are inverse
responses of 1024 samples, see `hdrnodes.camera.response`.
"""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hdrnodes.camera.constants import constant
from hdrnodes.camera.response import SAMPLES, constrain_curve, invert_response
from hdrnodes.curve import Curve
from hdrnodes.errors import ReadError
from hdrnodes.training.randomness import normal, uniform

HELD_OUT = 30  # of the measured curves, for validation only


def measured_responses(file: Path) -> tuple[Tensor, Tensor]:
    """The measured inverse responses of a `dorf_*.npz`: those to train with, and `HELD_OUT` that no training sees.

    Raises:
        ReadError: it cannot be read, or does not hold `inverse`, N x 1024, with more than `HELD_OUT` of them.
    """
    remedy = f"give an .npz with `inverse`, N x {SAMPLES}, N above {HELD_OUT}"
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
            measured = np.asarray(archive["inverse"], np.float32)
    except (OSError, ValueError, LookupError, TypeError, EOFError, BadZipFile) as error:
        raise ReadError(file, f"holds no measured responses ({error})", remedy) from error
    if measured.ndim != 2 or measured.shape[1] != SAMPLES or len(measured) <= HELD_OUT:
        raise ReadError(file, f"holds responses of the shape {measured.shape}", remedy)
    inverse = constrain_curve(torch.from_numpy(measured))
    order = torch.from_numpy(np.random.default_rng(2003).permutation(len(inverse)))
    return inverse[order[HELD_OUT:]], inverse[order[:HELD_OUT]]


class Responses:
    """Draws curves: measured ones, mixtures of two of them, and transfer functions with an S-curve on top."""

    def __init__(self, measured: Tensor, device: torch.device | str = "cpu") -> None:
        self.measured = measured.to(device)

    def draw(self, n: int, random: torch.Generator, channels: int = 1) -> Tensor:
        """N x channels x 1024 inverse responses, `random` on their device. Some differ between channels, as one
        camera's do."""
        kind = uniform(random, n, 1)
        one, other = torch.randint(len(self.measured), (2, n), generator=random, device=random.device)
        share = uniform(random, n, 1) * 0.5 * (uniform(random, n, 1) < 0.75)
        film = self.measured[one] * (1 - share) + self.measured[other] * share
        curves = torch.where(kind < 0.7, film, transfer_functions(n, random))
        # A bend that no set of curves has, so that the next camera is not outside what was seen.
        bend = torch.exp(normal(random, n, 1) * 0.1)
        curves = constrain_curve(curves**bend)[:, None]  # N x 1 x S
        if channels == 1:
            return curves
        apart = torch.exp(normal(random, n, channels, 1) * 0.05)
        apart = torch.where(uniform(random, n, 1, 1) < 0.3, apart, torch.ones_like(apart))
        return constrain_curve(curves**apart)


def transfer_functions(n: int, random: torch.Generator) -> Tensor:
    """N x 1024: inverses of sRGB, BT.709 and pure gammas, half of them with an S-shaped tone curve on top."""
    display = torch.linspace(0, 1, SAMPLES, device=random.device).expand(n, -1)
    strength = normal(random, n, 1) * 0.25 * (uniform(random, n, 1) < 0.5)
    middle = 0.35 + 0.3 * uniform(random, n, 1)
    # Undo an S: a gain that pulls display values away from the middle, the ends held.
    toned = display - strength * display * (1 - display) * torch.tanh((display - middle) * 4)
    srgb, bt709 = (invert_response(toned, constant(toned, _named, name)) for name in ("srgb", "bt709"))
    gamma = toned.clamp(min=0) ** (1.6 + 0.9 * uniform(random, n, 1))
    kind = uniform(random, n, 1)
    return constrain_curve(torch.where(kind < 0.5, srgb, torch.where(kind < 0.75, bt709, gamma)))


def _named(name: str) -> npt.NDArray[np.float32]:
    return Curve.named(name).samples[0]
