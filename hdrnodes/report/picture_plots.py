"""Plots of one picture: the response curve, and how its light is spread."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hdrnodes.curve import Curve
from hdrnodes.display import MID_GREY
from hdrnodes.report.html import Html, tag
from hdrnodes.report.pictures import BINS, Shares
from hdrnodes.report.plot import CHANNELS, STANDARD, Frame, Stroke, key, signed_words

POINTS = 129  # of a plotted curve
LEAST_SHARE = 1e-5  # of the pixels; rarer is at the foot of the histogram

Named = tuple[str, Stroke]


def curve_plot(curves: Sequence[tuple[Named, Curve]]) -> Html:
    """Inverse responses over a grid, and sRGB's. Of a curve for each channel, these have colours of their own."""
    frame = Frame((0, 1), (0, 1))
    lines = [(("sRGB", STANDARD), Curve.named("srgb").samples[0])]
    for (name, stroke), curve in curves:
        if curve.per_channel:
            channels = zip(("red", "green", "blue"), CHANNELS, curve.samples, strict=True)
            lines += [((f"{name}, {channel}", own), samples) for channel, own, samples in channels]
        else:
            lines.append(((name, stroke), curve.samples[0]))
    at = np.linspace(0, 1, POINTS)
    drawn = [
        frame.line(zip(at, np.interp(at, np.linspace(0, 1, len(samples)), samples), strict=True), stroke)
        for (_, stroke), samples in lines
    ]
    values = [0, 0.2, 0.4, 0.6, 0.8, 1]
    plot = frame.drawing(
        "Camera response, inverted",
        frame.across(values, "{:g}".format, "display value (code value / largest)"),
        frame.up(values, "{:g}".format, "scene-linear light (1 clips)"),
        drawn,
    )
    return tag("figure", plot, key(named for named, _ in lines))


def stops_histogram(spread: Sequence[tuple[Named, Shares]], white_is_clip: bool) -> Html:
    """Share of the pixels at each half stop of luminance, on a logarithmic scale: highlights are few."""
    frame = Frame((float(BINS[0]), float(BINS[-1])), (math.log10(LEAST_SHARE), 0), width=580, left=76)
    drawn = [frame.line(_outline(shares), stroke) for (_, stroke), shares in spread]
    plot = frame.drawing(
        "How much of the picture is how bright",
        frame.across(range(-12, 13, 2), _end_words, "luminance, stops from mid-grey"),
        frame.up(range(-5, 1), lambda power: f"{100 * 10.0**power:g} %", "share of the pixels"),
        frame.mark(-math.log2(MID_GREY), "the plate clips" if white_is_clip else "white at 0 stops"),
        drawn,
    )
    return tag("figure", plot, key(named for named, _ in spread))


def _outline(shares: Shares) -> list[tuple[float, float]]:
    """Corners of the bars."""
    heights = np.log10(np.maximum(shares, LEAST_SHARE))
    edges = zip(BINS[:-1], BINS[1:], heights, strict=True)
    return [(float(edge), float(height)) for low, high, height in edges for edge in (low, high)]


def _end_words(stops: float) -> str:
    return {-12: "≤ −12", 12: "≥ +12"}.get(int(stops), signed_words(stops))
