"""Train `linearize`: L2 of the curve and of the linear picture (Liu et al., section 3.2), and stops in the shadows."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from hdrnodes.camera.clipping import clip
from hdrnodes.camera.response import invert_response
from hdrnodes.training.board import curve_picture
from hdrnodes.training.losses import counted, per_plate, stops, weighted
from hdrnodes.training.photograph import Plates
from hdrnodes.training.plates import PlateMaker
from hdrnodes.training.recipe import LinearizeRecipe, LinearizeWeights
from hdrnodes.training.validation_plates import ValidationSet


def estimated_curve(network: nn.Module, display: Tensor, plate: Tensor | None = None) -> Tensor:
    """The network's curve for whole frames, display-referred, and the plates that they were: N x 3 x H x W -> N x 1024.

    In float32 whatever the rest is trained in: the basis rounded to bfloat16 moves each curve by 0.026 RMS (measured),
    a third of what there is to find; rounded to TF32, which a GPU may take, by 0.0001.
    """
    with torch.autocast(display.device.type, enabled=False):
        curve: Tensor = network(display.float(), *(() if plate is None else (plate.float(),)))
    return curve


def linearize_losses(
    curve: Tensor, display: Tensor, plates: Plates, weights: LinearizeWeights, counts: Tensor
) -> dict[str, Tensor]:
    """The terms that have a weight, and `loss`.

    Args:
        curve: N x 1024, found.
        display: N x 3 x H x W, what is linearised with it.
        plates: the truth.
        counts: N, how much each plate counts.
    """
    found, truth = invert_response(display, curve[:, None]), clip(plates.light)
    unclipped = (plates.light.amax(dim=1, keepdim=True) < 1).float()
    terms = curve_terms(curve, plates.curve) | {
        "picture": lambda: per_plate((found - truth).square()),
        "stops": lambda: per_plate((stops(found) - stops(truth)).abs(), unclipped),
    }
    return weighted(terms, weights, counts)


def curve_terms(curve: Tensor, truth: Tensor) -> dict[str, Callable[[], Tensor]]:
    """The terms that need no pixels: of N x 1024, found, and N x C x 1024."""
    # Where each channel has a curve of its own, all three are wanted, and one is given.
    squared = (curve[:, None] - truth).square().mean(dim=(1, 2))
    return {"curve": lambda: squared, "curve_root": lambda: torch.sqrt(squared + 1e-5)}


def curve_scores(found: Iterable[Tensor], truth: Iterable[Tensor]) -> dict[str, float]:
    """Of curves, 1 x 1024 each: the mean RMSE, which is the score, the median, the worst."""
    errors = [float((ours - theirs).square().mean().sqrt()) for ours, theirs in zip(found, truth, strict=True)]
    return {"score": float(np.mean(errors)), "median": float(np.median(errors)), "worst": float(np.max(errors))}


def curve_pictures(found: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """A plot of one curve over the other, S samples each; none where OpenImageIO, which draws it, is missing."""
    try:
        return {"curve": curve_picture(found, truth)}
    except ImportError:
        return {}


class LinearizeStage:
    """What `loop.train` needs for this stage. The score is the curve's RMSE on plates as they are."""

    def __init__(self, maker: PlateMaker, validation: ValidationSet, recipe: LinearizeRecipe) -> None:
        self.maker, self.recipe, self.batch = maker, recipe, recipe.batch
        self.validation = [(plates.codes, plates.curve[:, 0]) for plates in validation.plates]

    def step(self, network: nn.Module, random: torch.Generator) -> dict[str, Tensor]:
        plates = self.maker.draw(self.batch, random)
        seen = plates.display if self.recipe.sees == "truth" else plates.codes
        curve = estimated_curve(network, seen)
        # The truth is looked up, not the noisy codes: what is judged is the curve.
        counts = counted(plates.codes, self.recipe.extremes)
        return linearize_losses(curve, plates.display, plates, self.recipe.weights, counts)

    def validate(self, network: nn.Module) -> dict[str, float]:
        found = (estimated_curve(network, codes) for codes, _ in self.validation)
        return curve_scores(found, (curve for _, curve in self.validation))

    def pictures(self, network: nn.Module) -> dict[str, Tensor]:
        """A plate, and its curve."""
        codes, curve = self.validation[0]
        return {"plate": codes[0], **curve_pictures(estimated_curve(network, codes)[0], curve[0])}
