"""Files that are written whole, or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hdrnodes.errors import WriteError


@contextmanager
def whole_file(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """A hidden name in the same folder to write to; it becomes `path` at the end, or goes away on an error.

    A reader, or a job that is killed, never finds half a file under the real name.

    Raises:
        WriteError: the file exists and is not to be replaced; its folder is missing or not writable; the disk is
            full.
    """
    temporary = path.with_name(f"{_hidden(path)}{_machine()}-{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")
    try:
        check_writable(path, overwrite)
        _sweep(path)
        yield temporary
        _settle(temporary)
        temporary.replace(path)
    except WriteError:
        raise
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        _remove(temporary)


def cannot_write(path: Path, error: OSError) -> WriteError:
    """The one line about what the system said."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WriteError(path, "could not be written, for the disk is full", "free some space, or choose another disk")
    return WriteError(path, f"could not be written ({error.strerror})", "choose another folder or name")


def check_writable(path: Path, overwrite: bool = False) -> None:
    """Find out, without writing, whether a file could be written there.

    Raises:
        WriteError: it exists and is not to be replaced; its folder is missing or not writable; it is no name.
    """
    folder = path.parent
    try:
        if path.is_dir():
            raise WriteError(path, "is a folder", "give the name of a file")
        if path.exists() and not overwrite:
            raise WriteError(path, "exists already", "choose another name, or --overwrite")
        if not folder.exists():
            raise WriteError(folder, "does not exist, and is to be written to", "make it first")
        if not folder.is_dir():
            raise WriteError(folder, "is not a folder, and is to be written to", "check the path")
        if not os.access(folder, os.W_OK):
            raise WriteError(folder, "is not writable", "choose another, or change its permissions")
    except WriteError:
        raise
    except OSError as error:  # a name that is too long
        raise cannot_write(path, error) from error


def _hidden(path: Path) -> str:
    """How the hidden names start of what is to become this file."""
    return f".hdrnodes-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:10]}-"


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def _sweep(path: Path) -> None:
    """Remove what runs left that were killed while they wrote this file. Of another machine it may be alive: a day old
    it is not."""
    for left in path.parent.glob(f"{_hidden(path)}*"):
        machine, process, *_ = left.name.removeprefix(_hidden(path)).split("-")
        try:
            old = time.time() - left.stat().st_mtime > 86_400
        except OSError:  # another has just swept it
            continue
        if old or (machine == _machine() and not _is_alive(process)):
            _remove(left)


def _is_alive(process: str) -> bool:
    if os.name != "posix" or not process.isdecimal():  # elsewhere, os.kill ends the process in place of asking
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is somebody else's
        return True
    return True


def _settle(temporary: Path) -> None:
    """Have the system put it on the disk before it gets its name: after a power cut it is whole, or not there."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())


def _remove(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:  # the folder is no folder, or the name too long: it was never made, and that was said
        return
