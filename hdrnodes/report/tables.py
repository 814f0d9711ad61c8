"""Tables of metrics: of one picture, of a set in sum, of every picture in a set, and what each metric is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from hdrnodes.metrics.base import Metric
from hdrnodes.metrics.evaluate import Scores
from hdrnodes.metrics.summary import Difference, Summary
from hdrnodes.metrics.wording import BETTER, number
from hdrnodes.report.html import Html, joined, table, tag
from hdrnodes.report.plot import true_minus

COLUMNS = 9  # of metrics in one table: what a landscape page has room for

Methods = Sequence[tuple[str, Scores]]


def definitions(facts: Iterable[tuple[str, str]]) -> Html:
    """Names, and what each stands for."""
    return tag("dl", [tag("div", tag("dt", name), tag("dd", words)) for name, words in facts], class_="facts")


def metrics_table(metrics: Sequence[Metric], methods: Methods) -> Html:
    """Of one picture: each metric's number for each method, the better one marked; or why there is none."""
    rows = []
    for metric in metrics:
        values = [scores.values[metric.id] for _, scores in methods]
        best = _better(metric, values)
        cells = [_number_cell(value, index == best) for index, value in enumerate(values)]
        why = "; ".join(dict.fromkeys(reason for _, each in methods if (reason := each.undefined.get(metric.id))))
        rows.append([tag("th", _breakable(metric.id), scope="row"), *cells, metric.unit, BETTER[metric.better], why])
    undefined = any(scores.undefined for _, scores in methods)
    names = [tag("th", name, scope="col", class_="number") for name, _ in methods]
    heads = ["metric", *names, "unit", "better", "why undefined"]
    if not undefined:
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    return table(heads, rows, class_="numbers")


def summary_table(metrics: Sequence[Metric], summaries: Mapping[str, Summary], other: str | None) -> Html:
    """Of a set: medians and means; beside another method, the mean difference and what its interval says."""
    heads = [_sortable("metric"), *(_sortable(name, number=True) for name in ("pictures", "median", "mean"))]
    if other:
        against = (f"median, {other}", "mean difference", "95 % interval")
        heads += [*(_sortable(name, number=True) for name in against), _sortable(f"than {other}")]
    heads += [_sortable("unit"), _sortable("better")]
    rows = []
    for metric in metrics:
        summary = summaries[metric.id]
        cells: list[str] = [
            tag("th", _breakable(metric.id), scope="row"),
            _sorted_by(str(summary.count), summary.count),
        ]
        cells += [_number_cell(summary.median), _number_cell(summary.mean)]
        if other:
            cells += _against(metric, summary.against)
        rows.append([*cells, metric.unit, BETTER[metric.better]])
    return table(heads, rows, class_="numbers sortable")


def pictures_tables(metrics: Sequence[Metric], pictures: Sequence[Methods]) -> Html:
    """Of a set: a row for each picture and method, so many metrics a table as fit; and why some numbers are not there.

    Args:
        pictures: the n-th is described in the section `picture-n`, from 1.
    """
    several = any(len(methods) > 1 for methods in pictures)
    tables = []
    for start in range(0, len(metrics), COLUMNS):
        some = metrics[start : start + COLUMNS]
        rows = []
        for index, methods in enumerate(pictures, 1):
            for name, scores in methods:
                link = tag("th", tag("a", scores.name, href=f"#picture-{index}"), scope="row")
                values = [_number_cell(scores.values[metric.id]) for metric in some]
                rows.append([link, *([name] if several else []), *values])
        heads = [_sortable("picture"), *([_sortable("method")] if several else [])]
        heads += [_sortable(_breakable(metric.id), metric.unit, number=True) for metric in some]
        tables.append(table(heads, rows, class_="numbers sortable wide"))
    reasons = Counter(reason for methods in pictures for _, scores in methods for reason in scores.undefined.items())
    said = [tag("li", tag("code", name), f": {why} ({_times(count)})") for (name, why), count in reasons.items()]
    return joined(tables, [tag("p", "Undefined:"), tag("ul", said)] if said else [])


def legend_of_metrics(metrics: Sequence[Metric]) -> Html:
    """What each metric is, its unit and range, which way is better, and who defined it."""
    rows = [
        [
            tag("th", _breakable(each.id), scope="row"),
            each.title,
            each.unit or "–",
            each.range,
            BETTER[each.better],
            each.source,
        ]
        for each in metrics
    ]
    return table(["metric", "what it is", "unit", "range", "better", "source"], rows, class_="words")


def _against(metric: Metric, difference: Difference | None) -> list[str]:
    if difference is None:
        return [_number_cell(None), _number_cell(None), "", ""]
    mean = tag("td", true_minus(f"{difference.mean:+.4g}"), data_value=difference.mean, class_="number")
    interval = true_minus(f"{difference.low:+.4g} … {difference.high:+.4g}")
    return [_number_cell(difference.median), mean, tag("td", interval, class_="number"), _verdict(metric, difference)]


def _verdict(metric: Metric, difference: Difference) -> Html:
    """Whether the result is better: only where the whole interval is on one side of 0."""
    if metric.better == "zero":  # which side is nearer to 0, a difference of means does not say
        return tag("td", "–")
    if difference.low <= 0 <= difference.high:
        return tag("td", "not told apart")
    better = (difference.mean > 0) == (metric.better == "higher")
    return tag("td", tag("b", "better") if better else "worse")


def _better(metric: Metric, values: Sequence[float | None]) -> int | None:
    """Which of two methods is better; None where that is not to be said."""
    if len(values) < 2 or None in values:
        return None
    numbers = [value for value in values if value is not None]
    badness = {"higher": lambda value: -value, "lower": lambda value: value, "zero": abs}[metric.better]
    ranked = [badness(value) for value in numbers]
    return ranked.index(min(ranked)) if len(set(ranked)) > 1 else None


def _number_cell(value: float | None, marked: bool = False) -> Html:
    if value is None:
        return tag("td", "undefined", class_="undefined")
    words = true_minus(number(value))
    return tag("td", tag("b", words) if marked else words, class_="number", data_value=repr(float(value)))


def _sorted_by(words: str, value: float) -> Html:
    return tag("td", words, class_="number", data_value=value)


def _sortable(name: str, unit: str = "", number: bool = False) -> Html:
    """A head whose column can be sorted; the script makes a button of its name."""
    content = (tag("span", name), tag("small", unit) if unit else "")
    return tag("th", *content, scope="col", class_="number" if number else None)


def _breakable(name: str) -> Html:
    """An id that may go on in the next line behind its dots and underscores."""
    return Html(joined(name).replace(".", ".<wbr>").replace("_", "_<wbr>"))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
