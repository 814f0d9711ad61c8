"""Train `hallucinate`: log-domain L1, perceptual and TV (Liu et al., section 3.3), and L2 in stops.

The published L1 alone answers with the median of what could be there, which is too dark by stops; the mean, which L2
finds, is what a root-mean-square measure asks for.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrnodes.camera.response import invert_response
from hdrnodes.training.losses import log_light, luminance, stops, total_variation
from hdrnodes.training.plates import PlateMaker, Plates
from hdrnodes.training.validation_plates import ValidationSet
from hdrnodes.training.vgg import VGGFeatures, perceptual_loss

THRESHOLD = 0.88  # as the node's knob
CEILING = 12.0  # stops; the sun is no brighter to the loss


def over_exposure(linear: Tensor) -> Tensor:
    """alpha of the published system, N x 1 x H x W."""
    return ((linear.amax(dim=1, keepdim=True) - THRESHOLD) / (1 - THRESHOLD)).clamp(0, 1)


class HallucinateStage:
    """What `loop.train` needs for this stage. The score is the error inside the clipped region, RMS stops."""

    def __init__(self, maker: PlateMaker, validation: ValidationSet, batch: int, features: VGGFeatures | None) -> None:
        self.maker, self.batch, self.features = maker, batch, features
        self.validation = [
            (invert_response(plates.codes, plates.curve), plates.light.clamp(max=2**CEILING))
            for plates in validation.plates
        ]

    def step(self, network: nn.Module, random: torch.Generator) -> dict[str, Tensor]:
        plates = self.maker.draw(self.batch, random)
        linear = _not_quite_linear(plates, random)
        alpha = over_exposure(linear)
        truth = plates.light.clamp(max=2**CEILING)
        out = linear + alpha * network(linear)
        target = torch.where(alpha > 0, truth, linear)
        share = alpha.mean().clamp(min=0.01)
        log_error = ((log_light(out) - log_light(target)).abs() * alpha).mean() / share
        squared = ((stops(out) - stops(target)).square() * alpha).mean() / share
        rough = total_variation(log_light(out), alpha) / share
        losses = {"log": log_error, "squared": squared, "tv": rough}
        losses["loss"] = log_error + 0.3 * squared + 0.02 * rough
        if self.features is not None:
            losses["perceptual"] = self._perceptual(out, target, alpha)
            losses["loss"] = losses["loss"] + 0.05 * losses["perceptual"]
        return losses

    def _perceptual(self, out: Tensor, target: Tensor, alpha: Tensor) -> Tensor:
        """On a quarter of the batch, at half the size: VGG16 costs fifty times what our network does."""
        assert self.features is not None
        some = max(1, len(out) // 4)
        halved = [F.avg_pool2d(each[:some], 2) for each in (out, target, alpha)]
        return perceptual_loss(self.features, *halved)

    def validate(self, network: nn.Module) -> dict[str, float]:
        ours, plate, signed = [], [], []
        for linear, light in self.validation:
            inside = light.amax(dim=1, keepdim=True) >= 1
            difference = _stops_apart(linear + over_exposure(linear) * network(linear), light)[inside]
            ours.append(math.sqrt(float(difference.square().mean())))
            signed.append(float(difference.mean()))
            plate.append(math.sqrt(float(_stops_apart(linear, light)[inside].square().mean())))
        return {"score": float(np.mean(ours)), "plate": float(np.mean(plate)), "signed": float(np.mean(signed))}


def _stops_apart(found: Tensor, light: Tensor) -> Tensor:
    return torch.log2(luminance(found) + 1e-4) - torch.log2(luminance(light) + 1e-4)


def _not_quite_linear(plates: Plates, random: torch.Generator) -> Tensor:
    """The plate through its curve, bent as an estimated one may be: the network must not count on a true curve."""
    linear = invert_response(plates.codes, plates.curve)
    bend = torch.exp(torch.randn(len(linear), 1, 1, 1, generator=random) * 0.2).to(linear.device)
    bent: Tensor = linear.clamp(min=1e-6) ** bend
    return bent
