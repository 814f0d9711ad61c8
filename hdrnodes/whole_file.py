"""Files that are written whole, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
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
    temporary = path.with_name(f".hdrnodes-{secrets.token_hex(6)}{path.suffix}")
    try:
        check_writable(path, overwrite)
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
            raise WriteError(path, "exists already", "choose another name, or overwrite")
        if not folder.exists():
            raise WriteError(path, f"its folder {folder} does not exist", "make it first")
        if not folder.is_dir():
            raise WriteError(path, f"{folder} is not a folder", "check the path")
        if not os.access(folder, os.W_OK):
            raise WriteError(path, f"its folder {folder} is not writable", "choose another, or change its permissions")
    except WriteError:
        raise
    except OSError as error:  # a name that is too long
        raise cannot_write(path, error) from error


def _settle(temporary: Path) -> None:
    """Have the system put it on the disk before it gets its name: after a power cut it is whole, or not there."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())


def _remove(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:  # the folder is no folder, or the name too long: it was never made, and that was said
        return
