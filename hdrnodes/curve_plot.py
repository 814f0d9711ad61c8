"""A plot of a response curve, drawn with OpenImageIO, so that no plotting library is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from OpenImageIO import ROI, ImageBuf, ImageBufAlgo, ImageSpec

from hdrnodes.curve import Curve
from hdrnodes.image import Image, Pixels
from hdrnodes.io import write

WIDTH, HEIGHT = 960, 760
LEFT, TOP, RIGHT, BOTTOM = 96, 104, 32, 80  # margins
FINER = 3  # drawn that much larger, then reduced: OpenImageIO's lines have hard edges

PAPER, INK, SOFT, GRID = (1.0, 1.0, 1.0), (0.13, 0.13, 0.15), (0.42, 0.43, 0.46), (0.89, 0.90, 0.91)
# Okabe and Ito, "Color Universal Design", 2008: told apart with any colour vision.
BLUE, GREEN, VERMILION = (0.0, 0.447, 0.698), (0.0, 0.62, 0.451), (0.835, 0.369, 0.0)

Colour = tuple[float, float, float]
Line = tuple[str, Colour, Pixels, bool]  # name, colour, samples of the inverse response, whether dashed


def plot_curve(curve: Curve, path: Path, overwrite: bool = False) -> None:
    """Draw a curve over a grid, with sRGB's for comparison, into a PNG of 960 x 760."""
    lines: list[Line] = []
    if curve.source != "srgb":
        lines.append(("sRGB", SOFT, Curve.named("srgb").samples[0], True))
    if curve.per_channel:
        names = zip(("red", "green", "blue"), (VERMILION, GREEN, BLUE), curve.samples, strict=True)
        lines += [(name, colour, samples, False) for name, colour, samples in names]
    else:
        lines.append(("this curve", BLUE, curve.samples[0], False))
    write(Image(draw_curves(_subtitle(curve), lines)), path, pixel_type="uint8", overwrite=overwrite)


def draw_curves(subtitle: str, lines: Sequence[Line]) -> Pixels:
    """Curves over a grid, named: 760 x 960 x 3, 0..1, display-referred."""
    sheet = _Sheet()
    sheet.axes()
    sheet.text(LEFT, 46, "Camera response, inverted", 26)
    sheet.text(LEFT, 76, subtitle, 17, SOFT)
    for row, (name, colour, samples, dashed) in enumerate(lines):
        sheet.curve(samples, colour, dashed)
        y = TOP + 34 + 30 * row
        sheet.line([(LEFT + 24, y), (LEFT + 70, y)], colour, 3, dashed)
        sheet.text(LEFT + 84, y + 6, name, 17)
    return sheet.pixels()


def _subtitle(curve: Curve) -> str:
    source = {"srgb": "sRGB, IEC 61966-2-1", "bt709": "Rec. ITU-R BT.709", "estimate": "estimated"}.get(curve.source)
    return source or Path(curve.source).name


class _Sheet:
    """A canvas with a unit square on it; sizes are in pixels of the finished plot."""

    def __init__(self) -> None:
        self.buffer = ImageBuf(ImageSpec(WIDTH * FINER, HEIGHT * FINER, 3, "float"))
        ImageBufAlgo.fill(self.buffer, PAPER)

    def axes(self) -> None:
        for step in range(6):
            value = step / 5
            for line in ([(value, 0), (value, 1)], [(0, value), (1, value)]):
                self.line([_place(x, y) for x, y in line], SOFT if step == 0 else GRID, 1.4)
            (x, y), (left, level) = _place(value, 0), _place(0, value)
            self.text(x, y + 26, f"{value:.1f}", 16, SOFT, "center")
            self.text(left - 12, level + 6, f"{value:.1f}", 16, SOFT, "right")
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 22, "display value (code value / largest)", 17, INK, "center")
        self.vertical_text(34, (TOP + HEIGHT - BOTTOM) / 2, "scene-linear light (1 = clips)", 17)

    def curve(self, samples: Pixels, colour: Colour, dashed: bool) -> None:
        display = np.linspace(0, 1, len(samples))
        points = [_place(float(x), float(y)) for x, y in zip(display[::3], samples[::3], strict=True)]
        self.line(points, colour, 2 if dashed else 3, dashed)

    def line(self, points: Sequence[tuple[float, float]], colour: Colour, width: float, dashed: bool = False) -> None:
        """A line of that width: many thin ones, moved round a disc."""
        radius = width * FINER / 2
        reach = range(-int(radius), int(radius) + 1)
        disc = [(dx, dy) for dx in reach for dy in reach if dx * dx + dy * dy <= radius * radius]
        along = 0.0
        for (x0, y0), (x1, y1) in _short_pieces(points) if dashed else zip(points, points[1:], strict=False):
            along += float(np.hypot(x1 - x0, y1 - y0))
            if dashed and along % 14 > 8:
                continue
            ends = [round(value * FINER) for value in (x0, y0, x1, y1)]
            for dx, dy in disc:
                moved = (ends[0] + dx, ends[1] + dy, ends[2] + dx, ends[3] + dy)
                ImageBufAlgo.render_line(self.buffer, *moved, color=colour)

    def text(self, x: float, y: float, words: str, size: int, colour: Colour = INK, align: str = "left") -> None:
        place = (round(x * FINER), round(y * FINER))
        ImageBufAlgo.render_text(self.buffer, *place, words, size * FINER, "DroidSans", colour, align)

    def vertical_text(self, x: float, y: float, words: str, size: int, colour: Colour = INK) -> None:
        """Text that reads upwards, centred on x, y: drawn on a sheet of its own, and turned."""
        box = ImageBufAlgo.text_size(words, size * FINER, "DroidSans")
        sheet = ImageBuf(ImageSpec(box.width + 8, 2 * size * FINER, 3, "float"))
        ImageBufAlgo.fill(sheet, PAPER)
        ImageBufAlgo.render_text(sheet, 4, round(1.4 * size * FINER), words, size * FINER, "DroidSans", colour)
        turned = ImageBufAlgo.rotate270(sheet).spec()
        place = (round(x * FINER - turned.width / 2), round(y * FINER - turned.height / 2))
        ImageBufAlgo.paste(self.buffer, *place, 0, 0, ImageBufAlgo.rotate270(sheet))

    def pixels(self) -> Pixels:
        reduced = ImageBufAlgo.resize(self.buffer, "box", 0.0, ROI(0, WIDTH, 0, HEIGHT, 0, 1, 0, 3))
        pixels = reduced.get_pixels("float")
        assert pixels is not None, reduced.geterror()
        return np.asarray(pixels, np.float32).clip(0, 1)


def _place(x: float, y: float) -> tuple[float, float]:
    """Where a point of the unit square is on the sheet."""
    return LEFT + x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)


def _short_pieces(points: Sequence[tuple[float, float]]) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The same line in pieces of a pixel or two, so that dashes fall anywhere on it."""
    pieces = []
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        count = max(1, round(np.hypot(x1 - x0, y1 - y0)))
        path = [(x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count) for i in range(count + 1)]
        pieces += list(zip(path, path[1:], strict=False))
    return pieces
