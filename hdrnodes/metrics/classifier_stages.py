"""What networks that were trained to classify see in a picture, in torch; LPIPS and DISTS compare it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrnodes.metrics.base import Array
from hdrnodes.metrics.colours import in_colours
from hdrnodes.metrics.weights import Classifier, read_tensors, shapes, weights_path


def load_tensors(name: str, device: str | torch.device) -> dict[str, Tensor]:
    """The tensors of "alexnet", "vgg16" or "dists" on a device; kept for the next picture.

    Raises:
        ModelError: their file is missing, or another.
    """
    return _tensors(name, weights_path(name), torch.device(device))


@lru_cache(maxsize=3)
def _tensors(name: str, path: Path, device: torch.device) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value).to(device) for key, value in read_tensors(path, shapes(name)).items()}


def as_batch(picture: Array, device: str | torch.device) -> Tensor:
    """H x W x 3, or H x W for grey -> 1 x 3 x H x W float32."""
    return torch.from_numpy(in_colours(picture)).to(device).permute(2, 0, 1)[None]


def stages(
    classifier: Classifier, weights: dict[str, Tensor], x: Tensor, pool: Callable[[Tensor], Tensor] | None = None
) -> Iterator[Tensor]:
    """The ReLUs that `classifier.stages` names.

    Args:
        x: N x 3 x H x W, normalised as the classifier was trained.
        pool: halves a stage; None for the max pool it was trained with.

    Yields:
        N x C x h x w, at least 0.
    """
    for name, conv in classifier.convs.items():
        if conv.pooled:
            x = pool(x) if pool else F.max_pool2d(x, classifier.pool, stride=2)
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        x = F.relu(F.conv2d(x, weight, bias, stride=conv.stride, padding=conv.padding))
        if name in classifier.stages:
            yield x
