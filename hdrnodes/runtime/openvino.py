"""The `openvino` executor: any CPU, float32; needs neither a GPU nor torch."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

from hdrnodes.errors import ExecutorError, ModelError
from hdrnodes.models import Network
from hdrnodes.runtime.executor import Array, Executor, Settings, why_it_failed


class OpenVINO(Executor):
    name = "openvino"

    @classmethod
    def why_not(cls) -> str | None:
        return None if find_spec("openvino") else "not installed; pip install openvino"

    def __init__(self, network: Network, settings: Settings) -> None:
        # Where the CPU has bfloat16, OpenVINO takes it unasked: 1-3 % error, measured.
        options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if settings.cache is not None:
            options["CACHE_DIR"] = str(settings.cache / "openvino")
        path = network.verified_onnx()
        try:
            self._compiled = _core().compile_model(path, "CPU", options)
        except RuntimeError as error:
            problem = f"OpenVINO cannot compile it: {' '.join(str(error).split())[:200]}"
            raise ExecutorError(path, problem, "try --executor torch, or export the model again") from error
        takes = [port.any_name for port in self._compiled.inputs]
        if sorted(takes) != sorted(network.inputs):
            problem = f"takes {', '.join(takes)}, where model.toml has {', '.join(network.inputs)}"
            raise ModelError(path, problem, "it is another network's; export the model again")
        self._path = path
        self._request = self._compiled.create_infer_request()

    def run(self, **inputs: Array) -> Array:
        try:
            answer = self._request.infer(inputs, share_inputs=True)
        except (RuntimeError, MemoryError) as error:
            raise why_it_failed(self._path, "OpenVINO", error) from error
        # A copy: the next run writes into the same memory.
        copied: Array = answer[0].copy()
        return copied


@cache
def _core() -> Any:
    import openvino  # here, so that `import hdrnodes` stays light

    return openvino.Core()
