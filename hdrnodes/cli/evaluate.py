"""`hdrnodes evaluate`: how far pictures are from their references."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click
from click import get_current_context
from click.exceptions import Exit

from hdrnodes.cli.evaluated import Evaluated, as_json_value, print_metrics, print_result
from hdrnodes.cli.reported import Reporter, asked_for, command_line
from hdrnodes.cli.telling import Teller, json_option, log_as_notes, print_json, result, verbose_option
from hdrnodes.curve import Curve
from hdrnodes.errors import HdrnodesError, MetricError
from hdrnodes.image import Image
from hdrnodes.metrics.evaluate import evaluate as compare
from hdrnodes.metrics.evaluate import linearised
from hdrnodes.metrics.pairing import Paths, Unpaired, pair_up
from hdrnodes.metrics.protocols import PROTOCOLS
from hdrnodes.metrics.registry import DEFAULTS, find_metrics, metrics
from hdrnodes.metrics.summary import as_csv, summarise
from hdrnodes.report.report import Report
from hdrnodes.whole_file import check_writable, whole_file

if TYPE_CHECKING:
    from hdrnodes.metrics.base import Metric
    from hdrnodes.metrics.evaluate import Scores

CURVE_ERROR = ("curve.rmse",)


@click.command()
@click.argument("pred", required=False)
@click.argument("ref", required=False)
@click.option("--plate", metavar="PLATE", help="What PRED was made of: it says what clipped.")
@click.option("--against", metavar="OTHER_PRED", help="Another method's pictures, to compare with: paired intervals.")
@click.option("--baseline", is_flag=True, help="Compare with the plate itself, through sRGB's inverse or --curve.")
@click.option("--frames", metavar="RANGE", help="Of patterns: 1001-1100, 1001-1100x2; all there are if not given.")
@click.option(
    "--protocol",
    type=click.Choice(list(PROTOCOLS)),
    default="absolute",
    show_default=True,
    help="How the pictures are aligned and brought to cd/m2; `absolute` takes them as they are.",
)
@click.option(
    "--metric",
    "wanted",
    multiple=True,
    metavar="ID",
    help="What to measure: an id, a glob (`pu21.*`), or `all`; may be repeated. The quick ones if not given.",
)
@click.option("--curve", metavar="FILE", help="The camera's own inverse response, for curve.rmse.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), metavar="FILE", help="A line for each picture.")
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="All of it as one HTML file: pictures, differences, plots, tables.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("--list", "listing", is_flag=True, help="List the metrics, and what each lacks here.")
@json_option
@verbose_option
def evaluate(
    pred: str | None,
    ref: str | None,
    plate: str | None,
    against: str | None,
    baseline: bool,
    frames: str | None,
    protocol: str,
    wanted: tuple[str, ...],
    curve: str | None,
    csv_file: Path | None,
    report_file: Path | None,
    overwrite: bool,
    listing: bool,
    as_json: bool,
) -> None:
    """Compare scene-linear pictures with their references.

    Both are files, patterns of frames, or folders. Frames belong together by their numbers, files in folders by their
    stems. Nothing is resized, and display-referred pictures are refused. --list names the metrics; the same ids are the
    keys of --json.
    """
    chosen = _chosen(wanted or DEFAULTS[protocol] + (CURVE_ERROR if curve else ()))
    if listing:
        print_metrics(chosen if wanted else list(metrics().values()), as_json)
        return
    if pred is None or ref is None:
        raise click.UsageError("name PRED and REF: files, patterns of frames, or folders; or --list the metrics")
    if baseline and (plate is None or against is not None):
        raise click.UsageError("--baseline is of the --plate, and in place of --against")
    teller = Teller()
    try:
        own_curve = Curve.load(curve) if curve else None
        for file in filter(None, (csv_file, report_file)):
            check_writable(file, overwrite)
        pairs, unpaired = _pairs(pred, ref, plate, against, frames)
    except HdrnodesError as error:
        if as_json:
            print_json(as_json_value(protocol, chosen, [], {}, str(error)))
        raise
    for each in unpaired:
        teller.error(str(each.error))
    with ExitStack() as stack:
        reporter = None
        if report_file:
            report = Report(asked_for(protocol, chosen, command_line(get_current_context())))
            reporter = Reporter(stack.enter_context(report), "baseline" if baseline else "other")
        job = _Job(protocol, [metric.id for metric in chosen], own_curve, baseline, reporter)
        rows = _compare_all(pairs, job, teller)
        rows += [Evaluated(each.name, each.path, error=str(each.error)) for each in unpaired]
        found = [row.found for row in rows if row.found]
        others = [row.other for row in rows if row.other]
        summaries = summarise(found, others)
        if reporter and report_file:
            reporter.write(report_file, rows, summaries, overwrite)
    if csv_file:
        methods = {"pred": found, "against": others} if others else {"pred": found}
        _write_csv(methods, csv_file, overwrite)
    if as_json:
        print_json(as_json_value(protocol, chosen, rows, summaries))
    else:
        print_result(chosen, found, others, summaries)
        for file in filter(None, (csv_file, report_file)):
            result(file)
    if bad := len(rows) - len(found):
        if len(rows) > 1:
            teller.error(f"{bad} of {len(rows)} failed")
        raise Exit(1)


def _chosen(wanted: Sequence[str]) -> list[Metric]:
    try:
        return find_metrics(wanted)
    except MetricError as error:
        raise click.UsageError(str(error)) from error


def _pairs(
    pred: str, ref: str, plate: str | None, against: str | None, frames: str | None
) -> tuple[list[Paths], list[Unpaired]]:
    try:
        return pair_up(pred, ref, plate, against, frames)
    except MetricError as error:  # a file beside a folder
        raise click.UsageError(str(error)) from error


@dataclass(frozen=True)
class _Job:
    """What is done with each picture."""

    protocol: str
    ids: list[str]
    curve: Curve | None
    baseline: bool
    reporter: Reporter | None

    def scores(self, test: Path | Image, paths: Paths) -> Scores:
        """Without the pixels, of which a set would fill the memory: the report has drawn what it wants."""
        comparison = compare(
            test,
            paths.reference,
            paths.plate,
            protocol=self.protocol,
            metrics=self.ids,
            curve=self.curve,
            name=paths.name,
        )
        if self.reporter:
            self.reporter.look_at(comparison)
        return comparison.scores

    def other(self, paths: Paths) -> Scores | None:
        """Of the other method, or the baseline; None where neither is wanted."""
        if self.baseline and paths.plate:
            return self.scores(linearised(paths.plate, self.curve.source if self.curve else "srgb"), paths)
        return self.scores(paths.against, paths) if paths.against else None


def _compare_all(pairs: Sequence[Paths], job: _Job, teller: Teller) -> list[Evaluated]:
    rows = []
    with teller.progress(len(pairs)):
        for number, paths in enumerate(pairs, 1):
            teller.start(paths.name)
            start = time.perf_counter()
            rows.append(_compare(paths, job, teller))
            if rows[-1].error is None:
                teller.done(number, len(pairs), paths.name, time.perf_counter() - start)
    teller.sum_up_notes()
    return rows


def _compare(paths: Paths, job: _Job, teller: Teller) -> Evaluated:
    row = Evaluated(paths.name, paths.test)
    try:
        with log_as_notes(lambda text: teller.note(paths.name, text)):
            found, other = job.scores(paths.test, paths), job.other(paths)
            if job.reporter:
                job.reporter.keep()
            row.found, row.other = found, other
    except HdrnodesError as error:
        row.error = str(error)
    except MemoryError:
        row.error = f"{paths.test}: does not fit into memory; measure fewer things at once"
    except Exception as error:  # noqa: BLE001 - one picture that trips over a bug must not cost the others
        from hdrnodes.cli import why_it_failed

        row.error = f"{paths.test}: {why_it_failed(error)}"
        teller.detail(traceback.format_exc())
    if row.error:
        if job.reporter:
            job.reporter.forget()
        teller.failed(row.error)
    elif row.found:
        for note in row.found.notes:
            teller.note(paths.name, note)
    return row


def _write_csv(methods: dict[str, list[Scores]], path: Path, overwrite: bool) -> None:
    with whole_file(path, overwrite) as temporary:
        temporary.write_text(as_csv(methods), encoding="utf-8", newline="")
