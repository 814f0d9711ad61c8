"""Progress of a run on stderr: a bar on a terminal, a line a validation elsewhere; both say how much time is left."""

import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

Line = dict[str, Any]


class Progress:
    """Shown while entered.

    Args:
        name: of the run.
        steps: in all.
        done: when it begins.
        shown: else it says nothing: one of several processes is enough.
    """

    def __init__(self, name: str, steps: int, done: int, shown: bool = True) -> None:
        self.name, self.steps_in_all, self._from = name, steps, done
        self._console = Console(stderr=True, quiet=not shown, emoji=False, markup=False, highlight=False)
        self._started = time.monotonic()
        self._bar: Bar | None = None
        if shown and self._console.is_terminal:
            columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
            self._bar = Bar(
                *columns, TimeRemainingColumn(), TextColumn("{task.fields[said]}", markup=False),
                console=self._console, transient=True, redirect_stdout=False,
            )  # fmt: skip
            self._task = self._bar.add_task(name, total=steps, completed=done, said="")
        self._loss = self._score = ""

    def __enter__(self) -> "Progress":
        self._started = time.monotonic()
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def note(self, text: str) -> None:
        """A line that stays."""
        self._console.print(f"{self.name}: {text}", soft_wrap=True)

    def steps(self, line: Line) -> None:
        """Up to this step, with its loss."""
        self._loss = f"loss {line['loss']:.4f}"
        if self._bar:
            self._bar.update(self._task, completed=line["step"], said=f"{self._loss} {self._score}")

    def validated(self, line: Line) -> None:
        """A validation, as `Journal.validated` writes it down."""
        self._score = f"score {line['validation_score']:.4f}"
        if self._bar:
            self._bar.update(self._task, completed=line["step"], said=f"{self._loss} {self._score}")
            return
        loss = f", loss {line['loss']:.4f}" if "loss" in line else ""
        self.note(f"step {line['step']} of {self.steps_in_all}{loss}, {self._score}{self._left(line['step'])}")

    def _left(self, step: int) -> str:
        if step == self._from:
            return ""
        seconds = (time.monotonic() - self._started) / (step - self._from) * (self.steps_in_all - step)
        minutes, hours = seconds / 60, seconds / 3600
        return f", {hours:.1f} hours left" if hours >= 2 else f", {minutes:.0f} minutes left"
