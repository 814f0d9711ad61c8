"""Progress of a run on stderr: a line a validation, with the time left; on a terminal a bar below them."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from hdrnodes.training.journal import Line


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
        console = Console(stderr=True, quiet=not shown, emoji=False, markup=False, highlight=False)
        # Rich would send stdout to stderr while the bar is up: results would miss the pipe they are meant for.
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[said]}", markup=False),
            console=console,
            transient=True,
            redirect_stdout=False,
            disable=not (shown and console.is_terminal),
        )
        self._task = self._bar.add_task(name, total=steps, completed=done, said="")
        self._score = ""

    def __enter__(self) -> "Progress":
        self._started = time.monotonic()
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        """A line that stays."""
        self._bar.console.print(f"{self.name}: {text}", soft_wrap=True)

    def steps(self, line: Line) -> None:
        """Up to this step, with its loss."""
        self._bar.update(self._task, completed=line["step"], said=f"loss {line['loss']:.4f}{self._score}")

    def validated(self, line: Line) -> None:
        """A validation, as `Journal.validated` writes it down."""
        self._score = f", score {line['validation_score']:.4f}"
        loss = f", loss {line['loss']:.4f}" if "loss" in line else ""
        self.note(f"step {line['step']} of {self.steps_in_all}{loss}{self._score}{self._left(line['step'])}")

    def _left(self, step: int) -> str:
        if step == self._from or step == self.steps_in_all:
            return ""
        seconds = (time.monotonic() - self._started) / (step - self._from) * (self.steps_in_all - step)
        for unit, length in (("hours", 3600), ("minutes", 60)):
            if seconds >= 2 * length:
                return f", {seconds / length:.1f} {unit} left"
        return f", {seconds:.0f} seconds left"
