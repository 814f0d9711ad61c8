"""Train `refine` on what the other three make of plates: alone, or all four end to end (Liu et al., section 3.4).

The losses of the stages are off; what counts is the light in the end. The loss compares shapes, not absolute levels:
both are brought to one mean (as published), or to one median where the plate did not clip.
"""

from typing import Protocol

import torch
from torch import Tensor, nn

from hdrnodes.training.board import exposures
from hdrnodes.training.hallucinate import CEILING
from hdrnodes.training.linearize import curve_pictures
from hdrnodes.training.losses import counted, log_light, luminance, per_plate, stops, weighted
from hdrnodes.training.photograph import Plates, photograph
from hdrnodes.training.recipe import RefineRecipe, RefineWeights
from hdrnodes.training.system import Answers
from hdrnodes.training.validation_plates import ValidationSet
from hdrnodes.training.whole_score import mean_scores, whole_score

MEAN = 0.5


class Shot(Protocol):
    """Plates with their light, as `plates.Plates` and `pairs.RealPlates` are."""

    @property
    def codes(self) -> Tensor: ...
    @property
    def light(self) -> Tensor: ...


class Maker(Protocol):
    def draw(self, n: int, random: torch.Generator) -> Shot: ...


def refine_losses(found: Tensor, light: Tensor, weights: RefineWeights, counts: Tensor) -> dict[str, Tensor]:
    """The terms that have a weight, and `loss`.

    Args:
        found, light: N x 3 x H x W, scene-linear; 1.0 is where the plate clips.
        counts: N, how much each plate counts.
    """
    light = light.clamp(max=2**CEILING)
    terms = {
        "log": lambda: per_plate((log_light(_levelled(found)) - log_light(_levelled(light))).abs()),
        "stops": lambda: per_plate(_stops_apart(found, light).abs()),
    }
    return weighted(terms, weights, counts)


class RefineStage:
    """What `loop.train` needs. The network is a `System` of four.

    The score is RMS stops inside and outside what clipped, after one gain, added; `before` is that without refine.
    Every other plate is as a camera writes it that tone-maps locally and sharpens.

    Args:
        maker: of plates like a real camera's.
        real: of photographs; takes the recipe's share of each step.
    """

    def __init__(
        self, maker: Maker, validation: ValidationSet, recipe: RefineRecipe, real: Maker | None = None
    ) -> None:
        self.maker, self.real, self.recipe, self.batch = maker, real, recipe, recipe.batch
        self.validation = half_processed(validation.plates)

    def step(self, network: nn.Module, random: torch.Generator) -> dict[str, Tensor]:
        codes, light = self._draw(random)
        answers: Answers = network(codes)
        counts = counted(codes, self.recipe.extremes)
        losses = refine_losses(answers.refined, light, self.recipe.weights, counts)
        with torch.no_grad():
            before = refine_losses(answers.hallucinated, light, self.recipe.weights, counts)["loss"]
        return {**losses, "before": before}

    def validate(self, network: nn.Module) -> dict[str, float]:
        scores = []
        for plates in self.validation:
            answers: Answers = network(plates.codes)
            before = whole_score(answers.hallucinated, plates.light, plates.codes)["score"]
            scores.append(whole_score(answers.refined, plates.light, plates.codes) | {"before": before})
        return mean_scores(scores)

    def pictures(self, network: nn.Module) -> dict[str, Tensor]:
        """A plate; three exposures of the result, below them those without refine, and of the truth; the curve."""
        plates = self.validation[0]
        answers: Answers = network(plates.codes)
        rows = [exposures(each[0]) for each in (answers.refined, answers.hallucinated, plates.light)]
        curve = curve_pictures(answers.curve[0], plates.curve[0, 0])
        return {"plate": plates.codes[0], "light": torch.cat(rows, dim=1), **curve}

    def _draw(self, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Codes and light, made ones first."""
        real = 0 if self.real is None else round(self.batch * self.recipe.real)
        shots = [self.maker.draw(self.batch - real, random)] if real < self.batch else []
        if self.real is not None and real:
            shots.append(self.real.draw(real, random))
        codes, light = (torch.cat(each) for each in zip(*((shot.codes, shot.light) for shot in shots), strict=True))
        return codes, light


def half_processed(plates: list[Plates]) -> list[Plates]:
    """Every other plate shot again, by a camera that tone-maps locally and sharpens; always the same ones."""
    random = torch.Generator().manual_seed(20200614)
    processed = [
        photograph(each.light.cpu(), each.curve.cpu(), torch.tensor([False]), 1.0, random) for each in plates[1::2]
    ]
    shot = list(plates)
    shot[1::2] = [new.to(old.codes.device) for new, old in zip(processed, plates[1::2], strict=True)]
    return shot


def _levelled(light: Tensor) -> Tensor:
    """At a mean of 0.5, each plate."""
    return light * (MEAN / light.mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6))


def _stops_apart(found: Tensor, light: Tensor) -> Tensor:
    """Difference in stops after the gain that brings what did not clip to one median, N x 3 x H x W."""
    level = (stops(luminance(found)) - stops(luminance(light))).detach()
    unclipped = light.amax(dim=1, keepdim=True) < 1
    over_all = level.flatten(1).median(dim=1).values
    gain = level.masked_fill(~unclipped, torch.nan).flatten(1).nanmedian(dim=1).values
    gain = torch.where(gain.isnan(), over_all, gain)
    return stops(found) - stops(light) - gain[:, None, None, None]
