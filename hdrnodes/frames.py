"""Frames: where the pixels of whole pictures lie. In memory; in scratch files where a job may not take so much.

    with allowed(4_000_000_000):          # bytes, for everything below
        pixels = zeros((8192, 16384, 3))  # 1.6 GB, of which a job needs several: lies in a file
        for rows in bands:
            pixels[rows] = ...
            release(pixels[rows])         # the memory, not what is in it

A scratch file has no name, and goes with the last array that looks into it. Its pages are the system's cache: written
out and dropped when others need the memory, and no longer this process's once they are released.
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hdrnodes.errors import WriteError

Pixels = npt.NDArray[np.float32]

AT_ONCE = 5  # frames of one size: refine's three inputs, its answer, and one for what nodes make on the way
SHARE = 0.8  # of the memory that is free, when nobody says how much may be taken
BAND = 4_000_000  # pixels
PROCESS = 330_000_000  # bytes: Python, its libraries, the small things, edges while they are looked for; measured

_allowed: ContextVar[int | None] = ContextVar("allowed", default=None)


def available() -> int:
    """Bytes of memory that can be taken without pushing others out: the machine's, or this container's."""
    import psutil

    free = [int(psutil.virtual_memory().available)]
    for limit, used, reclaimable in (
        ("memory.max", "memory.current", "inactive_file "),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file "),
    ):
        try:
            folder = Path("/sys/fs/cgroup")
            most, taken = (int((folder / name).read_text()) for name in (limit, used))
            lines = (folder / used).with_name("memory.stat").read_text().splitlines()
            cached = sum(int(line.split()[1]) for line in lines if line.startswith(reclaimable))
        except (OSError, ValueError):  # no such thing here; "max" is no number, and no limit
            continue
        free.append(max(most - taken + cached, 0))
    return min(free)


@contextmanager
def allowed(memory: int | None) -> Iterator[int]:
    """Within this, frames of one job, networks and all else are to fit into so many bytes; None is a share of what is
    free. Gives the number."""
    taken = memory or int(SHARE * available())
    token = _allowed.set(taken)
    try:
        yield taken
    finally:
        _allowed.reset(token)


def in_memory(frame_bytes: int, memory: int) -> int:
    """What a job's frames take of so much memory: as many as it holds at a time; 0 where they lie in files instead.

    At most half: networks need the rest.
    """
    together = AT_ONCE * frame_bytes
    return together if 2 * together <= memory - PROCESS else 0


def zeros(shape: tuple[int, ...]) -> Pixels:
    """H x W x C float32; in a scratch file where `allowed` leaves no room for a job of such frames.

    To be zero costs nothing: the system hands out large pieces of memory, and files, so.

    Raises:
        WriteError: the folder for temporary files ($TMPDIR, or /var/tmp) has no room.
    """
    size = 4 * shape[0] * shape[1] * shape[2]
    memory = _allowed.get()
    if memory is None or in_memory(4 * shape[0] * shape[1] * max(shape[2], 3), memory):
        return np.zeros(shape, np.float32)
    return np.ndarray(shape, np.float32, buffer=_scratch(size))


def bands(height: int, width: int) -> Iterator[slice]:
    """Rows of a frame that are read, copied or written at a time: some megabytes of them."""
    step = max(16, BAND // width)
    for first in range(0, height, step):
        yield slice(first, min(first + step, height))


def copy(pixels: Pixels) -> Pixels:
    """The same pixels, row after row in memory or in a scratch file, as `zeros` has it."""
    room = zeros(pixels.shape)
    for rows in bands(*pixels.shape[:2]):
        room[rows] = pixels[rows]
        release(room[rows])
        release(pixels[rows])
    return room


class Scratch(mmap.mmap):
    """A scratch file in memory. Only of these is memory let go of: a caller's own mapping might lose what is in it."""


def _scratch(size: int) -> Scratch:
    folder = os.environ.get("TMPDIR") or ("/var/tmp" if Path("/var/tmp").is_dir() else tempfile.gettempdir())
    try:
        with tempfile.TemporaryFile(dir=folder, prefix="hdrnodes-") as file:
            if hasattr(os, "posix_fallocate"):  # without, a disk that fills up would end the process, not raise
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return Scratch(file.fileno(), size)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.ENOENT, errno.ENOTDIR):
            raise
        problem = f"a scratch file of {size / 1e9:.1f} GB cannot be made there ({error.strerror})"
        raise WriteError(folder, problem, "allow more --memory, or set $TMPDIR to a folder with room") from error


def release(pixels: npt.NDArray[np.generic]) -> None:
    """Let go of the memory behind an array or a part of one, if it lies in a scratch file; nothing is lost.

    Whoever reads it again reads the file. Arrays in memory stay as they are.
    """
    owner = scratch_of(pixels)
    if owner is None or not hasattr(mmap, "MADV_DONTNEED"):
        return
    start = pixels.__array_interface__["data"][0] - np.frombuffer(owner, np.uint8).__array_interface__["data"][0]
    stop = start + abs(pixels.strides[0]) * pixels.shape[0]
    start -= start % mmap.PAGESIZE
    owner.madvise(mmap.MADV_DONTNEED, start, min(stop, len(owner)) - start)


def scratch_of(pixels: npt.NDArray[np.generic]) -> Scratch | None:
    """The scratch file that an array looks into; None for what lies in memory."""
    owner: object = pixels
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return owner if isinstance(owner, Scratch) else None
