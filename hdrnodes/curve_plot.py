"""A plot of a response curve, for a file of its own or among other pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hdrnodes.canvas import BLUE, GREEN, GRID, INK, SOFT, VERMILION, Canvas, Colour
from hdrnodes.curve import Curve
from hdrnodes.image import Image, Pixels
from hdrnodes.io import write

Line = tuple[str, Colour, Pixels, bool]  # name, colour, samples of the inverse response, whether dashed


@dataclass(frozen=True)
class Layout:
    """Sizes of a plot, in pixels: of the sheet, its margins, and the words at its axes."""

    width: int = 960
    height: int = 760
    left: int = 96
    top: int = 104
    right: int = 32
    bottom: int = 80
    words: int = 17

    @classmethod
    def small(cls, width: int, height: int) -> Layout:
        """Without room for a title."""
        return cls(width, height, left=64, top=14, right=14, bottom=50, words=14)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the unit square is on the sheet."""
        across, down = self.width - self.left - self.right, self.height - self.top - self.bottom
        return self.left + x * across, self.height - self.bottom - y * down


def plot_curve(curve: Curve, path: Path, overwrite: bool = False) -> None:
    """Draw a curve over a grid, with sRGB's for comparison, into a PNG of 960 x 760."""
    pixels = draw_curves(_subtitle(curve), curve_lines(curve))
    write(Image(pixels), path, pixel_type="uint8", overwrite=overwrite)


def curve_lines(curve: Curve) -> list[Line]:
    """A curve, or its three channels, and sRGB's to compare with."""
    lines: list[Line] = []
    if curve.source != "srgb":
        lines.append(("sRGB", SOFT, Curve.named("srgb").samples[0], True))
    if curve.per_channel:
        names = zip(("red", "green", "blue"), (VERMILION, GREEN, BLUE), curve.samples, strict=True)
        return lines + [(name, colour, samples, False) for name, colour, samples in names]
    return [*lines, ("this curve", BLUE, curve.samples[0], False)]


def draw_curves(subtitle: str, lines: Sequence[Line], layout: Layout | None = None) -> Pixels:
    """Curves over a grid, named: H x W x 3, 0..1, display-referred; 760 x 960 as a rule. A small one has no title."""
    layout = layout or Layout()
    words = layout.words
    canvas = Canvas(layout.width, layout.height)
    _draw_axes(canvas, layout)
    if layout.top > 2 * words:
        canvas.text(layout.left, 46, "Camera response, inverted", 26)
        canvas.text(layout.left, 76, subtitle, words, SOFT)
    for row, (name, colour, samples, dashed) in enumerate(lines):
        display = np.linspace(0, 1, len(samples))
        points = [layout.place(float(x), float(y)) for x, y in zip(display[::3], samples[::3], strict=True)]
        canvas.line(points, colour, 2 if dashed else 3, dashed)
        x, y = layout.left + 1.4 * words, layout.top + (2 + 1.75 * row) * words
        canvas.line([(x, y), (x + 2.7 * words, y)], colour, 3, dashed)
        canvas.text(x + 3.5 * words, y + 0.35 * words, name, words)
    return canvas.pixels()


def _subtitle(curve: Curve) -> str:
    source = {"srgb": "sRGB, IEC 61966-2-1", "bt709": "Rec. ITU-R BT.709", "estimate": "estimated"}.get(curve.source)
    return source or Path(curve.source).name


def _draw_axes(canvas: Canvas, layout: Layout) -> None:
    words = layout.words
    for step in range(6):
        value = step / 5
        for line in ([(value, 0), (value, 1)], [(0, value), (1, value)]):
            canvas.line([layout.place(x, y) for x, y in line], SOFT if step == 0 else GRID, 1.4)
        (x, y), (left, level) = layout.place(value, 0), layout.place(0, value)
        canvas.text(x, y + 1.5 * words, f"{value:.1f}", words - 1, SOFT, "center")
        canvas.text(left - 0.7 * words, level + 0.35 * words, f"{value:.1f}", words - 1, SOFT, "right")
    middle, height = layout.place(0.5, 0)[0], layout.place(0, 0.5)[1]
    canvas.text(middle, layout.height - 0.8 * words, "display value (code value / largest)", words, INK, "center")
    canvas.vertical_text(1.2 * words, height, "scene-linear light (1 = clips)", words)
