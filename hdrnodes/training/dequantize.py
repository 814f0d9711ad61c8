"""Train `dequantize`: L2 against the plate before noise, rounding and JPEG (Liu et al., section 3.1)."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from hdrnodes.training.plates import PlateMaker, Plates
from hdrnodes.training.validation_plates import ValidationSet


def squared_codes(found: Tensor, plates: Plates) -> Tensor:
    """Mean squared error of each plate, in 8-bit codes, where it did not clip; N values."""
    unclipped = (plates.light < 1).float()
    error = ((found - plates.display) * 255).square() * unclipped
    return error.sum(dim=(1, 2, 3)) / unclipped.sum(dim=(1, 2, 3)).clamp(min=1)


class DequantizeStage:
    """What `loop.train` needs for this stage. The score is the mean gain over the plate in dB, its sign turned."""

    def __init__(self, maker: PlateMaker, validation: ValidationSet, batch: int) -> None:
        self.maker, self.batch, self.validation = maker, batch, validation.plates

    def step(self, network: nn.Module, random: torch.Generator) -> dict[str, Tensor]:
        plates = self.maker.draw(self.batch, random)
        error = squared_codes(network(plates.codes), plates)
        before = squared_codes(plates.codes, plates)
        # A noisy plate has a hundred times the error of a clean one, and clean ones must not come back worse than they
        # were: the root of each, against what it was.
        share = torch.sqrt((error + 1e-3) / (before + 1e-3))
        return {"loss": share.mean(), "squared": error.mean(), "plate": before.mean()}

    def validate(self, network: nn.Module) -> dict[str, float]:
        gains = []
        for plates in self.validation:
            before, after = squared_codes(plates.codes, plates), squared_codes(network(plates.codes), plates)
            gains.append(10 * math.log10(float(before) / max(float(after), 1e-9)))
        return {"score": -float(np.mean(gains)), "least": float(np.min(gains))}
