"""Turns: pictures that are made side by side, in threads, go to what there is one of in the order of the pictures.

Each decodes, computes and encodes on its own, so that while one is in the networks the next is read and the one before
is written; and the first to be started is the first to be done.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Condition, Event
from types import TracebackType

_picture: ContextVar[tuple[int, Event]] = ContextVar("picture")


@contextmanager
def picture(number: int, stop: Event) -> Iterator[None]:
    """Within this, this thread makes the picture of that number; it gives up at its next turn once `stop` is set."""
    token = _picture.set((number, stop))
    try:
        yield
    finally:
        _picture.reset(token)


class Turns:
    """A lock that, of those who wait, lets in who makes the earliest picture.

    Args:
        side_by_side: how many are let in at a time.

    Raises:
        KeyboardInterrupt: where it is waited for, by who makes a picture that is to stop.
    """

    def __init__(self, side_by_side: int = 1) -> None:
        self._change = Condition()
        self._waiting: list[int] = []
        self._free = side_by_side

    def __enter__(self) -> None:
        number, stop = _picture.get((0, Event()))
        with self._change:
            heapq.heappush(self._waiting, number)
            try:
                self._change.wait_for(lambda: stop.is_set() or self._free and self._waiting[0] == number)
                if stop.is_set():
                    raise KeyboardInterrupt
                self._free -= 1
            finally:
                self._waiting.remove(number)
                heapq.heapify(self._waiting)
                self._change.notify_all()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._change:
            self._free += 1
            self._change.notify_all()
