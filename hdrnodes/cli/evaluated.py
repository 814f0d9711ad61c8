"""What `hdrnodes evaluate` prints: tables for people, JSON for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import rich_click as click

from hdrnodes.cli.telling import print_json, print_table
from hdrnodes.metrics.base import Metric
from hdrnodes.metrics.evaluate import Scores
from hdrnodes.metrics.registry import missing
from hdrnodes.metrics.summary import Summary
from hdrnodes.metrics.wording import BETTER, number


@dataclass
class Evaluated:
    """One picture: its scores, and those of the other method where there is one; or why there are none."""

    name: str
    test: Path
    found: Scores | None = None
    other: Scores | None = None
    error: str | None = None


def print_metrics(listed: Sequence[Metric], as_json: bool) -> None:
    """The table of metrics, with what this machine lacks for each."""
    lacking = {metric.id: missing(metric) for metric in listed}
    if as_json:
        print_json([{**_about(metric), "needs": metric.needs, "missing": lacking[metric.id]} for metric in listed])
        return
    # A row less for each that is there raw: the corrected ones are told in a line.
    shown = [each for each in listed if each.id.removesuffix(".crf") not in lacking or not each.id.endswith(".crf")]
    print_table(
        ("metric", "unit", "better", "range", "here", "source"),
        [
            (each.id, each.unit, BETTER[each.better], each.range, lacking[each.id] or "yes", each.source)
            for each in shown
        ],
    )
    if len(shown) < len(listed):
        click.echo("\nID.crf: the same with the test picture CRF-corrected first (Hanji et al., SIGGRAPH 2022).")


def print_result(
    chosen: Sequence[Metric], found: Sequence[Scores], others: Sequence[Scores], summaries: Mapping[str, Summary]
) -> None:
    """Of one picture, its numbers; of several, medians; beside another method, the differences."""
    if not found:
        return
    several, compared = len(found) > 1, bool(others)
    heads = ["metric", "median" if several else "value"]
    heads += ["other", "mean difference", "95 % interval"] if compared and several else ["other"] if compared else []
    heads += ["pictures"] if several else []
    rows = []
    for metric in chosen:
        summary, against = summaries[metric.id], summaries[metric.id].against
        row = [metric.id, number(summary.median)]
        if compared:
            row.append(number(against.median if against else None))
        if compared and several:
            row += [f"{against.mean:+.4g}", f"{against.low:+.4g} .. {against.high:+.4g}"] if against else ["", ""]
        row += [str(summary.count)] if several else []
        why = [scores.undefined[metric.id] for scores in found if metric.id in scores.undefined]
        rows.append((*row, metric.unit, BETTER[metric.better], why[0] if why else ""))
    if not several:
        _print_alignment(found[0])
    print_table((*heads, "unit", "better", ""), rows)


def as_json_value(
    protocol: str,
    chosen: Sequence[Metric],
    rows: Sequence[Evaluated],
    summaries: Mapping[str, Summary],
    error: str | None = None,
) -> dict[str, Any]:
    """All there is to say, for `--json`. Undefined numbers are null, and `undefined` says why.

    Args:
        error: why no picture was compared at all.
    """
    return {
        "protocol": protocol,
        "error": error,
        "metrics": {metric.id: _about(metric) for metric in chosen},
        "images": [_row(each) for each in rows],
        "summary": {name: asdict(summary) for name, summary in summaries.items()},
    }


def _row(row: Evaluated) -> dict[str, Any]:
    said = {"name": row.name, "pred": str(row.test), "ok": row.error is None, "error": row.error}
    if row.found is None:
        return said
    plate = row.found.plate_path
    said |= {"ref": str(row.found.reference_path), "plate": str(plate) if plate else None, **_scores(row.found)}
    if row.other:
        other = row.other.test_path
        said["against"] = {"pred": str(other) if other else None, **_scores(row.other)}  # None: the baseline
    return said


def _scores(scores: Scores) -> dict[str, Any]:
    return {
        "gain_stops": scores.gain,
        "scale": scores.scale,  # cd/m2 that 1.0 of the reference became
        "values": scores.values,
        "undefined": scores.undefined,
        "notes": list(scores.notes),
    }


def _about(metric: Metric) -> dict[str, Any]:
    return {name: getattr(metric, name) for name in ("id", "title", "unit", "better", "range", "source")}


def _print_alignment(scores: Scores) -> None:
    if scores.gain is not None:
        click.echo(f"gain {scores.gain:+.3f} stops; 1.0 of the reference is {scores.scale:.5g} cd/m2")
