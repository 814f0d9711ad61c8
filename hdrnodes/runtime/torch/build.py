"""Whether torch has a GPU to run on. To import torch takes two seconds: it is done last."""

from __future__ import annotations

import ast
import warnings
from importlib.util import find_spec
from pathlib import Path

from hdrnodes.runtime.gpus import Gpu, has_driver


def why_not_installed() -> str | None:
    """None where the packages are there, else what is missing, and how to get it."""
    missing = [name for name in ("torch", "safetensors") if not find_spec(name)]
    return f"{' and '.join(missing)} not installed; pip install 'hdrnodes[train]'" if missing else None


def why_no_gpu() -> str | None:
    """None where torch, which is installed, can use a GPU here, else why not."""
    if not is_built_for_cuda():
        return "this torch is built without CUDA; https://pytorch.org/get-started has others"
    if not has_driver():
        return "there is no NVIDIA driver"
    try:
        import torch

        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")  # torch tells of a driver that is too old in a warning
            if torch.cuda.is_available():
                return None
    except (ImportError, OSError, RuntimeError) as error:
        return f"torch cannot be imported: {_one_line(error)}"
    return _one_line(said[0].message) if said else "torch finds no GPU ($CUDA_VISIBLE_DEVICES may hide it)"


def is_built_for_cuda() -> bool:
    """What torch's own version file says; True, so that torch itself is asked, where it does not say."""
    spec = find_spec("torch")
    try:
        lines = ast.parse(Path(spec.origin).with_name("version.py").read_text()).body if spec and spec.origin else []
    except (OSError, SyntaxError, ValueError):
        return True
    for line in lines:
        target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
        if isinstance(target, ast.Name) and target.id == "cuda":
            value = getattr(line, "value", None)
            return not (isinstance(value, ast.Constant) and value.value is None)
    return True


def gpus_of_torch() -> list[Gpu]:
    """Those that torch, which can use one here, shows to programs."""
    import torch

    found = []
    for index in range(torch.cuda.device_count()):
        about, (free, total) = torch.cuda.get_device_properties(index), torch.cuda.mem_get_info(index)
        found.append(Gpu(about.name, f"{about.major}.{about.minor}", total, free, driver=None))
    return found


def _one_line(said: object) -> str:
    return " ".join(str(said).split())[:200]
