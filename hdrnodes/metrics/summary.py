"""A set of comparisons in a few numbers, and as a table for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hdrnodes.metrics.bootstrap import paired_interval
from hdrnodes.metrics.evaluate import Scores


@dataclass(frozen=True)
class Difference:
    """How a method differs from another in one metric, over the pictures where both have a number.

    Args:
        count: how many these are.
        median: the other method's, over them.
        mean: of `value - other`, in the metric's unit.
        low, high: the 95 % interval of that mean, bootstrapped over pictures.
    """

    count: int
    median: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Summary:
    """One metric over a set; median and mean are None, and count 0, where no picture has a number."""

    count: int
    median: float | None
    mean: float | None
    against: Difference | None = None


def summarise(found: Sequence[Scores], against: Sequence[Scores] = ()) -> dict[str, Summary]:
    """Sum up each metric, and compare it with a second method.

    Args:
        found: the scores of one method, of one choice of metrics.
        against: those of the other, of the same pictures in the same order; none where there is no other.

    Returns:
        Metric id -> summary.
    """
    summaries = {}
    for name in found[0].values if found else ():
        values = [scores.values[name] for scores in found]
        numbers = [value for value in values if value is not None]
        others = [scores.values[name] for scores in against]
        pairs = zip(values, others, strict=bool(against))
        both = [(value, other) for value, other in pairs if None not in (value, other)]
        summaries[name] = Summary(
            len(numbers),
            float(np.median(numbers)) if numbers else None,
            float(np.mean(numbers)) if numbers else None,
            _difference(np.array(both, np.float64)) if both else None,
        )
    return summaries


def as_csv(methods: Mapping[str, Sequence[Scores]]) -> str:
    """A line for each picture and method: what it is, then a column for each metric, empty where it is not defined.

    Args:
        methods: name -> scores, all of one choice of metrics.
    """
    rows = [(method, each) for method, scores in methods.items() for each in scores]
    names = list(rows[0][1].values) if rows else []
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", "method", "pred", "ref", "gain_stops", *names])
    for method, each in rows:
        numbers = [each.gain, *(each.values[name] for name in names)]
        cells = ["" if number is None else repr(number) for number in numbers]
        table.writerow([each.name, method, each.test_path or "", each.reference_path, *cells])
    return text.getvalue()


def _difference(both: npt.NDArray[np.float64]) -> Difference:
    values, others = both.T
    low, high = paired_interval(values, others)
    return Difference(len(both), float(np.median(others)), float((values - others).mean()), low, high)
