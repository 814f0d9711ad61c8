"""Plugins that are files: what in a folder is one, and how it is imported."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType


def plugin_files(folder: Path) -> list[Path]:
    """The `*.py` files of a folder and its packages' `__init__.py`, by name; none that begins with _ or ."""
    files = [file for file in folder.glob("*.py") if file.name[0] not in "_."]
    packages = [file for file in folder.glob("*/__init__.py") if file.parent.name[0] not in "_."]
    return sorted(files + packages, key=lambda file: (file.parent if file in packages else file).name)


def import_file(file: Path, name: str) -> ModuleType:
    """Import a plugin from where it lies; whatever it raises goes through.

    Its module is called `hdrnodes_plugin_NAME`, so that `grain.py` on the path shadows no installed `grain`.
    """
    module_name = f"hdrnodes_plugin_{name}"
    package = [str(file.parent)] if file.name == "__init__.py" else None
    spec = spec_from_file_location(module_name, file, submodule_search_locations=package)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = module_from_spec(spec)
    sys.modules[module_name] = module  # before it runs: a package imports its own parts, pydantic looks here for types
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module
