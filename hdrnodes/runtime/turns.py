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

    Raises:
        KeyboardInterrupt: where it is waited for, by who makes a picture that is to stop.
    """

    def __init__(self) -> None:
        self._change = Condition()
        self._waiting: list[int] = []
        self._taken = False

    def __enter__(self) -> None:
        number, stop = _picture.get((0, Event()))
        with self._change:
            heapq.heappush(self._waiting, number)
            try:
                self._change.wait_for(lambda: stop.is_set() or not self._taken and self._waiting[0] == number)
                if stop.is_set():
                    raise KeyboardInterrupt
                self._taken = True
            finally:
                self._waiting.remove(number)
                heapq.heapify(self._waiting)
                self._change.notify_all()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._change:
            self._taken = False
            self._change.notify_all()
