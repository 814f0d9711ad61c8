"""Files of the cache: they save time, and nothing is lost with them."""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path

from hdrnodes.errors import WriteError
from hdrnodes.whole_file import cannot_write, whole_file

log = logging.getLogger("hdrnodes")

MAGIC = b"hdrnodes kept 1\n"
DAYS = 60  # without use, then a file goes: of models, libraries and drivers that are no more


def keep(path: Path, data: bytes) -> None:
    """As `write`; where that is not possible, say so and go on."""
    try:
        write(path, data)
    except WriteError as error:
        log.warning("%s", error)


def write(path: Path, data: bytes) -> None:
    """Write a file of the cache, whole, behind a hash of its bytes; its folder is made where there is none.

    The folder has files of the cache alone, and those that nobody has used for long go.

    Raises:
        WriteError: the folder cannot be made, or the file not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    with whole_file(path, overwrite=True) as temporary:
        temporary.write_bytes(MAGIC + hashlib.sha256(data).digest() + data)
    _prune(path.parent)


def kept(path: Path) -> bytes | None:
    """What was kept in a file; None where there is none, or a damaged one."""
    try:
        data = path.read_bytes()
        path.touch()
    except OSError:
        return None
    start = len(MAGIC) + hashlib.sha256().digest_size
    intact = data.startswith(MAGIC) and hashlib.sha256(data[start:]).digest() == data[len(MAGIC) : start]
    return data[start:] if intact else None


def _prune(folder: Path) -> None:
    for file in folder.iterdir():
        try:
            if time.time() - file.stat().st_mtime > DAYS * 86_400:
                file.unlink()
        except OSError:  # another has just removed it
            continue
