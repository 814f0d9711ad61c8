"""`hdrnodes doctor`: what works here, and why the rest does not."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.exceptions import Exit

from hdrnodes import __version__
from hdrnodes.cli.telling import json_option, print_json, table_console, verbose_option
from hdrnodes.errors import ExecutorError, HdrnodesError, ModelError

if TYPE_CHECKING:
    from hdrnodes.plugins import Plugins


PACKAGES = (
    "numpy",
    "OpenImageIO",
    "openvino",
    "torch",
    "onnx",
    "tensorrt",
    "tensorrt-rtx",
    "tensorrt-rtx-cu13-bindings",
    "pycuda",
    "cuda-bindings",
)


@click.command()
@click.option("--clear-cache", is_flag=True, help="First remove the compiled networks; the next run makes them anew.")
@json_option
@verbose_option
def doctor(clear_cache: bool, as_json: bool) -> None:
    """Say what works here: devices, formats, executors, models, plugins.

    Exit code 1 where no executor can run, or a model that comes with hdrnodes is broken.
    """
    from hdrnodes.machine import versions
    from hdrnodes.plugins import installed_plugins

    plugins = installed_plugins()
    cleared = _clear_cache(plugins) if clear_cache else None
    found: dict[str, Any] = {
        "hdrnodes": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        "packages": versions(PACKAGES),
        "cpu": _cpu(),
        "memory": _memory(),
        "gpus": _gpus(),
        "formats": _formats(),
        "executors": _executors(plugins),
        "auto": _auto(plugins),
        "models": _models(plugins),
        "plugins": _plugins(plugins),
        "cache": _cache(plugins, cleared),
        "ocio": _ocio(),
    }
    if as_json:
        print_json(found)
    else:
        _print(found)
    broken = [model for model in found["models"] if model["problem"] and model["plugin"] == "hdrnodes"]
    if broken or not found["models"] or not any(executor["runs"] for executor in found["executors"]):
        raise Exit(1)


def _cpu() -> dict[str, Any]:
    from hdrnodes.machine import cores, instructions, processor

    return {"name": processor(), "cores": cores(), "instructions": instructions()}


def _memory() -> dict[str, int]:
    import psutil

    from hdrnodes.frames import available

    return {"free": available(), "total": psutil.virtual_memory().total}


def _gpus() -> list[dict[str, Any]]:
    from hdrnodes.runtime.gpus import gpus
    from hdrnodes.runtime.torch import TorchOnGpu
    from hdrnodes.runtime.torch.build import gpus_of_torch

    found = gpus()
    if not found and TorchOnGpu.why_not() is None:  # containers may lack nvidia-smi
        found = gpus_of_torch()
    return [asdict(gpu) for gpu in found]


def _formats() -> dict[str, list[str]]:
    """Pictures that can be read, as OpenImageIO calls their kinds, and written, by extension."""
    import OpenImageIO as oiio

    from hdrnodes.file_formats import FILE_FORMATS

    kinds = oiio.get_string_attribute("input_format_list").split(",")
    return {"read": sorted({*kinds} - {"", "null"}), "write": list(FILE_FORMATS)}


def _executors(plugins: Plugins) -> list[dict[str, Any]]:
    """Whether each runs; of those for any machine, whether on a GPU, too."""
    found = []
    for name, executor in plugins.executors.items():
        why_not, on_gpu = executor.why_not(), executor.on_gpu
        why_not_gpu = on_gpu.why_not() if on_gpu else None
        found.append({"name": name, "runs": why_not is None, "why_not": why_not, "why_not_on_gpu": why_not_gpu})
    return found


def _auto(plugins: Plugins) -> dict[str, str | None]:
    from hdrnodes.runtime.choose import Choice

    try:
        choice = Choice("auto", plugins.executors)
    except ExecutorError as error:
        return {"takes": None, "reason": str(error)}
    return {"takes": choice.executor.name, "reason": choice.reason}


def _models(plugins: Plugins) -> list[dict[str, Any]]:
    return [
        {"name": name, "folder": str(folder), "plugin": plugins.owner("model", name), **_model(folder)}
        for name, folder in plugins.models.items()
    ]


def _model(folder: Path) -> dict[str, Any]:
    """What a model folder says of itself, and what is wrong with it; every file's hash is checked."""
    from hdrnodes.models import Model

    about: dict[str, Any] = {"version": None, "licence": None, "stages": [], "problem": None}
    try:
        model = Model.load(folder)
        about |= {"version": model.version, "licence": model.licence, "stages": list(model.stages)}
        for network in model.networks():
            network.verified_onnx()
            network.verified_safetensors()
    except ModelError as error:
        about["problem"] = str(error)
    return about


def _plugins(plugins: Plugins) -> dict[str, dict[str, str]]:
    skipped = {
        name: str(error) if isinstance(error, HdrnodesError) else f"{type(error).__name__}: {error}"
        for name, error in plugins.skipped.items()
    }
    return {"loaded": dict(plugins.sources), "skipped": skipped}


def _clear_cache(plugins: Plugins) -> int:
    """Bytes that were freed."""
    from hdrnodes.runtime.compiled import compiled, forget
    from hdrnodes.runtime.executor import cache_folder

    folder = cache_folder()
    if folder is None:
        return 0
    size = sum(kept.size for kept in compiled(folder, plugins.executors).values())
    forget(folder, plugins.executors)
    return size


def _cache(plugins: Plugins, cleared: int | None) -> dict[str, Any] | None:
    from hdrnodes.runtime.compiled import compiled
    from hdrnodes.runtime.executor import cache_folder

    folder = cache_folder()
    if folder is None:
        return None
    kept = {name: found._asdict() for name, found in compiled(folder, plugins.executors).items()}
    return {"folder": str(folder), "compiled": kept, **({} if cleared is None else {"cleared": cleared})}


def _ocio() -> dict[str, Any]:
    import OpenImageIO as oiio

    config = oiio.ColorConfig()
    problem = " ".join(config.geterror().split()) or None
    return {"config": os.environ.get("OCIO") or "ocio://default", "spaces": len(config.getColorSpaceNames())} | (
        {"problem": problem} if problem else {}
    )


def _print(found: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    versions = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    table.add_row("hdrnodes", f"{found['hdrnodes']}; Python {found['python']}; {versions}")
    table.add_row(
        "CPU", ", ".join([found["cpu"]["name"], _some(found["cpu"]["cores"], "core"), *found["cpu"]["instructions"]])
    )
    table.add_row("memory", f"{_gigabytes(found['memory']['free'])} free of {_gigabytes(found['memory']['total'])}")
    for index, gpu in enumerate(found["gpus"]):
        table.add_row(f"GPU {index}", _gpu_line(gpu))
    if not found["gpus"]:
        table.add_row("GPU", "no NVIDIA GPU is found")
    table.add_row("reads", ", ".join(found["formats"]["read"]))
    table.add_row("writes", ", ".join(found["formats"]["write"]))
    for executor in found["executors"]:
        on_gpu = f"; not on a GPU: {executor['why_not_on_gpu']}" if executor["why_not_on_gpu"] else ""
        table.add_row(f"executor {executor['name']}", executor["why_not"] or f"runs here{on_gpu}")
    table.add_row(
        "executor auto", f"takes {found['auto']['reason']}" if found["auto"]["takes"] else found["auto"]["reason"]
    )
    for model in found["models"]:
        healthy = f"{model['version']}, {model['licence']}, files as their hashes say; {model['folder']}"
        table.add_row(f"model {model['name']}", f"BROKEN: {model['problem']}" if model["problem"] else healthy)
    if not found["models"]:
        table.add_row("model", "none is installed")
    for name, source in found["plugins"]["loaded"].items():
        table.add_row(f"plugin {name}", source)
    for name, reason in found["plugins"]["skipped"].items():
        table.add_row(f"plugin {name}", f"SKIPPED: {reason}")
    table.add_row("cache", _cache_line(found["cache"]))
    ocio = found["ocio"]
    table.add_row("OCIO", f"{ocio['config']}, {ocio['spaces']} colour spaces" + _problem(ocio.get("problem")))
    table_console().print(table)


def _problem(problem: str | None) -> str:
    return f"; PROBLEM: {problem}" if problem else ""


def _cache_line(cache: Mapping[str, Any] | None) -> str:
    if cache is None:
        return "none, for its folder cannot be written"
    parts = [cache["folder"]]
    if "cleared" in cache:
        parts.append(f"{_megabytes(cache['cleared'])} removed")
    kept = cache["compiled"].items()
    parts += [f"{_some(each['networks'], 'network')} of {name} ({_megabytes(each['size'])})" for name, each in kept]
    return ", ".join(parts if kept else [*parts, "no compiled networks"])


def _gpu_line(gpu: Mapping[str, Any]) -> str:
    shared = "the machine's memory"
    memory = f"{_gigabytes(gpu['free_memory'])} free of {_gigabytes(gpu['memory'])}" if gpu["memory"] else shared
    driver = f"driver {gpu['driver'] or 'not known'}"
    return f"{gpu['name']}, compute capability {gpu['compute_capability']}, {memory}, {driver}"


def _some(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
