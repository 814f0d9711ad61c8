"""The `openvino` executor: any CPU, float32; needs neither a GPU nor torch."""

from __future__ import annotations

import hashlib
import json
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import Any

from hdrnodes.errors import ExecutorError, ModelError
from hdrnodes.machine import cores
from hdrnodes.models import Network
from hdrnodes.runtime.executor import Array, Executor, Settings, why_it_failed
from hdrnodes.runtime.kept import keep, kept


class OpenVINO(Executor):
    """Compiled networks are kept in `settings.cache`, found by all that they were compiled from."""

    name = "openvino"

    @classmethod
    def why_not(cls) -> str | None:
        return None if find_spec("openvino") else "not installed; pip install openvino"

    def __init__(self, network: Network, settings: Settings) -> None:
        options = _options(network, settings)
        path = network.verified_onnx()
        self._compiled = _compiled(path, network.onnx_sha256, options, settings.cache)
        takes = [port.any_name for port in self._compiled.inputs]
        if sorted(takes) != sorted(network.inputs):
            problem = f"takes {', '.join(takes)}, where model.toml has {', '.join(network.inputs)}"
            raise ModelError(path, problem, "it is another network's; export the model again")
        self._path = path
        if settings.hint == "throughput":  # each request has a part of the cores to itself
            self.side_by_side = self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.side_by_side):
            self._requests.put(self._compiled.create_infer_request())

    def run(self, **inputs: Array) -> Array:
        request = self._requests.get()
        try:
            # A copy: others use the request next.
            answer: Array = request.infer(inputs, share_inputs=True, share_outputs=False)[0]
        except (RuntimeError, MemoryError) as error:
            raise why_it_failed(self._path, "OpenVINO", error) from error
        finally:
            self._requests.put(request)
        return answer


def _options(network: Network, settings: Settings) -> dict[str, Any]:
    """OpenVINO's names for them.

    What sees the whole frame stays in float32: it costs little, and an error there is one of every pixel (a curve of
    `default` estimated in bf16 is off by more than a stop: measured).

    Raises:
        ExecutorError: this CPU has no such precision.
    """
    if settings.precision == "fp16":
        problem = "computes in float32 or bf16, and was asked for fp16"
        raise ExecutorError("executor openvino", problem, "fp16 is for GPUs; give --precision auto")
    if settings.precision == "bf16" and "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise ExecutorError("executor openvino", "was asked for bf16, which this CPU has not", "give --precision auto")
    options: dict[str, Any] = {
        # Where the CPU has bfloat16, OpenVINO would take it unasked.
        "INFERENCE_PRECISION_HINT": "bf16" if settings.precision == "bf16" and not network.sees_whole_frame else "f32",
        "PERFORMANCE_HINT": settings.hint.upper(),
    }
    if settings.threads is not None:
        options["INFERENCE_NUM_THREADS"] = settings.threads
    most = settings.side_by_side
    if most is not None and most < (settings.threads or cores()):  # else it limits nothing, and is not worth a blob
        options["PERFORMANCE_HINT_NUM_REQUESTS"] = most
    return options


def _compiled(path: Path, sha256: str, options: dict[str, Any], folder: Path | None) -> Any:
    """The compiled network: from the cache folder, else compiled and kept there.

    OpenVINO's own cache (CACHE_DIR) knows files by name and time, and takes one with damaged weights for good
    (measured): hence ours.
    """
    file = None if folder is None else folder / "openvino" / f"{path.stem}-{_key(sha256, options)}.blob"
    if file is not None and (blob := kept(file)):
        try:
            return core().import_model(blob, "CPU", options)
        except RuntimeError:  # OpenVINO's own reasons to refuse it; it is compiled anew
            pass
    try:
        compiled = core().compile_model(path, "CPU", options)
    except RuntimeError as error:
        problem = f"OpenVINO cannot compile it: {' '.join(str(error).split())[:200]}"
        raise ExecutorError(path, problem, "try --executor torch, or export the model again") from error
    if file is not None:
        keep(file, compiled.export_model().getvalue())
    return compiled


def _key(sha256: str, options: dict[str, Any]) -> str:
    cpu = [core().get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    compiled_from = [sha256, openvino().get_version(), cpu, options]
    return hashlib.sha256(json.dumps(compiled_from, sort_keys=True).encode()).hexdigest()[:32]


@cache
def core() -> Any:
    """OpenVINO, the one that this process has.

    Another Core must not come and go beside it: its CPU plugin gives the thread that loads it a stack for signals, and
    takes the memory away when it ends, whatever thread that is in. Python's handlers run there: the next Ctrl-C would
    end the process with a segmentation fault (2026.4: measured).
    """
    return openvino().Core()


def openvino() -> ModuleType:
    """The library, imported without its telemetry: on import it tells Google Analytics so, in a process of its own."""
    telemetry = "openvino_telemetry"
    if telemetry not in sys.modules:
        sys.modules[telemetry] = None  # type: ignore[assignment]  # how Python is told that there is no such module
        try:
            import_module("openvino")  # here, so that `import hdrnodes` stays light
        finally:
            del sys.modules[telemetry]
    return import_module("openvino")
