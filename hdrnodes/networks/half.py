"""The same network with a trunk of half precision, for GPUs: half the memory traffic, twice the arithmetic.

What half cannot hold stays float32, in and out included: logarithms and exponentials, divisions by what may be small,
means and squares over the frame, the head that finds a curve, and the final sum with the pixels. Networks say which of
their parts may be half (`StageNetwork.half_parts`), and cast where they enter and leave them. Converters that cast by
kind of operation gave ten times the error (measured).
"""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from hdrnodes.networks.base import StageNetwork

AnyNetwork = TypeVar("AnyNetwork", bound=StageNetwork)


def half_precision(network: AnyNetwork) -> AnyNetwork:
    """A copy for inference whose trunk is half: on the CPU, in evaluation mode, float32 in and out.

    A network without a trunk comes back in float32 throughout.
    """
    network = copy.deepcopy(network).cpu().float().eval()
    network.make_ready_for_half()
    for name in network.half_parts:
        _halve(network.get_submodule(name))
    return network


def _halve(part: nn.Module) -> None:
    """Convolutions, and what replaces batch normalisation; other normalisation and dense layers stay float32."""
    for name, child in list(part.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            setattr(part, name, ScaleAndShift(child).half())
        else:
            _halve(child)
    if isinstance(part, nn.Conv2d):
        part.half()


class ScaleAndShift(nn.Module):
    """What batch normalisation does once it has been trained, worked out in float32."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
        self.scale = nn.Parameter(scale[:, None, None], requires_grad=False)
        shift = norm.bias.detach() - norm.running_mean * scale
        self.shift = nn.Parameter(shift[:, None, None], requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


def fold(part: nn.Module, convolution: str, norm: str) -> None:
    """Make a convolution do the batch normalisation after it, which becomes nothing."""
    conv, after = part.get_submodule(convolution), part.get_submodule(norm)
    assert isinstance(conv, nn.Conv2d) and isinstance(after, nn.BatchNorm2d)
    assert after.running_mean is not None and after.running_var is not None
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, after.running_mean, after.running_var, after.eps, after.weight, after.bias
    )
    setattr(part, norm, nn.Identity())
