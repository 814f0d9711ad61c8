"""What a command tells its user: results on stdout; progress, notes and errors on stderr, a line each."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from click import get_current_context

if TYPE_CHECKING:
    from rich.console import Console

_VERBOSE = "hdrnodes.verbose"  # in click's `Context.meta`, which a command shares with the group that called it


def verbose_option(command: Any) -> Any:
    """`-v`, for every command: which executor runs and why, and the traceback of a bug."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.meta[_VERBOSE] = value

    return click.option(
        "-v", "--verbose", is_flag=True, expose_value=False, callback=remember, help="Say more on stderr."
    )(command)


def json_option(command: Any) -> Any:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout, for a script to read.")(command)


def is_verbose() -> bool:
    return bool(get_current_context().meta.get(_VERBOSE))


def error_line(text: str) -> None:
    click.secho(text, fg="red", err=True)  # coloured on a terminal only


def result(path: Path | str) -> None:
    """Print a written file. As bytes: a name that is no UTF-8 stays itself."""
    click.echo(os.fsencode(path))


@contextmanager
def whether_it_is_read_or_not() -> Iterator[None]:
    """For results after Ctrl-C, which ends the program that reads them too: what is left to say on stderr goes on."""
    try:
        yield
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # what could not be written would fail once more at exit
        os.close(nowhere)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, default=str, allow_nan=False))


def table_console() -> Console:
    """For tables on stdout: as wide as they need where nobody watches, so that no line is broken."""
    from rich.console import Console

    console = Console(emoji=False, markup=False, highlight=False)
    return console if console.is_terminal else Console(emoji=False, markup=False, highlight=False, width=250)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under their heads, on stdout."""
    from rich.table import Table

    table = Table(*heads, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    table_console().print(table)


class Teller:
    """Progress and notes of many pictures, on stderr: a bar on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console

        self.verbose = is_verbose()
        self._console = Console(stderr=True, emoji=False, markup=False, highlight=False)
        self._noted: Counter[str] = Counter()
        self._failed: set[str] = set()
        self._progress: Any = None
        self._bar: Any = None

    def line(self, text: str, style: str | None = None) -> None:
        self._console.print(text, style=style, soft_wrap=True)

    def detail(self, text: str) -> None:
        """A line for who asked for more."""
        if self.verbose:
            self.line(text)

    def error(self, text: str) -> None:
        self.line(text, style="red")

    def note(self, subject: str, text: str) -> None:
        """A line on a picture; what was said of another already is counted, and summed up at the end."""
        self._noted[text] += 1
        if self._noted[text] == 1:
            self.line(f"{subject}: {text}")

    def sum_up_notes(self) -> None:
        for text, count in self._noted.items():
            if count > 1:
                self.line(f"{text} (and {count - 1} more like it)")

    @contextmanager
    def progress(self, total: int) -> Iterator[None]:
        """A bar of `total` pictures, while it lasts; on a terminal only."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if not self._console.is_terminal:
            yield
            return
        columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
        # Rich would send stdout to stderr while the bar is up: results would miss the pipe they are meant for.
        self._progress = Progress(
            *columns, TimeRemainingColumn(), console=self._console, transient=True, redirect_stdout=False
        )
        with self._progress:
            self._bar = self._progress.add_task("", total=total)
            yield
        self._progress = None

    def result(self, path: Path) -> None:
        """A written file, on stdout; above the bar where both are on one terminal."""
        if self._progress and sys.stdout.isatty():
            self.line(str(path))
        else:
            result(path)

    def start(self, label: str) -> None:
        if self._progress:
            self._progress.update(self._bar, description=label)

    def done(self, number: int, total: int, label: str, seconds: float) -> None:
        if self._progress:
            self._progress.advance(self._bar)
        else:
            self.line(f"{number}/{total} {label}, {seconds:.1f} s")

    def failed(self, text: str) -> None:
        """Why there is nothing of what was started; of several that fail alike, for their folder is missing, once."""
        if text not in self._failed:
            self.error(text)
            self._failed.add(text)
        if self._progress:
            self._progress.advance(self._bar)


class LogToNotes(logging.Handler):
    """Hands what the library logs to whatever takes a note."""

    def __init__(self, say: Any) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(record.getMessage())


@contextmanager
def log_as_notes(say: Any) -> Iterator[None]:
    """Hand the library's warnings to `say`, and to nobody else."""
    log, handler = logging.getLogger("hdrnodes"), LogToNotes(say)
    propagate, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagate
