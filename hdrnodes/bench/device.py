"""The clock, and the memory, of what runs the networks: a CPU, or an NVIDIA GPU through torch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hdrnodes import transfer
from hdrnodes.pixelwise import pixelwise
from hdrnodes.runtime.executor import Executor


def has_gpu(executor: type[Executor]) -> bool:
    """Whether an executor's work is on a GPU here, which torch sees."""
    if not executor.on_device or not find_spec("torch"):
        return False
    import torch

    return torch.cuda.is_available()


class Device:
    """Where an executor works. On a GPU all times are between events before and after all that it had to do.

    Args:
        executor: the one that was taken.
    """

    def __init__(self, executor: type[Executor]) -> None:
        self.is_gpu = has_gpu(executor)
        self._free_before = self._free() if self.is_gpu else 0

    def time(self, work: Callable[[], object]) -> tuple[float, float]:
        """Seconds on the clock, and CPU-seconds of all threads."""
        return self._time_on_gpu(work) if self.is_gpu else self._time(work)

    def _time(self, work: Callable[[], object]) -> tuple[float, float]:
        cpu, clock = time.process_time(), time.perf_counter()
        work()
        return time.perf_counter() - clock, time.process_time() - cpu

    def _time_on_gpu(self, work: Callable[[], object]) -> tuple[float, float]:
        import torch

        event: Any = torch.cuda.Event  # its constructor has no types
        begun, done = event(enable_timing=True), event(enable_timing=True)
        # Executors may have streams of their own, which an event on torch's does not wait for: the device does.
        torch.cuda.synchronize()
        begun.record()
        _, cpu = self._time(work)
        torch.cuda.synchronize()
        done.record()
        done.synchronize()
        milliseconds: float = begun.elapsed_time(done)
        return milliseconds / 1000, cpu

    def place(self, pixels: np.ndarray[Any, Any]) -> Any:
        """Pixels where the executor works: as they are, or a tensor of the GPU."""
        if not self.is_gpu:
            return pixels
        import torch

        return torch.from_numpy(pixels).cuda()

    def halves(self, pixels: Any) -> np.ndarray[Any, Any]:
        """Pixels as half floats in the CPU's memory; from a GPU they travel as such."""
        if not self.is_gpu:
            return pixelwise(lambda band: band.astype(np.float16), pixels)
        return transfer.halves(pixels)[0]

    def memory(self) -> int | None:
        """Bytes of the GPU that this process took: what torch did at its fullest, or, of who else allocates, holds."""
        if not self.is_gpu:
            return None
        import torch

        return max(torch.cuda.max_memory_allocated(), self._free_before - self._free())

    def _free(self) -> int:
        import torch

        return int(torch.cuda.mem_get_info()[0])


def forget_peak() -> None:
    """Let `peak_memory` begin anew, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory() -> int | None:
    """Bytes of this process at its fullest; None where the system does not say."""
    try:
        # Not getrusage's on Linux: a process inherits that from who started it.
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        if sys.platform == "win32":
            return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
