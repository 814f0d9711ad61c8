"""The published TensorFlow variables, and where in our modules each belongs.

TensorFlow keeps convolutions as (height, width, inputs, outputs) and dense layers as (inputs, outputs).
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from hdrnodes.errors import ModelError
from hdrnodes.networks.published.hallucinate import Hallucinate
from hdrnodes.networks.published.linearize import ConvNorm, Linearize
from hdrnodes.networks.published.system import Published
from hdrnodes.networks.published.unet import UNet

NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def from_tensorflow(weights: Mapping[str, np.ndarray], emor: tuple[np.ndarray, np.ndarray]) -> Published:
    """The published system with the published, or any, weights; in evaluation mode.

    Args:
        weights: TensorFlow variables by name, such as "Dequantization_Net/conv2d/kernel"; others are ignored.
        emor: the mean inverse response (1024,) and its principal directions (1024, 11).

    Raises:
        ModelError: a variable is missing, has another shape, or holds NaN or infinity.
    """
    module = Published()
    with torch.no_grad():
        for name, target in tensorflow_variables(module):
            target.copy_(_variable(weights, name, target))
        mean, directions = emor
        module.linearize.mean.copy_(_checked("mean inverse response", mean, module.linearize.mean))
        module.linearize.directions.copy_(_checked("directions", directions, module.linearize.directions))
    return module.eval()


def _variable(weights: Mapping[str, np.ndarray], name: str, target: Tensor) -> Tensor:
    if name not in weights:
        shape = tuple(_from_tensorflow_axes(target).shape)
        remedy = "give the checkpoints of all four published networks"
        raise ModelError(f"TensorFlow variable {name}", f"is missing; its shape should be {shape}", remedy)
    return _checked(f"TensorFlow variable {name}", weights[name], target)


def _checked(subject: str, value: np.ndarray, target: Tensor) -> Tensor:
    expected = tuple(_from_tensorflow_axes(target).shape)
    if np.shape(value) != expected:
        problem = f"has the shape {np.shape(value)}, the published graph's has {expected}"
        raise ModelError(subject, problem, "is it another version of the network?")
    if not np.isfinite(value).all():
        raise ModelError(subject, "holds NaN or infinity", "copy the checkpoint again from its source")
    return _to_torch_axes(torch.from_numpy(np.array(value, np.float32)))


def _from_tensorflow_axes(ours: Tensor) -> Tensor:
    """Ours seen with TensorFlow's order of axes."""
    return ours.permute(2, 3, 1, 0) if ours.ndim == 4 else ours.T if ours.ndim == 2 else ours


def _to_torch_axes(theirs: Tensor) -> Tensor:
    return theirs.permute(3, 2, 0, 1) if theirs.ndim == 4 else theirs.T if theirs.ndim == 2 else theirs


def tensorflow_variables(module: Published) -> Iterator[tuple[str, Tensor]]:
    """Every published variable's name, and our tensor for it."""
    yield from _unet("Dequantization_Net", module.dequantize.unet)
    yield from _linearize(module.linearize)
    yield from _hallucinate(module.hallucinate)
    yield from _unet("Refinement_Net", module.refine.unet)


def _unet(scope: str, unet: UNet) -> Iterator[tuple[str, Tensor]]:
    for number, convolution in enumerate(_convolutions(unet)):
        name = f"{scope}/conv2d_{number}" if number else f"{scope}/conv2d"
        yield from _layer(convolution, f"{name}/kernel", f"{name}/bias")


def _linearize(network: Linearize) -> Iterator[tuple[str, Tensor]]:
    scope = "crf_feature_net"
    yield from _layer(network.conv1, f"{scope}/conv1/weights", f"{scope}/conv1/biases")
    yield from _norm(network.norm1, f"{scope}/bn_conv1/BatchNorm")
    branches = {"shortcut": "branch1", "reduce": "branch2a", "look": "branch2b", "expand": "branch2c"}
    for block_name, block in network.blocks.items():
        for name, part in block.named_children():
            if isinstance(part, ConvNorm):  # the shortcut may be nothing
                yield f"{scope}/res{block_name}_{branches[name]}/weights", part.conv.weight
                yield from _norm(part.norm, f"{scope}/bn{block_name}_{branches[name]}/BatchNorm")
    yield from _layer(network.weigh, "ae_invcrf_decode_net/dense/kernel", "ae_invcrf_decode_net/dense/bias")


def _hallucinate(network: Hallucinate) -> Iterator[tuple[str, Tensor]]:
    scope = "Hallucination_Net/encoder"
    for level, convolutions in enumerate(network.encoder, start=1):
        for number, convolution in enumerate(_convolutions(convolutions), start=1):
            yield from _wb(convolution, f"{scope}/h{level}/conv_{number}")
    yield from _wb(network.bottom, f"{scope}/h6/conv")
    yield from _norm(network.bottom_norm, f"{scope}/h6/batch_norm")
    scope = "Hallucination_Net/decoder"
    for level, decode in enumerate(network.decoder, start=1):
        yield from _wb(decode.get_submodule("conv"), f"{scope}/h{level}/decon2d")
        yield from _norm(decode.get_submodule("norm"), f"{scope}/h{level}/decon2d/batch_norm_dc")
    for level, fuse in enumerate(network.fuse, start=2):
        yield from _wb(fuse, f"{scope}/h{level}/fuse_skip_connection")
    yield from _wb(network.head, f"{scope}/h7/conv2d")
    yield from _norm(network.head_norm, f"{scope}/h7/batch_norm")
    yield from _wb(network.fuse_picture, f"{scope}/h7/fuse_skip_connection")


def _convolutions(part: nn.Module) -> list[nn.Conv2d]:
    """In the order in which they were made, which is TensorFlow's numbering."""
    return [layer for layer in part.modules() if isinstance(layer, nn.Conv2d)]


def _wb(convolution: nn.Module, name: str) -> Iterator[tuple[str, Tensor]]:
    yield from _layer(convolution, f"{name}/W_conv2d", f"{name}/b_conv2d")


def _layer(layer: nn.Module, weight: str, bias: str) -> Iterator[tuple[str, Tensor]]:
    yield weight, layer.get_parameter("weight")
    yield bias, layer.get_parameter("bias")


def _norm(norm: nn.Module, name: str) -> Iterator[tuple[str, Tensor]]:
    state = norm.state_dict(keep_vars=True)
    for ours, theirs in NORM.items():
        yield f"{name}/{theirs}", state[ours]
