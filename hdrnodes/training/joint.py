"""Train the first three stages together, each on what the one before it says (Liu et al., section 3.4).

The loss is the sum of the losses of the stages; gradients pass through all of them.
"""

import torch
from torch import Tensor, nn

from hdrnodes.training.board import exposures
from hdrnodes.training.dequantize import dequantize_losses
from hdrnodes.training.hallucinate import hallucinate_losses
from hdrnodes.training.linearize import curve_pictures, linearize_losses
from hdrnodes.training.losses import counted
from hdrnodes.training.plates import PlateMaker
from hdrnodes.training.recipe import Recipe
from hdrnodes.training.system import Answers
from hdrnodes.training.validation_plates import ValidationSet
from hdrnodes.training.vgg import VGGFeatures
from hdrnodes.training.whole_score import mean_scores, whole_score


class JointStage:
    """What `loop.train` needs. The network is a `System` of three.

    The score is what the whole does: RMS stops inside and outside what clipped, after one gain, added.
    """

    def __init__(
        self, maker: PlateMaker, validation: ValidationSet, recipe: Recipe, features: VGGFeatures | None = None
    ) -> None:
        self.maker, self.recipe, self.features, self.batch = maker, recipe, features, recipe.joint.batch
        self.validation = validation.plates

    def step(self, network: nn.Module, random: torch.Generator) -> dict[str, Tensor]:
        plates = self.maker.draw(self.batch, random)
        answers: Answers = network(plates.codes)
        recipe, weights = self.recipe, self.recipe.joint.weights
        counts = counted(plates.codes, recipe.joint.extremes)
        losses = {}
        if weights.dequantize:
            own = dequantize_losses(answers.dequantized, plates, recipe.dequantize.weights, counts)
            losses["dequantize"] = own
        if weights.linearize:
            own = linearize_losses(answers.curve, answers.dequantized, plates, recipe.linearize.weights, counts)
            losses["linearize"] = own
        if weights.hallucinate:
            losses["hallucinate"] = hallucinate_losses(
                answers.hallucinated, answers.linear, plates, recipe.hallucinate, counts, self.features
            )
        told = {stage: own["loss"] for stage, own in losses.items()}
        loss = sum((getattr(weights, stage) * own for stage, own in told.items()), plates.codes.new_zeros(()))
        named = {f"{stage}_{name}": value for stage, own in losses.items() for name, value in own.items()}
        return {"loss": loss, **named}

    def validate(self, network: nn.Module) -> dict[str, float]:
        scores = []
        for plates in self.validation:
            answers: Answers = network(plates.codes)
            curve = float((answers.curve[:, None] - plates.curve).square().mean().sqrt())
            scores.append(whole_score(answers.hallucinated, plates.light, plates.codes) | {"curve": curve})
        return mean_scores(scores)

    def pictures(self, network: nn.Module) -> dict[str, Tensor]:
        """A plate; three exposures of the result, below them those of the truth; the curve."""
        plates = self.validation[0]
        answers: Answers = network(plates.codes)
        rows = [exposures(each[0]) for each in (answers.hallucinated, plates.light)]
        curve = curve_pictures(answers.curve[0], plates.curve[0, 0])
        return {"plate": plates.codes[0], "light": torch.cat(rows, dim=1), **curve}
