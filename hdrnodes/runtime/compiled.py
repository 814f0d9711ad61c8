"""What executors compiled and keep in the cache, each in a folder of its name; for `doctor` to show, and to empty.

Other things in the cache, as the weights of metrics, were brought there by the user, and stay.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from hdrnodes.errors import WriteError

NETWORKS = (".blob", ".plan")  # files that each are one; those beside them only save time, too


class Compiled(NamedTuple):
    """How many networks an executor keeps, and the bytes of all that it keeps."""

    networks: int
    size: int


def compiled(cache: Path, executors: Iterable[str]) -> dict[str, Compiled]:
    """What there is of each executor that keeps something."""
    found = {}
    for name in executors:
        sizes = [(file.suffix, _size(file)) for file in _files(cache / name)]
        if sizes:
            found[name] = Compiled(sum(suffix in NETWORKS for suffix, _ in sizes), sum(size for _, size in sizes))
    return found


def forget(cache: Path, executors: Iterable[str]) -> None:
    """Remove it all; the next run compiles anew.

    Raises:
        WriteError: a file may not be removed.
    """
    for name in executors:
        folder = cache / name
        if not folder.is_dir():
            continue
        try:
            shutil.rmtree(folder)
        except OSError as error:
            remedy = "end what uses it, or remove it by hand"
            raise WriteError(error.filename or folder, f"cannot be removed: {error.strerror}", remedy) from error


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()] if folder.is_dir() else []


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # another has just removed it
        return 0
