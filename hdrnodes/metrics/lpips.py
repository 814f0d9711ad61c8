"""LPIPS 0.1: how different two pictures look, by the features of a classifier, weighed by people's answers.

Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018, section 3.
"""

from __future__ import annotations

from typing import Literal

import torch

from hdrnodes.errors import MetricError
from hdrnodes.metrics.base import Array
from hdrnodes.metrics.classifier_stages import as_batch, load_tensors, stages
from hdrnodes.metrics.tone_mapping import tone_mapped
from hdrnodes.metrics.weights import CLASSIFIERS

NETWORKS = {"alex": "alexnet", "vgg": "vgg16"}
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of LPIPS; its pictures are -1..1


@torch.inference_mode()
def lpips(
    test: Array, reference: Array, net: Literal["alex", "vgg"] = "alex", *, device: str | torch.device = "cpu"
) -> float:
    """The distance of two pictures as 8-bit codes (see `tone_mapped`): 0 where equal, lower is better, about 0..1.

    Args:
        test, reference: H x W x 3, linear BT.709, or H x W of luminance; cd/m2.
        net: AlexNet, closest to what people said; or VGG16.
        device: where torch computes.

    Raises:
        MetricError: as `check_pair` does, and where the pictures are too small for the network.
        ModelError: the weights are missing.
    """
    classifier = CLASSIFIERS[NETWORKS[net]]
    pictures = tone_mapped(test, reference)
    if min(test.shape[:2]) < classifier.smallest:
        problem = f"are smaller than {classifier.smallest} pixels, too small for {NETWORKS[net]}"
        raise MetricError("the pictures", problem, "use another metric")
    weights = load_tensors(NETWORKS[net], device)
    shift, scale = (torch.tensor(each, device=device)[:, None, None] for each in (SHIFT, SCALE))
    seen = [stages(classifier, weights, (2 * as_batch(each, device) - 1 - shift) / scale) for each in pictures]
    distance = torch.zeros((), device=device)
    for stage, ours, theirs in zip(classifier.stages, *seen, strict=True):
        difference = (_unit(ours) - _unit(theirs)) ** 2
        distance += (difference * weights[f"lpips.{stage}"][:, None, None]).sum(dim=1).mean()
    return float(distance)


def _unit(stage: torch.Tensor) -> torch.Tensor:
    """Channels as vectors of length 1."""
    return stage / (stage.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
