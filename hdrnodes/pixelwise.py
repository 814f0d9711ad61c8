"""Maths on whole pictures: in bands of rows by several threads on the CPU, at once on a device. One formula for both.

    bright = pixelwise(lambda rgb: rgb * 2.0, image.rgb)                        # a picture
    highest = max(band_by_band(lambda rgb: float(rgb.max()), image.rgb))        # a number

A frame fits into no cache, so that each step of a formula on whole frames would go to memory and back. What a formula
makes on the way from one band stays in a core's own cache, and no frame is made but the answer.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from array_api_compat import device, is_numpy_array

from hdrnodes import frames
from hdrnodes.machine import cores

Array = Any

BAND = 16384  # pixels: RGB of them is 192 KiB, so that the few that a formula makes on the way fit into 1 MiB

READS_BY_ITSELF = ("cuda",)  # types of devices that read the host's memory, if it is pinned, while the host goes on

_threads: ContextVar[int | None] = ContextVar("threads", default=None)


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Within this, pictures are computed by at most so many threads; None is one for each core."""
    token = _threads.set(count)
    try:
        yield
    finally:
        _threads.reset(token)


def pixelwise(function: Callable[..., Array], *pictures: Array | None, reuse: Array | None = None) -> Array:
    """What a function makes of pictures of one height, where each row of its answer comes from that row alone.

    Args:
        function: takes arrays of one library, numpy or torch, by the array API, and gives one of as many rows.
        pictures: H x ... each; numpy arrays, or torch tensors of one device. None is handed on as it is.
        reuse: an array that nobody needs any more, and that may be one of the pictures: the answer is put there if it
            fits.

    Returns:
        H x ..., of the function's type.
    """
    bands = _bands(pictures)
    if bands is None:
        return function(*pictures)
    first = function(*_cut(pictures, bands[0]))
    shape = (bands[-1].stop, *first.shape[1:])
    answer: Array = reuse if _fits(reuse, shape, first.dtype) else _empty(shape, first.dtype)

    def fill(rows: slice, made: Array | None = None) -> None:
        answer[rows] = function(*_cut(pictures, rows)) if made is None else made
        _release(rows, *pictures, answer)

    fill(bands[0], first)
    _share(fill, bands[1:])
    return answer


def band_by_band(function: Callable[..., Any], *pictures: Array | None) -> list[Any]:
    """What a function says of each band of pictures of one height, for the caller to combine: extremes, counts."""
    bands = _bands(pictures)
    if bands is None:
        return [function(*pictures)]
    said: dict[int, Any] = {}

    def ask(rows: slice) -> None:
        said[rows.start] = function(*_cut(pictures, rows))
        _release(rows, *pictures)

    _share(ask, bands)
    return [said[rows.start] for rows in bands]


def to_numpy(array: Array) -> npt.NDArray[Any]:
    """A numpy array of a numpy array or torch tensor; without a copy where that is in the CPU's memory."""
    return array if is_numpy_array(array) else np.asarray(array.detach().cpu())


def beside(picture: Array, array: npt.NDArray[Any] | np.float32) -> Array:
    """A small numpy array, or a number, as an array of the picture's kind, on its device; no GPU is waited for."""
    if is_numpy_array(picture):
        return array
    return sent(np.array(array), device(picture))


def sent(array: npt.NDArray[Any], where: Any) -> Array:
    """A numpy array as a torch tensor on a device. On the CPU it shares the memory. To a GPU it goes through memory
    that this reads by itself, while the host goes on."""
    import torch

    array = np.ascontiguousarray(array).reshape(array.shape).view()
    try:
        array.flags.writeable = True  # torch has no read-only arrays, and warns of them; nothing writes to these
    except ValueError:
        array = array.copy()
    here, where = torch.from_numpy(array), torch.device(where)
    if where.type not in READS_BY_ITSELF:
        return here.to(where)
    # torch keeps such memory for the next copy, but not before the GPU has read this one.
    return torch.empty(here.shape, dtype=here.dtype, pin_memory=True).copy_(here).to(where, non_blocking=True)


def _bands(pictures: Sequence[Array | None]) -> list[slice] | None:
    """Rows to be computed at a time; None where all are."""
    first = next(each for each in pictures if each is not None)
    if not is_numpy_array(first):
        return None
    height, step = len(first), max(1, BAND // first.shape[1])
    return [slice(start, min(start + step, height)) for start in range(0, height, step)]


def _cut(pictures: Sequence[Array | None], rows: slice) -> list[Array | None]:
    return [None if each is None else each[rows] for each in pictures]


def _release(rows: slice, *pictures: Array | None) -> None:
    for each in pictures:
        if each is not None:
            frames.release(each[rows])


def _fits(array: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    return is_numpy_array(array) and (array.shape, array.dtype) == (shape, dtype) and array.flags.writeable


def _empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    if len(shape) == 3 and dtype == np.float32:
        return frames.zeros((shape[0], shape[1], shape[2]))
    return np.empty(shape, dtype)


def _share(work: Callable[[slice], None], bands: Sequence[slice]) -> None:
    """Have all bands worked on, by this thread and others."""
    waiting = deque(bands)  # whose popleft threads may call side by side

    def work_on() -> None:
        while waiting:
            try:
                rows = waiting.popleft()
            except IndexError:  # another thread was quicker
                return
            work(rows)

    others = min(_threads.get() or cores(), len(bands)) - 1
    # Each has this thread's context, and with it numpy's errstate.
    helping = [_helpers().submit(copy_context().run, work_on) for _ in range(others)]
    try:
        work_on()
    finally:
        waiting.clear()  # should work have failed here, the others stop
        # Those that never started, for the helpers are busy with other pictures, need not be waited for.
        helping = [each for each in helping if not each.cancel()]
        wait(helping)
    for each in helping:
        each.result()


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, cores() - 1), "hdrnodes-pixels")


if hasattr(os, "register_at_fork"):  # a child process has the pool, but none of its threads
    os.register_at_fork(after_in_child=_helpers.cache_clear)
