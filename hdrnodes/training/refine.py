"""Train `refine` end to end on what the other three stages, fixed, make of real-camera-like plates.

The loss compares shapes, not absolute levels (both are brought to one median): log-domain L1 over the frame, as Liu et
al. have it (section 3.4; they bring the means to one).
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from hdrnodes.camera.response import invert_response
from hdrnodes.training.hallucinate import CEILING, over_exposure
from hdrnodes.training.losses import luminance, stops
from hdrnodes.training.plates import PlateMaker
from hdrnodes.training.reduce import overview
from hdrnodes.training.validation_plates import ValidationSet


class FirstThree(nn.Module):
    """Dequantize, linearize, hallucinate in torch, on whole frames: A, B, C of the published system."""

    def __init__(self, dequantize: nn.Module, linearize: nn.Module, hallucinate: nn.Module, longer_side: int) -> None:
        super().__init__()
        self.dequantize, self.linearize, self.hallucinate = dequantize, linearize, hallucinate
        self.longer_side = longer_side

    @torch.no_grad()
    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        dequantized = torch.where(codes >= 254.5 / 255, codes, self.dequantize(codes))
        curve = self.linearize(overview(dequantized, self.longer_side))
        linear = invert_response(dequantized, curve[:, None])
        return linear + over_exposure(linear) * self.hallucinate(linear), linear, dequantized


class RefineStage:
    """What `loop.train` needs for this stage. The score is the error over the whole frame, RMS stops."""

    def __init__(self, maker: PlateMaker, validation: ValidationSet, batch: int, first_three: FirstThree) -> None:
        self.maker, self.batch, self.first_three = maker, batch, first_three.eval()
        self.validation = [(first_three(plates.codes), plates.light) for plates in validation.plates]

    def step(self, network: nn.Module, random: torch.Generator) -> dict[str, Tensor]:
        plates = self.maker.draw(self.batch, random)
        before = self.first_three(plates.codes)
        difference = _shape_apart(network(*before), plates.light)
        return {"loss": difference.abs().mean(), "before": _shape_apart(before[0], plates.light).abs().mean()}

    def validate(self, network: nn.Module) -> dict[str, float]:
        after, before = [], []
        for stages, light in self.validation:
            after.append(math.sqrt(float(_shape_apart(network(*stages), light).square().mean())))
            before.append(math.sqrt(float(_shape_apart(stages[0], light).square().mean())))
        return {"score": float(np.mean(after)), "before": float(np.mean(before))}


def _shape_apart(found: Tensor, light: Tensor) -> Tensor:
    """Difference in stops after the gain that brings what did not clip to one median, N x 3 x H x W."""
    light = light.clamp(max=2**CEILING)
    difference = stops(found) - stops(light)
    gains = []
    for i in range(len(light)):
        unclipped = light[i].amax(dim=0) < 1
        level = stops(luminance(found[i : i + 1])) - stops(luminance(light[i : i + 1]))
        gains.append(level[0, 0][unclipped].median() if unclipped.any() else level.median())
    return difference - torch.stack(gains)[:, None, None, None].detach()
