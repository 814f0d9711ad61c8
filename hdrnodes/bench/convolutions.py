"""How long a network's convolutions and products take by themselves, by OpenVINO's own profile."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hdrnodes.bench.cells import Lane
from hdrnodes.bench.peaks import openvino_options
from hdrnodes.bench.recorded import Shapes
from hdrnodes.runtime.openvino import core

KINDS = ("Convolution", "Deconvolution", "FullyConnected", "MatMul", "Gemm")  # as OpenVINO's CPU calls its own
REPEATS = 3


def convolution_seconds(path: Path, shapes: Shapes, lane: Lane, precision: str) -> float:
    """Seconds on the clock in one run, the least of a few; what is fused into a convolution is in it.

    Args:
        path: of the ONNX.
        shapes: of its inputs; what is in them costs the same.
    """
    options = {**openvino_options(precision, lane.threads), "PERF_COUNT": True}
    request = core().compile_model(path, "CPU", options).create_infer_request()
    rng = np.random.default_rng(0)
    inputs = {name: rng.random(shape, np.float32) for name, shape in shapes}
    found = []
    for _ in range(REPEATS + 1):
        request.infer(inputs, share_inputs=True, share_outputs=True)
        profile = request.get_profiling_info()
        found.append(sum(each.real_time.total_seconds() for each in profile if each.node_type in KINDS))
    return min(found[1:])
