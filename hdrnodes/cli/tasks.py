"""Tasks: pictures made one after the other. One that fails is named, and the others go on."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.exceptions import Exit

from hdrnodes.cli.telling import Teller, log_as_notes, print_json
from hdrnodes.errors import CurveError, ExecutorError, HdrnodesError, KnobError, ModelError, PluginError

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
        make: makes them; takes where to say things, gives what `--json` is to say of the result.
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

    def as_json(self) -> dict[str, Any]:
        said = {name: getattr(self, name) for name in ("ok", "skipped", "error", "notes")}
        return {**self.task.about, **said, "seconds": round(self.seconds, 3), **self.more}


def do_tasks(
    tasks: Sequence[Task], teller: Teller, *, failed: Sequence[Mapping[str, Any]] = (), as_json: bool = False
) -> None:
    """Do all tasks, tell how they went, and end the command with its exit code.

    Args:
        failed: what failed before, as `--json` says it: the inputs that could not even be planned.

    Raises:
        click.exceptions.Exit: 1 where a task failed, 130 where the user interrupted.
    """
    outcomes = [Outcome(task) for task in tasks]
    interrupted = False
    waiting = _look_for_finished(outcomes, teller)
    with teller.progress(len(waiting)), _stopped_like_ctrl_c():
        try:
            _do(waiting, teller, as_json)
        except KeyboardInterrupt:
            interrupted = True
    teller.sum_up_notes()
    if as_json:
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
    if finished := sum(outcome.skipped for outcome in outcomes):
        teller.line(f"{finished} of {len(outcomes)} are there already, and stay; {len(waiting)} to do")
    return waiting


def _do(waiting: Sequence[Outcome], teller: Teller, as_json: bool) -> None:
    for number, outcome in enumerate(waiting, 1):
        teller.start(outcome.task.label)
        try:
            _do_one(outcome, teller)
        except FATAL as error:
            _fail(outcome, str(error), teller)
            for other in waiting[number:]:
                other.error = f"not tried: {error}"
            return
        except HdrnodesError as error:
            _fail(outcome, str(error), teller)
        except MemoryError:
            _fail(outcome, f"{outcome.task.label}: does not fit into memory; try a smaller --tile", teller)
        except Exception as error:  # noqa: BLE001 - one picture that trips over a bug must not cost the night's others
            from hdrnodes.cli import why_it_failed

            _fail(outcome, f"{outcome.task.label}: {why_it_failed(error)}", teller)
            teller.detail(traceback.format_exc())
        if outcome.ok:
            teller.done(number, len(waiting), outcome.task.label, outcome.seconds)
            for path in () if as_json else outcome.task.outputs:
                teller.result(path)


def _do_one(outcome: Outcome, teller: Teller) -> None:
    def say(text: str) -> None:
        if text not in outcome.notes:
            outcome.notes.append(text)
            teller.note(outcome.task.label, text)

    start = time.perf_counter()
    try:
        with log_as_notes(say):
            outcome.more = outcome.task.make(say)
        outcome.ok = True
    finally:
        outcome.seconds = time.perf_counter() - start


def _fail(outcome: Outcome, line: str, teller: Teller) -> None:
    outcome.error = line
    teller.error(line)
