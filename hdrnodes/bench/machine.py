"""What a machine is, for whoever reads figures of it later."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

import psutil

from hdrnodes import __version__
from hdrnodes.machine import cores, processor, versions

PACKAGES = ("numpy", "OpenImageIO", "openvino", "torch", "tensorrt")


def this_machine() -> dict[str, Any]:
    """Its processor, cores, memory, GPU, system, and the versions of what runs networks."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": cores(),
        "memory": psutil.virtual_memory().total,
        "gpu": _gpu(),
        "system": platform.platform(),
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "versions": {"hdrnodes": __version__, "python": platform.python_version(), **versions(PACKAGES)},
    }


def _gpu() -> str | None:
    if not find_spec("torch"):
        return None
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None
