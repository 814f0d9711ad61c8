"""How a metric is spread over a set: a dot for each picture, sorted along the axis; a box over the middle half of them,
with a bar at the median (Tukey, 1977, without whiskers: the dots say more)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hdrnodes.metrics.base import Metric
from hdrnodes.metrics.evaluate import Scores
from hdrnodes.metrics.wording import BETTER, number
from hdrnodes.report.html import Html, joined, tag
from hdrnodes.report.plot import OTHER, RESULT, Frame, Stroke, round_ticks, text, true_minus

ROW = 44  # of one method, in units of the drawing
SPREAD = 26  # of its dots, upwards and downwards together
DOT = 3.2
GOLDEN = 0.618033988749895  # its multiples, without their whole parts, never fall close together


def distribution_plot(metric: Metric, methods: Sequence[tuple[str, Sequence[Scores]]]) -> Html | None:
    """The numbers of a metric, in rows below each other.

    Args:
        methods: names and scores, of the result first; at most two.

    Returns:
        A figure; None where no picture has a number.
    """
    rows = [(name, sorted(_numbers(metric, scores))) for name, scores in methods]
    every = [value for _, found in rows for value, _ in found]
    if not every:
        return None
    low, high = min(every), max(every)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    height = ROW * len(rows) + 52
    frame = Frame((low - margin, high + margin), (0, len(rows)), width=420, height=height, left=64, top=8)
    parts = [
        _row(frame, name, found, len(rows) - index - 0.5, stroke, square=index > 0)
        for index, ((name, found), stroke) in enumerate(zip(rows, (RESULT, OTHER), strict=False))
    ]
    axis = f"{f'{metric.unit}, ' if metric.unit else ''}{BETTER[metric.better]} is better"
    axis = axis.replace("nearest 0 is better", "nearest 0 is best")
    plot = frame.drawing(
        f"Distribution of {metric.id}",
        frame.across(round_ticks(*frame.x), lambda tick: true_minus(f"{tick:g}"), axis),
        parts,
    )
    return tag("figure", tag("figcaption", tag("code", metric.id)), plot, class_="distribution")


def _numbers(metric: Metric, scores: Sequence[Scores]) -> list[tuple[float, str]]:
    values = ((each.values[metric.id], each.name) for each in scores)
    return [(value, name) for value, name in values if value is not None]


def _row(
    frame: Frame, name: str, found: Sequence[tuple[float, str]], level: float, stroke: Stroke, square: bool
) -> Html:
    words = text(frame.left - 8, frame.at(0, level)[1] + 4, name, text_anchor="end")
    if not found:
        return words
    first, median, third = (
        frame.at(each, level) for each in np.percentile([value for value, _ in found], [25, 50, 75])
    )
    half = SPREAD / 2 + 3
    box = tag(
        "rect",
        x=f"{first[0]:.1f}",
        y=f"{first[1] - half:.1f}",
        width=f"{third[0] - first[0]:.1f}",
        height=2 * half,
        fill=stroke.colour,
        fill_opacity=0.16,
    )
    bar = tag(
        "line",
        x1=f"{median[0]:.1f}",
        x2=f"{median[0]:.1f}",
        y1=f"{median[1] - half:.1f}",
        y2=f"{median[1] + half:.1f}",
        stroke=stroke.colour,
        stroke_width=2.4,
    )
    dots = [_dot(frame, value, level, index, picture, stroke, square) for index, (value, picture) in enumerate(found)]
    return joined(words, box, bar, dots)


def _dot(frame: Frame, value: float, level: float, index: int, picture: str, stroke: Stroke, square: bool) -> Html:
    """Moved up or down by its rank, so that equal numbers do not hide each other."""
    x, y = frame.at(value, level)
    y += SPREAD * (index * GOLDEN % 1 - 0.5)
    title = tag("title", f"{picture}: {number(value)}")
    look = {"fill": "none" if square else stroke.colour, "fill_opacity": 0.75, "stroke": stroke.colour}
    if square:
        side = 2 * DOT - 0.8
        place = {"x": f"{x - side / 2:.1f}", "y": f"{y - side / 2:.1f}", "width": side, "height": side}
        return tag("rect", title, **place, **look)
    return tag("circle", title, cx=f"{x:.1f}", cy=f"{y:.1f}", r=DOT, **look)
