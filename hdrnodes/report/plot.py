"""What plots have in common: a frame with two axes, lines told apart by colour and by dashes, and their key."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hdrnodes.canvas import BLUE, GREEN, INK, SOFT, VERMILION
from hdrnodes.report.colour_maps import hexadecimal
from hdrnodes.report.html import Html, joined, tag

Point = tuple[float, float]


@dataclass(frozen=True)
class Stroke:
    """How a line looks. Of two that may be in one plot, the dashes differ, too."""

    colour: str
    dashes: str | None = None
    width: float = 1.8

    def attributes(self) -> dict[str, object]:
        return {"stroke": self.colour, "stroke_width": self.width, "stroke_dasharray": self.dashes, "fill": "none"}


# Who is who, in every plot.
RESULT = Stroke(hexadecimal(BLUE), width=2.2)
OTHER = Stroke(hexadecimal(VERMILION), "7 3")
REFERENCE = Stroke(hexadecimal(INK), width=1.4)
PLATE = Stroke(hexadecimal(SOFT), "1.5 3")
STANDARD = Stroke(hexadecimal(SOFT), "2 4", 1.4)
CHANNELS = (
    Stroke(hexadecimal(VERMILION), width=2.0),
    Stroke(hexadecimal(GREEN), "10 3", 2.0),
    Stroke(hexadecimal(BLUE), "4 2", 2.0),
)


@dataclass(frozen=True)
class Frame:
    """A rectangle with values along its two sides; sizes in units of the drawing, about a pixel each."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: int = 420
    height: int = 280
    left: int = 54
    top: int = 10
    right: int = 14
    bottom: int = 44

    def at(self, x: float, y: float) -> Point:
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return (
            self.left + across * (self.width - self.left - self.right),
            self.height - self.bottom - up * (self.height - self.top - self.bottom),
        )

    def drawing(self, title: str, *parts: str | Iterable[str]) -> Html:
        """The plot; its title is for who does not see it."""
        box = f"0 0 {self.width} {self.height}"
        return tag("svg", tag("title", title), *parts, viewBox=box, role="img", class_="plot", width=self.width)

    def across(self, ticks: Sequence[float], words: Callable[[float], str], name: str) -> Html:
        """Lines upwards, with values under them, and what they are."""
        lines = [_line(self.at(tick, self.y[0]), self.at(tick, self.y[1])) for tick in ticks]
        below = self.height - self.bottom
        texts = [text(self.at(tick, self.y[0])[0], below + 16, words(tick)) for tick in ticks]
        return joined(lines, texts, text((self.left + self.width - self.right) / 2, below + 36, name, class_="axis"))

    def up(self, ticks: Sequence[float], words: Callable[[float], str], name: str) -> Html:
        """Lines across, with values before them, and what they are."""
        lines = [_line(self.at(self.x[0], tick), self.at(self.x[1], tick)) for tick in ticks]
        texts = [text(self.left - 7, self.at(self.x[0], tick)[1] + 4, words(tick), text_anchor="end") for tick in ticks]
        middle = (self.top + self.height - self.bottom) / 2
        turned = text(0, 0, name, class_="axis", transform=f"translate(14 {middle:.1f}) rotate(-90)")
        return joined(lines, texts, turned)

    def line(self, points: Iterable[Point], stroke: Stroke) -> Html:
        """A line through values."""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*point) for point in points))
        return tag("polyline", points=places, stroke_linejoin="round", **stroke.attributes())

    def mark(self, x: float, name: str) -> Html:
        """A place along the lower side, named at its top."""
        low, high = self.at(x, self.y[0]), self.at(x, self.y[1])
        return joined(
            _line(low, high, class_="mark"), text(high[0] + 4, high[1] + 11, name, text_anchor="start", class_="note")
        )


def key(entries: Iterable[tuple[str, Stroke]]) -> Html:
    """What each line is: a sample of it, and its name."""
    samples = []
    for name, stroke in entries:
        sample = tag("line", x1=0, y1=5, x2=30, y2=5, **stroke.attributes())
        drawn = tag("svg", sample, width=30, height=10, viewBox="0 0 30 10", aria_hidden="true")
        samples.append(tag("span", drawn, " ", name, class_="entry"))
    return tag("figcaption", samples, class_="key")


def text(x: float, y: float, words: str, **attributes: object) -> Html:
    return tag("text", words, **{"x": f"{x:.1f}", "y": f"{y:.1f}", "text_anchor": "middle", **attributes})


def round_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Values of 1, 2 or 5 times a power of ten, from the range, about that many.

    >>> round_ticks(0.13, 0.92), round_ticks(27, 46)
    ([0.2, 0.4, 0.6, 0.8], [30.0, 35.0, 40.0, 45.0])
    """
    rough = max(high - low, 1e-12) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda each: abs(math.log(each / rough)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(count * step, 12) for count in range(first, last + 1)]


def signed_words(value: float) -> str:
    """
    >>> signed_words(-2.0), signed_words(0), signed_words(4)
    ('−2', '0', '+4')
    """
    return true_minus(f"{value:+g}") if value else "0"


def true_minus(words: str) -> str:
    """A number with a minus in place of the hyphen that a keyboard has.

    >>> true_minus("-0.5")
    '−0.5'
    """
    return words.replace("-", "−")


def _line(start: Point, end: Point, **attributes: object) -> Html:
    (x1, y1), (x2, y2) = start, end
    places = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    return tag("line", **{"class_": "grid", **places, **attributes})
