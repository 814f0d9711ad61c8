"""Tasks: pictures made a few at a time, and told of in their order. One that fails is named, and the others go on."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from click.exceptions import Exit

from hdrnodes.cli.telling import Teller, log_as_notes, print_json, whether_it_is_read_or_not
from hdrnodes.errors import CurveError, ExecutorError, HdrnodesError, KnobError, ModelError, PluginError
from hdrnodes.runtime.turns import picture

Say = Callable[[str], None]

# These are not about one picture: the next one would fail in the same way.
FATAL = (CurveError, ExecutorError, KnobError, ModelError, PluginError)


@dataclass(frozen=True)
class Task:
    """One picture to make.

    Args:
        label: what the user knows it by.
        about: what `--json` says of it besides how it went: input, output, frame.
        outputs: the files that it writes.
        is_finished: whether they are there from an earlier run; raises WriteError where something else is.
        make: makes them; takes where to say things, gives what `--json` is to say of the result. Runs in a thread of
            its own, beside those of other tasks.
    """

    label: str
    about: Mapping[str, Any]
    outputs: tuple[Path, ...]
    is_finished: Callable[[], bool]
    make: Callable[[Say], Mapping[str, Any]]


@dataclass
class Outcome:
    """How a task went."""

    task: Task
    ok: bool = False
    skipped: bool = False
    error: str | None = None
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    more: Mapping[str, Any] = field(default_factory=dict)
    said: SimpleQueue[str | None] = field(default_factory=SimpleQueue)  # not told yet; None at the end

    def say(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
            self.said.put(text)

    def as_json(self) -> dict[str, Any]:
        said = {name: getattr(self, name) for name in ("ok", "skipped", "error", "notes")}
        return {**self.task.about, **said, "seconds": round(self.seconds, 3), **self.more}


_at_work: ContextVar[Outcome] = ContextVar("at_work")


def do_tasks(
    tasks: Sequence[Task],
    teller: Teller,
    *,
    failed: Sequence[Mapping[str, Any]] = (),
    as_json: bool = False,
    at_a_time: int = 1,
) -> None:
    """Do all tasks, tell how they went, and end the command with its exit code.

    Args:
        at_a_time: how many are under way, so that one is read and another written while a third is in the networks.
        failed: what failed before, as `--json` says it: the inputs that could not even be planned.

    Raises:
        click.exceptions.Exit: 1 where a task failed, 130 where the user interrupted.
    """
    outcomes = [Outcome(task) for task in tasks]
    interrupted = False
    waiting = _look_for_finished(outcomes, teller)
    with teller.progress(len(waiting)), _stopped_like_ctrl_c():
        try:
            with log_as_notes(lambda text: _at_work.get().say(text)):
                _do(waiting, teller, as_json, at_a_time)
        except KeyboardInterrupt:
            interrupted = True
    teller.sum_up_notes()
    if as_json:
        with whether_it_is_read_or_not() if interrupted else nullcontext():
            print_json([*failed, *(outcome.as_json() for outcome in outcomes)])
    bad = len(failed) + sum(not outcome.ok for outcome in outcomes)
    if interrupted:
        done = sum(outcome.ok for outcome in outcomes)
        teller.error(f"interrupted; {done} of {len(outcomes)} are done, and the same command does the rest")
        raise Exit(130)
    if bad:
        if len(outcomes) + len(failed) > 1:
            teller.error(f"{bad} of {len(outcomes) + len(failed)} failed")
        raise Exit(1)


@contextmanager
def _stopped_like_ctrl_c() -> Iterator[None]:
    """Render farms stop a job with SIGTERM, which would leave the file that is being written lying there, hidden."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _look_for_finished(outcomes: Sequence[Outcome], teller: Teller) -> list[Outcome]:
    """Those that are still to be done; what an earlier run finished is said in one line."""
    waiting = []
    for outcome in outcomes:
        try:
            outcome.ok = outcome.skipped = outcome.task.is_finished()
        except HdrnodesError as error:
            _fail(outcome, str(error), teller)
            continue
        if not outcome.ok:
            waiting.append(outcome)
    finished = sum(outcome.skipped for outcome in outcomes)
    if finished == len(outcomes) == 1:
        teller.line(f"{outcomes[0].task.label}: is done already, and what was made stays")
    elif finished:
        teller.line(f"{finished} of {len(outcomes)} are there already, and stay; {len(waiting)} to do")
    return waiting


def _do(waiting: Sequence[Outcome], teller: Teller, as_json: bool, at_a_time: int) -> None:
    stop = threading.Event()
    pool = ThreadPoolExecutor(at_a_time, "hdrnodes-picture")
    # What is told of is let go: a failure holds on to all pixels that were there.
    making = deque(
        pool.submit(copy_context().run, _make, number, outcome, stop) for number, outcome in enumerate(waiting)
    )
    told, fatal = 0, None
    try:
        for number, outcome in enumerate(waiting, 1):
            teller.start(outcome.task.label)
            for text in iter(outcome.said.get, None):
                teller.note(outcome.task.label, text)
            fatal = _tell(outcome, making.popleft(), teller)
            if outcome.ok:
                _tell_done(outcome, number, len(waiting), teller, as_json)
            told = number
            if fatal:
                break
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        for number, outcome in enumerate(waiting[told:], told + 1):
            if outcome.ok:  # it was done before the others could be stopped
                with whether_it_is_read_or_not():
                    _tell_done(outcome, number, len(waiting), teller, as_json)
            elif fatal:
                outcome.error = f"not tried: {fatal}"


def _make(number: int, outcome: Outcome, stop: threading.Event) -> None:
    _at_work.set(outcome)
    start = time.perf_counter()
    try:
        with picture(number, stop):
            outcome.more = outcome.task.make(outcome.say)
        outcome.ok = True
    finally:
        outcome.seconds = time.perf_counter() - start
        outcome.said.put(None)


def _tell(outcome: Outcome, made: Future[None], teller: Teller) -> Exception | None:
    """Say why a task failed, if it did; give back what makes it useless to try others."""
    try:
        made.result()
    except FATAL as error:
        _fail(outcome, str(error), teller)
        return error
    except HdrnodesError as error:
        _fail(outcome, str(error), teller)
    except MemoryError:
        _fail(outcome, f"{outcome.task.label}: does not fit into memory; allow less --memory", teller)
    except Exception as error:  # noqa: BLE001 - one picture that trips over a bug must not cost the night's others
        from hdrnodes.cli import why_it_failed

        _fail(outcome, f"{outcome.task.label}: {why_it_failed(error)}", teller)
        teller.detail(traceback.format_exc())
    return None


def _tell_done(outcome: Outcome, number: int, total: int, teller: Teller, as_json: bool) -> None:
    teller.done(number, total, outcome.task.label, outcome.seconds)
    for path in () if as_json else outcome.task.outputs:
        teller.result(path)


def _fail(outcome: Outcome, line: str, teller: Teller) -> None:
    outcome.error = line
    teller.failed(line)
