"""`hdrnodes doctor`: what works here, and why the rest does not."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.exceptions import Exit

from hdrnodes import __version__
from hdrnodes.cli.telling import json_option, print_json, table_console, verbose_option
from hdrnodes.errors import ExecutorError, HdrnodesError, ModelError

if TYPE_CHECKING:
    from hdrnodes.plugins import Plugins


@click.command()
@json_option
@verbose_option
def doctor(as_json: bool) -> None:
    """Say what works here: formats, executors, models, plugins.

    Exit code 1 where no executor can run, or a model that comes with hdrnodes is broken.
    """
    from hdrnodes.plugins import installed_plugins

    plugins = installed_plugins()
    found: dict[str, Any] = {
        "hdrnodes": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        "packages": _packages(),
        "formats": _formats(),
        "executors": _executors(plugins),
        "models": _models(plugins),
        "plugins": _plugins(plugins),
        "cache": _cache(),
        "ocio": _ocio(),
    }
    if as_json:
        print_json(found)
    else:
        _print(found)
    broken = [model for model in found["models"] if model["problem"] and model["plugin"] == "hdrnodes"]
    if broken or not found["models"] or not any(executor["runs"] for executor in found["executors"]):
        raise Exit(1)


def _packages() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for name in ("numpy", "OpenImageIO", "openvino", "torch"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _formats() -> dict[str, list[str]]:
    """Pictures that can be read, as OpenImageIO calls their kinds, and written, by extension."""
    import OpenImageIO as oiio

    from hdrnodes.file_formats import FILE_FORMATS

    kinds = oiio.get_string_attribute("input_format_list").split(",")
    return {"read": sorted({*kinds} - {"", "null"}), "write": list(FILE_FORMATS)}


def _executors(plugins: Plugins) -> list[dict[str, Any]]:
    from hdrnodes.runtime.choose import Choice

    try:
        choice = Choice("auto", plugins.executors)
        taken, reason = choice.executor.name, choice.reason
    except ExecutorError as error:
        taken, reason = None, str(error)
    found = []
    for name, executor in plugins.executors.items():
        why_not = executor.why_not()
        auto = reason if name == taken else None
        found.append({"name": name, "runs": why_not is None, "why_not": why_not, "auto": auto})
    return found


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


def _cache() -> str | None:
    from hdrnodes.runtime.executor import cache_folder

    folder = cache_folder()
    return None if folder is None else str(folder)


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
    table.add_row("reads", ", ".join(found["formats"]["read"]))
    table.add_row("writes", ", ".join(found["formats"]["write"]))
    for executor in found["executors"]:
        state = "runs here" + (", and is what auto takes" if executor["auto"] else "")
        table.add_row(f"executor {executor['name']}", executor["why_not"] or state)
    for model in found["models"]:
        healthy = f"{model['version']}, {model['licence']}, files as their hashes say; {model['folder']}"
        table.add_row(f"model {model['name']}", f"BROKEN: {model['problem']}" if model["problem"] else healthy)
    if not found["models"]:
        table.add_row("model", "none is installed")
    for name, source in found["plugins"]["loaded"].items():
        table.add_row(f"plugin {name}", source)
    for name, reason in found["plugins"]["skipped"].items():
        table.add_row(f"plugin {name}", f"SKIPPED: {reason}")
    table.add_row("cache", found["cache"] or "none, for its folder cannot be written")
    ocio = found["ocio"]
    table.add_row("OCIO", f"{ocio['config']}, {ocio['spaces']} colour spaces" + _problem(ocio.get("problem")))
    table_console().print(table)


def _problem(problem: str | None) -> str:
    return f"; PROBLEM: {problem}" if problem else ""
