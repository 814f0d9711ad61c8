"""The stages one after the other, as the nodes run them, on whole frames and in torch: what is trained together."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hdrnodes.camera.clipping import TOP_CODE
from hdrnodes.camera.response import invert_response
from hdrnodes.training.hallucinate import with_invented
from hdrnodes.training.linearize import estimated_curve

PREFIX = "stages."  # of a stage's tensors in the state of a system


class Answers(NamedTuple):
    """What each stage says, N x 3 x H x W but for the curve."""

    dequantized: Tensor  # display-referred, 0..1
    curve: Tensor  # N x 1024
    linear: Tensor  # scene-linear, 0..1
    hallucinated: Tensor  # scene-linear, 0 and more
    refined: Tensor  # the same; as hallucinated where there is no such stage


class System(nn.Module):
    """Dequantize -> linearize -> hallucinate, and perhaps -> refine.

    Args:
        stages: a network each, which takes whole frames.
        fixed: the stages that are not trained: no gradient, and no batch of theirs moves a running mean.
    """

    def __init__(self, stages: Mapping[str, nn.Module], fixed: Collection[str] = ()) -> None:
        super().__init__()
        self.stages, self.fixed = nn.ModuleDict(stages), tuple(fixed)
        for name in self.fixed:
            self.stages[name].requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "System":
        super().train(mode)
        for name in self.fixed:
            self.stages[name].eval()
        for part in self.modules():
            if isinstance(part, nn.BatchNorm1d):  # of numbers of a plate each: a handful of plates has no statistics
                part.eval()
        return self

    def forward(self, codes: Tensor) -> Answers:
        """N x 3 x H x W float32, code values / 255, 0..1."""
        dequantized = torch.where(codes >= TOP_CODE, codes, self.stages["dequantize"](codes))
        curve = estimated_curve(self.stages["linearize"], dequantized, codes)
        linear = invert_response(dequantized, curve[:, None])
        hallucinated = with_invented(self.stages["hallucinate"], linear)
        refined = hallucinated
        if "refine" in self.stages:
            refined = self.stages["refine"](hallucinated, linear, dequantized)
        return Answers(dequantized, curve, linear, hallucinated, refined)
