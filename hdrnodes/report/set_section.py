"""The part of the page about the whole set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hdrnodes.metrics.base import Metric
from hdrnodes.metrics.evaluate import Scores
from hdrnodes.metrics.summary import Summary
from hdrnodes.report.distribution_plot import distribution_plot
from hdrnodes.report.html import Html, tag
from hdrnodes.report.tables import pictures_tables, summary_table


def set_section(
    metrics: Sequence[Metric], methods: Sequence[tuple[str, Sequence[Scores]]], summaries: Mapping[str, Summary]
) -> Html:
    """Medians, distributions, and a row for each picture.

    Args:
        methods: names and scores, of the same pictures in the same order; of the result first.
        summaries: what `summarise` made of them.
    """
    names = [name for name, _ in methods]
    pictures = [list(zip(names, scores, strict=True)) for scores in zip(*(each for _, each in methods), strict=True)]
    other = names[1] if len(names) > 1 else None
    compared = f" Differences are result less {other}; their interval is bootstrapped over pictures." if other else ""
    plots = [plot for metric in metrics if (plot := distribution_plot(metric, methods)) is not None]
    return tag(
        "section",
        tag("h2", f"All {len(pictures)} pictures"),
        tag("p", f"Medians and means are over the pictures for which a metric is defined.{compared}", class_="notes"),
        summary_table(metrics, summaries, other),
        tag("h3", "Distributions"),
        tag("p", "A dot is a picture; the box has the middle half of them, the bar the median.", class_="notes"),
        tag("div", plots, class_="distributions"),
        tag("h3", "Every picture"),
        pictures_tables(metrics, pictures),
        id="all",
    )


def failed_section(failed: Sequence[tuple[str, str]]) -> Html:
    """What could not be compared, and why."""
    items = [tag("li", tag("b", name), ": ", why) for name, why in failed]
    return tag("section", tag("h2", "Not compared"), tag("ul", items), id="failed")
