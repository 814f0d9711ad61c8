"""The NVIDIA GPUs of this machine, asked without torch, TensorRT or pycuda."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

_ASKED = ("name", "compute_cap", "memory.total", "memory.free", "driver_version")
MIB = 1 << 20


@dataclass(frozen=True)
class Gpu:
    """What `doctor` tells of a GPU.

    Attributes:
        name: NVIDIA's.
        compute_capability: "9.0".
        memory, free_memory: bytes.
        driver: its version; None where only torch could be asked.
    """

    name: str
    compute_capability: str
    memory: int
    free_memory: int
    driver: str | None


def has_driver() -> bool:
    """Whether NVIDIA's driver library can be loaded; it is part of the driver, not of CUDA."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def gpus() -> list[Gpu]:
    """All that the driver knows, whatever `$CUDA_VISIBLE_DEVICES` says; none where `nvidia-smi`, which comes with the
    driver, is not there or fails."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, f"--query-gpu={','.join(_ASKED)}", "--format=csv,noheader,nounits"]
    try:
        ran = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [_gpu(line) for line in ran.stdout.splitlines() if line.count(",") == len(_ASKED) - 1]


@cache
def driver_version() -> str | None:
    """The driver's, "580.65.06", which all GPUs share; asked once. None where `nvidia-smi` cannot be."""
    return next((gpu.driver for gpu in gpus()), None)


def _gpu(line: str) -> Gpu:
    """
    >>> _gpu("NVIDIA H200, 9.0, 143771, 143000, 580.65.06")
    Gpu(name='NVIDIA H200', compute_capability='9.0', memory=150754820096, free_memory=149946368000, driver='580.65.06')
    """
    name, capability, total, free, driver = (part.strip() for part in line.split(","))
    return Gpu(name, capability, _bytes(total), _bytes(free), driver)


def _bytes(mebibytes: str) -> int:
    """0 for the `[N/A]` of GPUs that share the machine's memory."""
    return int(mebibytes) * MIB if mebibytes.isdigit() else 0
