"""How far light is from the truth over whole frames, after one gain: the score of what is trained together."""

import math

import numpy as np
import torch
from torch import Tensor

from hdrnodes.camera.clipping import TOP_CODE
from hdrnodes.training.losses import luminance

FLOOR = 1e-4  # of the clip level: darker than any 8-bit plate tells


def whole_score(found: Tensor, light: Tensor, codes: Tensor) -> dict[str, float]:
    """RMS stops where one plate clipped and where it did not, and their sum.

    Args:
        found, light: 1 x 3 x H x W, scene-linear.
        codes: the plate. The gain is the median over what did not clip there.
    """
    unclipped = codes.amax(dim=1, keepdim=True) < TOP_CODE
    clipped = light.amax(dim=1, keepdim=True) >= 1
    difference = torch.log2(luminance(found) + FLOOR) - torch.log2(luminance(light) + FLOOR)
    difference = difference - difference[unclipped if unclipped.any() else clipped].median()
    inside, outside = (_rms(difference[where]) for where in (clipped, ~clipped))
    return {"score": inside + outside, "inside": inside, "outside": outside}


def mean_scores(scores: list[dict[str, float]]) -> dict[str, float]:
    """Over plates, key by key."""
    return {key: float(np.mean([each[key] for each in scores])) for key in scores[0]}


def _rms(values: Tensor) -> float:
    return math.sqrt(float(values.square().mean())) if len(values) else 0.0
