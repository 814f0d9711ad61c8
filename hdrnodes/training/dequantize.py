"""Train `dequantize`: L2 against the plate before noise, rounding and JPEG (Liu et al., section 3.1)."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from hdrnodes.training.plates import PlateMaker, Plates
from hdrnodes.training.validation_plates import ValidationSet


def squared_codes(found: Tensor, plates: Plates) -> Tensor:
    """Mean squared error in 8-bit codes, where the plate did not clip."""
    unclipped = (plates.light < 1).float()
    return ((found - plates.display).square() * unclipped).sum() / unclipped.sum().clamp(min=1) * 255**2


class DequantizeStage:
    """What `loop.train` needs for this stage. The score is the mean gain over the plate in dB, its sign turned."""

    def __init__(self, maker: PlateMaker, validation: ValidationSet, batch: int) -> None:
        self.maker, self.batch, self.validation = maker, batch, validation.plates

    def step(self, network: nn.Module, random: torch.Generator) -> dict[str, Tensor]:
        plates = self.maker.draw(self.batch, random)
        error = squared_codes(network(plates.codes), plates)
        # A noisy plate has a hundred times the error of a clean one; the root keeps the clean ones in view.
        return {"loss": torch.sqrt(error + 1e-3), "squared": error, "plate": squared_codes(plates.codes, plates)}

    def validate(self, network: nn.Module) -> dict[str, float]:
        gains = []
        for plates in self.validation:
            before, after = squared_codes(plates.codes, plates), squared_codes(network(plates.codes), plates)
            gains.append(10 * math.log10(float(before) / max(float(after), 1e-9)))
        return {"score": -float(np.mean(gains)), "least": float(np.min(gains))}
