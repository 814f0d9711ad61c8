"""Train `linearize`: L2 of the curve and of the linear picture (Liu et al., section 3.2), and stops in the shadows."""

import numpy as np
import torch
from torch import Tensor, nn

from hdrnodes.camera.clipping import clip
from hdrnodes.camera.response import invert_response
from hdrnodes.training.losses import stops
from hdrnodes.training.plates import PlateMaker, Plates
from hdrnodes.training.reduce import overview
from hdrnodes.training.validation_plates import ValidationSet


def linearize_losses(network: nn.Module, plates: Plates) -> dict[str, Tensor]:
    """The two published terms, the curve's under its root, and the mean error in stops of what did not clip."""
    curve = network(plates.codes)[:, None]
    # Every second pixel each way is enough to weigh a curve, at a quarter of the cost.
    light, display = plates.light[..., ::2, ::2], plates.display[..., ::2, ::2]
    truth = clip(light)
    unclipped = (light.amax(dim=1, keepdim=True) < 1).float()
    # The display-referred truth is looked up, not the noisy codes: what is judged is the curve.
    found = invert_response(display, curve)
    # The root of each plate's, which is what it is judged by: the square would serve a few rare curves only.
    shape = torch.sqrt((curve - plates.curve).square().mean(dim=(1, 2)) + 1e-5).mean()
    picture = (found - truth).square().mean()
    shadows = ((stops(found) - stops(truth)).abs() * unclipped).sum() / (3 * unclipped.sum() + 1)
    return {
        "loss": 5 * picture + shape + 0.05 * shadows,
        "curve": shape,
        "picture": picture,
        "stops": shadows,
    }


class LinearizeStage:
    """What `loop.train` needs for this stage."""

    def __init__(self, maker: PlateMaker, validation: ValidationSet, batch: int, longer_side: int) -> None:
        self.maker, self.batch = maker, batch
        self.validation = [(overview(plates.codes, longer_side), plates.curve[:, 0]) for plates in validation.plates]

    def step(self, network: nn.Module, random: torch.Generator) -> dict[str, Tensor]:
        return linearize_losses(network, self.maker.draw(self.batch, random))

    def validate(self, network: nn.Module) -> dict[str, float]:
        errors = [float((network(codes) - curve).square().mean().sqrt()) for codes, curve in self.validation]
        return {
            "score": float(np.mean(errors)),
            "median": float(np.median(errors)),
            "worst": float(np.max(errors)),
        }
