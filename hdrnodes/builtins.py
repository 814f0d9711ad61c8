"""What comes with hdrnodes, as a plugin like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hdrnodes.hookspecs import hookimpl

if TYPE_CHECKING:
    from hdrnodes.nodes.base import Node
    from hdrnodes.runtime import Executor


@hookimpl
def register_nodes() -> Sequence[type[Node]]:
    from hdrnodes.nodes.clip_mask import ClipMask
    from hdrnodes.nodes.color_space import ColorSpace
    from hdrnodes.nodes.dequantize import Dequantize
    from hdrnodes.nodes.exposure import Exposure
    from hdrnodes.nodes.hallucinate import Hallucinate
    from hdrnodes.nodes.inverse_crf import InverseCRF
    from hdrnodes.nodes.read import Read
    from hdrnodes.nodes.refine import Refine
    from hdrnodes.nodes.tone_map import ToneMap
    from hdrnodes.nodes.write import Write

    return [
        Read, Dequantize, InverseCRF, Hallucinate, Refine, Exposure, ColorSpace, ToneMap, ClipMask, Write,
    ]  # fmt: skip


@hookimpl
def register_executors() -> Sequence[type[Executor]]:
    from hdrnodes.runtime.openvino import OpenVINO
    from hdrnodes.runtime.tensorrt.executor import TensorRT
    from hdrnodes.runtime.torch import Torch

    return [TensorRT, OpenVINO, Torch]


@hookimpl
def register_models() -> Mapping[str, Path]:
    from hdrnodes.models import find_models

    return find_models()
