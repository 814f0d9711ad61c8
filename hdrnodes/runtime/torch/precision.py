"""Half precision where it does no harm, and float32 that is float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import torch
from torch.nn.utils import convert_conv2d_weight_memory_format

from hdrnodes.errors import ExecutorError

if TYPE_CHECKING:
    from hdrnodes.networks.base import StageNetwork

Precision = Literal["float32", "fp16"]


def precision_for(asked: str, device: torch.device) -> Precision:
    """What "auto" is on a device: fp16 on a GPU; float32 on a CPU, where fp16 is there to be compared with, and slow.

    Raises:
        ExecutorError: it cannot be had.
    """
    if asked == "bf16":
        problem = "has no bf16: a GPU is no faster with it than with fp16, and less exact"
        raise ExecutorError("executor torch", problem, "take fp16; on a CPU, --executor openvino has bf16")
    if asked == "float32" or (asked == "auto" and device.type == "cpu"):
        return "float32"
    return "fp16"


def prepared(network: StageNetwork, precision: Precision, device: torch.device) -> StageNetwork:
    """The network for inference on a device: its weights laid out channels last, which convolutions are faster with."""
    if precision == "fp16":
        from hdrnodes.networks.half import half_precision

        network = half_precision(network)
    network = convert_conv2d_weight_memory_format(network.to(device), torch.channels_last)
    return network.requires_grad_(False)


@contextmanager
def exact_float32() -> Iterator[None]:
    """Within this, float32 has all of its 23 bits: a program around us may have allowed TF32, which has 10."""
    before = torch.get_float32_matmul_precision()
    # `benchmark`: a tile's shape comes back many times, so the fastest convolution is worth finding.
    with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)
