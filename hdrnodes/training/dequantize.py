"""Train `dequantize`: L2 against the plate before noise, rounding and JPEG (Liu et al., section 3.1)."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from hdrnodes.training.losses import counted, per_plate, weighted
from hdrnodes.training.photograph import Plates
from hdrnodes.training.plates import PlateMaker
from hdrnodes.training.recipe import DequantizeRecipe, DequantizeWeights
from hdrnodes.training.validation_plates import ValidationSet

SHOWN = 8  # codes away from the truth: from black to white in a picture


def dequantize_losses(found: Tensor, plates: Plates, weights: DequantizeWeights, counts: Tensor) -> dict[str, Tensor]:
    """The terms that have a weight, and `loss`.

    Args:
        found: N x 3 x H x W, display-referred, 0..1, continuous.
        plates: what it was found in, and the truth.
        counts: N, how much each plate counts.
    """

    def share() -> Tensor:
        # A noisy plate has a hundred times the error of a clean one, and clean ones must not come back worse than they
        # were: the root of each, against what it was.
        before, after = squared_codes(plates.codes, plates), squared_codes(found, plates)
        return torch.sqrt((after + 1e-3) / (before + 1e-3))

    terms = {
        "squared": lambda: per_plate((found - plates.display).square()),
        "share": share,
        "worse": lambda: torch.relu(share() - 1),
    }
    return weighted(terms, weights, counts)


def squared_codes(found: Tensor, plates: Plates) -> Tensor:
    """Mean squared error of each plate, in 8-bit codes, where it did not clip; N values."""
    unclipped = (plates.light < 1).float()
    error = ((found - plates.display) * 255).square() * unclipped
    return error.sum(dim=(1, 2, 3)) / unclipped.sum(dim=(1, 2, 3)).clamp(min=1)


class DequantizeStage:
    """What `loop.train` needs for this stage. The score is the mean gain over the plate in dB, its sign turned."""

    def __init__(self, maker: PlateMaker, validation: ValidationSet, recipe: DequantizeRecipe) -> None:
        self.maker, self.recipe, self.batch, self.validation = maker, recipe, recipe.batch, validation.plates

    def step(self, network: nn.Module, random: torch.Generator) -> dict[str, Tensor]:
        plates = self.maker.draw(self.batch, random)
        counts = counted(plates.codes, self.recipe.extremes)
        return dequantize_losses(network(plates.codes), plates, self.recipe.weights, counts)

    def validate(self, network: nn.Module) -> dict[str, float]:
        gains = []
        for plates in self.validation:
            before, after = squared_codes(plates.codes, plates), squared_codes(network(plates.codes), plates)
            gains.append(10 * math.log10(max(float(before), 1e-9) / max(float(after), 1e-9)))
        return {"score": -float(np.mean(gains)), "least": float(np.min(gains))}

    def pictures(self, network: nn.Module) -> dict[str, Tensor]:
        """A plate; how far it is from the truth, and beside that what is left: none is grey, 8 codes black or white."""
        plates = self.validation[0]
        apart = torch.cat([plates.codes - plates.display, network(plates.codes) - plates.display], dim=-1)
        return {"plate": plates.codes[0], "left of the error": 0.5 + apart[0] * 255 / (2 * SHOWN)}
