"""Which executor runs the networks here, and why not a better one."""

from __future__ import annotations

import ctypes.util
import sys
from collections.abc import Mapping

from hdrnodes.errors import ExecutorError
from hdrnodes.runtime.executor import Executor
from hdrnodes.spelling import did_you_mean


def choose_executor(name: str, executors: Mapping[str, type[Executor]]) -> tuple[type[Executor], str]:
    """The executor of that name; for "auto" the best that runs here. And why, in one line.

    Raises:
        ExecutorError: there is none of that name, or it cannot run here.
    """
    if name != "auto":
        if name not in executors:
            raise ExecutorError(f"executor {name}", "not known", did_you_mean(name, ["auto", *executors]))
        if reason := executors[name].why_not():
            raise ExecutorError(f"executor {name}", f"cannot run here: {reason}", "or let --executor auto choose")
        return executors[name], f"{name}, as asked for"
    # Best first. Torch comes before OpenVINO only for its CUDA; importing it just to ask would cost two seconds.
    order = ["torch", "openvino"] if has_cuda_driver() else ["openvino", "torch"]
    passed_over: list[str] = []
    for candidate in order:
        if candidate not in executors:
            continue
        reason = executors[candidate].why_not()
        if reason is None:
            return executors[candidate], "; ".join([candidate, *passed_over])
        passed_over.append(f"not {candidate}: {reason}")
    raise ExecutorError("executor auto", "; ".join(passed_over) or "none is installed", "pip install openvino")


def has_cuda_driver() -> bool:
    """Whether NVIDIA's driver library is installed."""
    return ctypes.util.find_library("nvcuda" if sys.platform == "win32" else "cuda") is not None
