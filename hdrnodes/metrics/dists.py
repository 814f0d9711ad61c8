"""DISTS: how different two pictures look, where texture may differ as long as its statistics agree.

Source: Ding et al., "Image Quality Assessment: Unifying Structure and Texture Similarity", TPAMI 2020, section 3.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrnodes.metrics.base import Array
from hdrnodes.metrics.classifier_stages import as_batch, load_tensors, stages
from hdrnodes.metrics.tone_mapping import tone_mapped
from hdrnodes.metrics.weights import MEAN, STD, VGG16

STEADY = 1e-6  # c1 and c2 of equations 5 and 6


@torch.inference_mode()
def dists(test: Array, reference: Array, *, device: str | torch.device = "cpu") -> float:
    """The distance of two pictures as 8-bit codes (see `tone_mapped`): 0 where equal, lower is better, about 0..1.

    In the size that they have; trained on pictures whose shorter side is 256 pixels.

    Args:
        test, reference: H x W x 3, linear BT.709, or H x W of luminance; cd/m2.
        device: where torch computes.

    Raises:
        MetricError: as `check_pair` does.
        ModelError: the weights are missing.
    """
    pictures = [as_batch(each, device) for each in tone_mapped(test, reference)]
    classifier, weigh = load_tensors("vgg16", device), load_tensors("dists", device)
    mean, std = (torch.tensor(each, device=device)[:, None, None] for each in (MEAN, STD))
    seen = [[each, *stages(VGG16, classifier, (each - mean) / std, _pool)] for each in pictures]
    unlike = [_unlike(ours, theirs) for ours, theirs in zip(*seen, strict=True)]
    texture, structure = (torch.cat(each) for each in zip(*unlike, strict=True))
    total = weigh["alpha"].sum() + weigh["beta"].sum()
    return float((weigh["alpha"] * texture + weigh["beta"] * structure).sum() / total)


def _unlike(ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """One minus equations 5 (means) and 6 (covariance): 1 x C x h x w -> C each, 0 where alike."""
    a, b = (each[0].flatten(1).double() for each in (ours, theirs))
    mean_a, mean_b = a.mean(dim=1), b.mean(dim=1)
    a, b = a - mean_a[:, None], b - mean_b[:, None]
    texture = (2 * mean_a * mean_b + STEADY) / (mean_a**2 + mean_b**2 + STEADY)
    spread = (a * a).mean(dim=1) + (b * b).mean(dim=1)
    return 1 - texture, 1 - (2 * (a * b).mean(dim=1) + STEADY) / (spread + STEADY)


def _pool(x: Tensor) -> Tensor:
    """The l2 pooling of equation 3, which does not alias: half of each side, rounded up."""
    window = torch.as_tensor(np.hanning(5)[1:-1], dtype=x.dtype, device=x.device)
    kernel = torch.outer(window, window) / window.sum() ** 2
    channels = x.shape[1]
    smooth = F.conv2d(x**2, kernel.expand(channels, 1, 3, 3), stride=2, padding=1, groups=channels)
    return (smooth + 1e-12).sqrt()
