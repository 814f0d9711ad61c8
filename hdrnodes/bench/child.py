"""A process for one piece of work: its memory is its own, and when it is killed nothing else is."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from hdrnodes.errors import HdrnodesError

Answer = TypeVar("Answer")


class Failed(Exception):
    """Why a piece of work has no answer, in one line."""


def in_child(work: Callable[..., Answer], *arguments: Any) -> Answer:
    """The answer of a function, called in a new process.

    Raises:
        Failed: it raised, or the process was killed.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, work, arguments), daemon=True)
    with _without_ctrl_c():  # which a child inherits: Ctrl-C is for us to answer, by ending it
        process.start()
    theirs.close()
    try:
        problem, answer = ours.recv()
    except EOFError:
        process.join()
        raise Failed(_how_it_ended(process.exitcode)) from None
    finally:
        process.kill()
        process.join()
    if problem is not None:
        raise Failed(problem)
    return answer


def _answer(pipe: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        pipe.send((None, work(*arguments)))
    except MemoryError as error:
        pipe.send((f"out of memory {error}".strip(), None))
    except HdrnodesError as error:
        pipe.send((str(error), None))
    except Exception as error:  # noqa: BLE001 - one cell must not stop the others; its line says what it was
        pipe.send((f"{type(error).__name__}: {' '.join(str(error).split())}", None))


def _how_it_ended(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"its process was killed ({name}){'; out of memory, probably' if name == 'SIGKILL' else ''}"
    return f"its process ended with code {code}"


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
