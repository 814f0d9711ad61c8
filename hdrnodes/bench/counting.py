"""Floating-point operations and bytes of a network, from its ONNX and the sizes of its inputs.

OpenVINO reads the graph and works out every shape, so that the light install can count. Operations are those of
convolutions and matrix products, as torch's FlopCounterMode counts them: 2 for a multiplication and its addition.
Bytes are the least that must go through memory if all else is done in passing: what each of those reads and writes,
once, and the network's own inputs and output.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from hdrnodes.bench.recorded import Shapes
from hdrnodes.errors import ModelError
from hdrnodes.runtime.openvino import core

# Operation -> at which axis of its weights those begin that are multiplied for one value.
_CONVOLUTIONS = {"Convolution": 1, "GroupConvolution": 2}
_TRANSPOSED = {"ConvolutionBackpropData": 1, "GroupConvolutionBackpropData": 2}


class Cost(NamedTuple):
    """Operations; and bytes that must be read and written."""

    flop: float
    moved: float


@cache
def cost(path: Path, shapes: Shapes, value_bytes: int) -> Cost:
    """What one run of a network costs.

    Args:
        path: of the ONNX.
        shapes: of its inputs.
        value_bytes: of a value between its operations: 4 for float32, 2 for halves.

    Raises:
        ModelError: a shape does not follow from those of the inputs.
    """
    model = _read(path)
    model.reshape({name: list(shape) for name, shape in shapes})
    flop, values = 0.0, 0.0
    for operation in model.get_ordered_ops():
        kind = operation.get_type_name()
        if kind not in _CONVOLUTIONS and kind not in _TRANSPOSED and kind != "MatMul":
            continue
        ports = [*operation.inputs()[:2], operation.output(0)]
        if any(port.get_partial_shape().is_dynamic for port in ports):
            problem = f"the size of {operation.get_friendly_name()} does not follow from the inputs'"
            raise ModelError(path, problem, "export it with sizes that do")
        given, weights, answer = ([int(side) for side in port.get_shape()] for port in ports)
        if kind == "MatMul":
            summed = given[-2] if operation.get_attributes()["transpose_a"] else given[-1]
            flop += 2 * math.prod(answer) * summed
        elif kind in _CONVOLUTIONS:
            flop += 2 * math.prod(answer) * math.prod(weights[_CONVOLUTIONS[kind] :])
        else:
            flop += 2 * math.prod(given) * math.prod(weights[_TRANSPOSED[kind] :])
        values += sum(math.prod(shape) for shape in (given, weights, answer))
    ends = sum(math.prod(shape) for _, shape in shapes) + _output_values(model)
    return Cost(flop, values * value_bytes + 4 * ends)


def _output_values(model: Any) -> int:
    shape = model.output(0).get_partial_shape()
    return math.prod(int(side) for side in model.output(0).get_shape()) if shape.is_static else 0


def _read(path: Path) -> Any:
    return core().read_model(path)
