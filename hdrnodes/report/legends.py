"""What colours of pictures stand for, with numbers."""

from __future__ import annotations

from collections.abc import Sequence

from hdrnodes.display import FIRST_STOP, STOP_COLOURS
from hdrnodes.report.colour_maps import STEPS, ColourMap, hexadecimal
from hdrnodes.report.html import Html, tag
from hdrnodes.report.plot import round_ticks, signed_words, text

WIDTH, HEIGHT = 420, 44
MARGIN = 20
BAR = 16


def stops_legend() -> Html:
    """The colours of `display.false_colours`, and the stops from mid-grey at which each has its middle."""
    wide = (WIDTH - 2 * MARGIN) / len(STOP_COLOURS)
    boxes = [_box(MARGIN + index * wide, wide, colour) for index, colour in enumerate(STOP_COLOURS)]
    last = FIRST_STOP + len(STOP_COLOURS) - 1
    words = {FIRST_STOP: f"≤ {signed_words(FIRST_STOP)}", last: f"≥ {signed_words(last)}"}
    stops = range(FIRST_STOP, last + 1, 2)
    labels = [(MARGIN + (stop - FIRST_STOP + 0.5) * wide, words.get(stop, signed_words(stop))) for stop in stops]
    return _legend("Stops from mid-grey, of luminance", boxes, labels)


def map_legend(colours: ColourMap) -> Html:
    """A colour map from end to end, and the values along it."""
    count = 64
    wide = (WIDTH - 2 * MARGIN) / count
    picked = [colours.colours[round(index * (STEPS - 1) / (count - 1))] for index in range(count)]
    boxes = [_box(MARGIN + index * wide, wide, hexadecimal(colour)) for index, colour in enumerate(picked)]
    labels = []
    for tick in round_ticks(colours.low, colours.high, 6):
        x = MARGIN + (tick - colours.low) / (colours.high - colours.low) * (WIDTH - 2 * MARGIN)
        words = signed_words(tick) if colours.low < 0 else f"{tick:g}"
        sign = "≥ " if tick == colours.high else "≤ " if tick == colours.low < 0 else ""
        labels.append((x, sign + words))
    return _legend(colours.unit, boxes, labels)


def _legend(title: str, boxes: Sequence[Html], labels: Sequence[tuple[float, str]]) -> Html:
    texts = [text(x, BAR + 16, words) for x, words in labels]
    frame = tag("rect", x=MARGIN, y=1, width=WIDTH - 2 * MARGIN, height=BAR, fill="none", stroke="#999")
    drawn = (tag("title", title), boxes, frame, texts)
    return tag("svg", *drawn, viewBox=f"0 0 {WIDTH} {HEIGHT - 8}", width=WIDTH, role="img", class_="plot legend")


def _box(x: float, wide: float, colour: str) -> Html:
    # A little wider than its share: without, some programs draw hair lines between neighbours.
    return tag("rect", x=f"{x:.2f}", y=1, width=f"{wide + 0.3:.2f}", height=BAR, fill=colour)
