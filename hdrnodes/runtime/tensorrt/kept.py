"""Files of the cache. They save time, and nothing is lost with them."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from hdrnodes.errors import WriteError
from hdrnodes.whole_file import cannot_write, whole_file

log = logging.getLogger("hdrnodes")

SUFFIXES = (".plan", ".jit", ".timing")
DAYS = 60  # without use, then a file goes: of models, libraries and drivers that are no more


def write(path: Path, data: bytes) -> None:
    """Write a file of the cache, whole, and its folder. Raises WriteError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    with whole_file(path, overwrite=True) as temporary:
        temporary.write_bytes(data)


def keep(path: Path, data: bytes) -> None:
    """Write a file of the cache; where that is not possible, say so and go on."""
    try:
        write(path, data)
    except WriteError as error:
        log.warning("%s", error)


def kept(path: Path | None) -> bytes | None:
    """What is in a file of the cache, which is in use then; None where there is none."""
    if path is None:
        return None
    try:
        data = path.read_bytes()
        path.touch()
    except OSError:
        return None
    return data


def prune(folder: Path) -> None:
    """Remove what nobody has used for long."""
    for file in folder.iterdir():
        try:
            if file.suffix in SUFFIXES and time.time() - file.stat().st_mtime > DAYS * 86_400:
                file.unlink()
        except OSError:  # another has just removed it
            continue
