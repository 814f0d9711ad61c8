"""What the stages are fitted with. Source of the three of Liu et al.: CVPR 2020, sections 3.1-3.3."""

import math

import torch
from torch import Tensor

LUMINANCE = (0.2126, 0.7152, 0.0722)  # BT.709
DARK = 2.0**-8  # of the clip level: below, a log says more of noise than of light


def luminance(light: Tensor) -> Tensor:
    """N x 3 x H x W scene-linear BT.709 -> N x 1 x H x W."""
    red, green, blue = light[:, 0:1], light[:, 1:2], light[:, 2:3]
    return LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue


def log_light(light: Tensor) -> Tensor:
    """log(1 + 10 x) / log 11: 0 -> 0, 1 -> 1; the domain of the published hallucination loss."""
    return torch.log1p(10 * light.clamp(min=0)) / math.log(11)


def stops(light: Tensor) -> Tensor:
    """log2 of light above a floor of -8 stops under the clip level."""
    return torch.log2(light.clamp(min=0) + DARK)


def total_variation(image: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference of neighbours, where `weight` (N x 1 x H x W) is."""
    down = (image[..., 1:, :] - image[..., :-1, :]).abs() * weight[..., 1:, :]
    right = (image[..., 1:] - image[..., :-1]).abs() * weight[..., 1:]
    return down.mean() + right.mean()
