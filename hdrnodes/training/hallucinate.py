"""Train `hallucinate`: log-domain L1, perceptual and TV (Liu et al., section 3.3); besides L2 in stops, peaks, texture.

    out = linear + clip mask * network(linear)

The published L1 alone answers with the median of what could be there, which is too dark by stops; the mean, which L2
finds, is what a root-mean-square measure asks for; neither has suns as bright as they are, or texture.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrnodes.camera.clipping import clip, clip_mask
from hdrnodes.camera.response import invert_response
from hdrnodes.training.board import exposures
from hdrnodes.training.losses import (
    counted,
    log_light,
    luminance,
    peaks_apart,
    per_plate,
    stops,
    texture_apart,
    total_variation,
    weighted,
)
from hdrnodes.training.photograph import Plates
from hdrnodes.training.plates import PlateMaker
from hdrnodes.training.randomness import normal
from hdrnodes.training.recipe import HallucinateRecipe
from hdrnodes.training.validation_plates import ValidationSet
from hdrnodes.training.vgg import VGGFeatures, perceptual_loss

CEILING = 12.0  # stops; the sun is no brighter to the loss
PEAK = 0.999  # of the pixels are darker


def with_invented(network: nn.Module, linear: Tensor) -> Tensor:
    """The linear picture, and what the network invents where it clipped. N x 3 x H x W, scene-linear.

    What is invented is no darkness: the node has a floor at 0. While the network learns it has none, for there is no
    gradient below a floor.
    """
    invented: Tensor = network(linear)
    if not invented.requires_grad:
        invented = invented.clamp(min=0)
    return linear + clip_mask(linear, channels=1) * invented


def hallucinate_losses(
    out: Tensor,
    linear: Tensor,
    plates: Plates,
    recipe: HallucinateRecipe,
    counts: Tensor,
    features: VGGFeatures | None = None,
) -> dict[str, Tensor]:
    """The terms that have a weight, and `loss`.

    Args:
        out: N x 3 x H x W, scene-linear, with what was invented.
        linear: the same before that; where it clipped is where the loss looks, unless it is over the frame.
        plates: the truth.
        recipe: the weights, what the loss is over, and what VGG16 sees of it.
        counts: N, how much each plate counts.
        features: for the perceptual term; needed where that has a weight.
    """
    light = plates.light.clamp(max=2**CEILING)
    # Detached: no stage before this one is to learn to clip less.
    alpha = clip_mask(linear.detach(), channels=1)
    if recipe.over == "clipped":
        target, where = torch.where(alpha > 0, light, linear.detach()), alpha
    else:
        target, where = light, torch.ones_like(alpha)

    def perceptual() -> Tensor:
        assert features is not None, "a perceptual weight, and no features"
        some = max(1, round(len(out) * recipe.perceptual_share))
        mask = where * counts[:, None, None, None]
        seen = [F.avg_pool2d(each[:some], recipe.perceptual_reduced) for each in (out, target, mask)]
        # One mean over the masks of all, which leaves out what does not count.
        return perceptual_loss(features, *seen).expand(len(out))

    terms = {
        "log": lambda: per_plate((log_light(out) - log_light(target)).abs(), where),
        "squared": lambda: per_plate((stops(out) - stops(target)).square(), where),
        "tv": lambda: total_variation(log_light(out), where),
        "perceptual": perceptual,
        "peak": lambda: peaks_apart(out, target, alpha),
        "texture": lambda: texture_apart(out, target, alpha),
    }
    return weighted(terms, recipe.weights, counts)


class HallucinateStage:
    """What `loop.train` needs for this stage. The score is the error inside the clipped region, RMS stops."""

    def __init__(
        self,
        maker: PlateMaker,
        validation: ValidationSet,
        recipe: HallucinateRecipe,
        features: VGGFeatures | None = None,
    ) -> None:
        self.maker, self.recipe, self.batch, self.features = maker, recipe, recipe.batch, features
        self.plate = validation.plates[0].codes[0]
        self.validation = [
            (invert_response(plates.codes, plates.curve), plates.light.clamp(max=2**CEILING))
            for plates in validation.plates
        ]

    def step(self, network: nn.Module, random: torch.Generator) -> dict[str, Tensor]:
        plates = self.maker.draw(self.batch, random)
        linear = clip(plates.light) if self.recipe.sees == "truth" else invert_response(plates.codes, plates.curve)
        linear = _bent(linear, self.recipe.bend, random)
        counts = counted(plates.codes, self.recipe.extremes)
        return hallucinate_losses(with_invented(network, linear), linear, plates, self.recipe, counts, self.features)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Besides the score: the plate's own error, the mean error, and that of the peak with and without its sign."""
        ours, plate, signed, peak = [], [], [], []
        for linear, light in self.validation:
            inside = light.amax(dim=1, keepdim=True) >= 1
            out = with_invented(network, linear)
            difference = _stops_apart(out, light)[inside]
            ours.append(math.sqrt(float(difference.square().mean())))
            signed.append(float(difference.mean()))
            plate.append(math.sqrt(float(_stops_apart(linear, light)[inside].square().mean())))
            peak.append(_peak(out) - _peak(light))
        return {
            "score": float(np.mean(ours)),
            "plate": float(np.mean(plate)),
            "signed": float(np.mean(signed)),
            "peak": float(np.mean(peak)),
            "peak_off": float(np.mean(np.abs(peak))),
        }

    def pictures(self, network: nn.Module) -> dict[str, Tensor]:
        """A plate; three exposures of the result, below them those of the truth."""
        linear, light = self.validation[0]
        rows = [exposures(each[0]) for each in (with_invented(network, linear), light)]
        return {"plate": self.plate, "light": torch.cat(rows, dim=1)}


def _stops_apart(found: Tensor, light: Tensor) -> Tensor:
    return torch.log2(luminance(found) + 1e-4) - torch.log2(luminance(light) + 1e-4)


def _peak(light: Tensor) -> float:
    """The 99.9th percentile of luminance, stops."""
    return math.log2(float(torch.quantile(luminance(light).flatten().float(), PEAK)) + 1e-4)


def _bent(linear: Tensor, spread: float, random: torch.Generator) -> Tensor:
    """Bent as an estimated curve may bend it: the network must not count on a true one."""
    if not spread:
        return linear
    bent: Tensor = linear.clamp(min=1e-6) ** torch.exp(normal(random, len(linear), 1, 1, 1) * spread)
    return bent
