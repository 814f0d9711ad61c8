"""`hdrnodes bench`: what the stages cost here, and how close that is to what the machine can do."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click
from click.exceptions import Exit

from hdrnodes.bench.cells import ABOUT, FILES, PARTS, Lane, Precision, Results, size_of
from hdrnodes.cli.telling import Teller, print_json, print_table, verbose_option
from hdrnodes.spelling import did_you_mean
from hdrnodes.whole_file import check_writable, whole_file

if TYPE_CHECKING:
    from hdrnodes.plugins import Plugins

SIZES = "0.5,2,8,33"


def _sizes(ctx: click.Context, param: click.Parameter, value: str) -> list[tuple[int, int]]:
    """Width and height of the frames that `--size` asks for."""
    try:
        found = [float(each) for each in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of megapixels, such as {SIZES}") from None
    if not all(0.001 <= each <= 1000 for each in found):
        raise click.BadParameter("sizes are from 0.001 to 1000 megapixels")
    return list(dict.fromkeys(size_of(each) for each in found))


@click.command()
@click.option("--model", "models", multiple=True, default=("default",), help="A name or a model folder; may repeat.")
@click.option(
    "--executor", "executors", multiple=True, metavar="NAME", help="May repeat; all that run here if not given."
)
@click.option(
    "--size",
    "sizes",
    callback=_sizes,
    default=SIZES,
    show_default=True,
    metavar="MP,MP...",
    help="Of the plates, megapixels.",
)
@click.option(
    "--stage", "parts", multiple=True, type=click.Choice(PARTS), help="May repeat; all in memory if not given."
)
@click.option(
    "--files", "with_files", is_flag=True, help="From JPEG to EXR, too: in a running process, and as a command."
)
@click.option("--threads", type=click.IntRange(1), help="Of the CPU; all if not given.")
@click.option(
    "--precision", type=click.Choice(["auto", "float32", "fp16", "bf16"]), default="auto", help="Of networks."
)
@click.option(
    "--repeats", type=click.IntRange(1), default=3, show_default=True, help="Rounds through all that is measured."
)
@click.option("--json", "json_file", metavar="FILE|-", help="Write every number as JSON; - is stdout.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown in place of the table.")
@verbose_option
def bench(
    models: tuple[str, ...],
    executors: tuple[str, ...],
    sizes: list[tuple[int, int]],
    parts: tuple[str, ...],
    with_files: bool,
    threads: int | None,
    precision: Precision,
    repeats: int,
    json_file: str | None,
    as_markdown: bool,
) -> None:
    """Measure what the stages cost here, beside what the machine can do.

    Each stage by itself, and the whole: milliseconds, CPU-seconds, memory, operations, and the share of what binds, the
    machine's arithmetic or its memory, both measured in the same run. Everything takes turns, each in a process of its
    own, so that ratios hold on a busy machine; times want a quiet one. Ctrl-C prints what there is.
    """
    from hdrnodes.bench.machine import this_machine
    from hdrnodes.bench.rounds import measure, plan, visits_of
    from hdrnodes.cli.running import take_model_folders
    from hdrnodes.plugins import installed_plugins

    if json_file and json_file != "-":
        check_writable(Path(json_file), overwrite=True)  # now, not when all is measured
    plugins = installed_plugins()
    take_model_folders(models, plugins)
    asked = executors or tuple(plugins.executors)
    why_not = _why_not(asked, plugins)
    lanes = [Lane(name, precision, threads) for name in asked if why_not[name] is None]
    chosen = [
        part for part in PARTS if part in parts or (not parts and part not in FILES) or (with_files and part in FILES)
    ]
    cells = plan(lanes, models, chosen, sizes)
    results, teller = Results(this_machine(), why_not), Teller()
    total, done, since = visits_of(cells, repeats), 0, time.perf_counter()

    def tell(text: str) -> None:
        nonlocal done, since
        done, before, since = done + 1, since, time.perf_counter()
        teller.done(done, total, text, since - before)

    try:
        with teller.progress(total), tempfile.TemporaryDirectory(prefix="hdrnodes-bench-") as folder:
            measure(cells, repeats, Path(folder), results, tell)
    except KeyboardInterrupt:
        _show(results, json_file, as_markdown, teller)
        raise
    _show(results, json_file, as_markdown, teller)
    if any(one.problem for one in results.measured) or not lanes:
        raise Exit(1)


def _why_not(asked: tuple[str, ...], plugins: Plugins) -> dict[str, str | None]:
    """Executor -> why it cannot run here, or None."""
    for name in asked:
        if name not in plugins.executors:
            raise click.UsageError(f"there is no executor {name}; {did_you_mean(name, plugins.executors)}")
    return {name: plugins.executors[name].why_not() for name in asked}


def _show(results: Results, json_file: str | None, as_markdown: bool, teller: Teller) -> None:
    from hdrnodes.bench.tables import HEADS, markdown, notes, rows

    if json_file == "-":
        print_json(results.as_json())
    elif json_file:
        with whole_file(Path(json_file), overwrite=True) as path:
            path.write_text(json.dumps(results.as_json(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    if as_markdown:
        click.echo(markdown(results))
    elif json_file != "-":
        print_table(HEADS, rows(results))
        for part in dict.fromkeys(one.cell.part for one in results.measured if one.visits):
            teller.line(f"{part}: {ABOUT[part]}")
        for line in notes(results):
            teller.line(line)
