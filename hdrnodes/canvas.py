"""Lines and words on paper, drawn with OpenImageIO, so that no plotting library is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from OpenImageIO import ROI, ImageBuf, ImageBufAlgo, ImageSpec

from hdrnodes.image import Pixels

FINER = 3  # drawn that much larger, then reduced: OpenImageIO's lines have hard edges
FONT = "DroidSans"  # OpenImageIO has it built in

Colour = tuple[float, float, float]
PAPER, INK, SOFT, GRID = (1.0, 1.0, 1.0), (0.13, 0.13, 0.15), (0.42, 0.43, 0.46), (0.89, 0.90, 0.91)
# Okabe and Ito, "Color Universal Design", 2008: told apart with any colour vision.
BLUE, GREEN, VERMILION = (0.0, 0.447, 0.698), (0.0, 0.62, 0.451), (0.835, 0.369, 0.0)


class Canvas:
    """A sheet to draw on; sizes and places are in pixels of the finished drawing, from its upper left corner."""

    def __init__(self, width: int, height: int, paper: Colour = PAPER) -> None:
        self.width, self.height = width, height
        self._buffer = ImageBuf(ImageSpec(width * FINER, height * FINER, 3, "float"))
        self._paper = paper
        ImageBufAlgo.fill(self._buffer, paper)

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
                ImageBufAlgo.render_line(self._buffer, *moved, color=colour)

    def text(self, x: float, y: float, words: str, size: int, colour: Colour = INK, align: str = "left") -> None:
        """Words whose baseline begins at x, y; or ends, or has its middle there: `right`, `center`."""
        place = (round(x * FINER), round(y * FINER))
        ImageBufAlgo.render_text(self._buffer, *place, words, size * FINER, FONT, colour, align)

    def vertical_text(self, x: float, y: float, words: str, size: int, colour: Colour = INK) -> None:
        """Words that read upwards, centred on x, y: drawn on a sheet of their own, and turned."""
        box = ImageBufAlgo.text_size(words, size * FINER, FONT)
        sheet = ImageBuf(ImageSpec(box.width + 8, 2 * size * FINER, 3, "float"))
        ImageBufAlgo.fill(sheet, self._paper)
        ImageBufAlgo.render_text(sheet, 4, round(1.4 * size * FINER), words, size * FINER, FONT, colour)
        turned = ImageBufAlgo.rotate270(sheet)
        width, height = turned.spec().width, turned.spec().height
        place = (round(x * FINER - width / 2), round(y * FINER - height / 2))
        ImageBufAlgo.paste(self._buffer, *place, 0, 0, turned)

    def pixels(self) -> Pixels:
        """What was drawn: H x W x 3, 0..1, display-referred."""
        reduced = ImageBufAlgo.resize(self._buffer, "box", 0.0, ROI(0, self.width, 0, self.height, 0, 1, 0, 3))
        pixels = reduced.get_pixels("float")
        assert pixels is not None, reduced.geterror()
        return np.asarray(pixels, np.float32).clip(0, 1)


def text_width(words: str, size: int) -> float:
    """How wide words are, in pixels.

    >>> text_width("", 20), text_width("plate", 20) < text_width("a longer plate", 20)
    (0.0, True)
    """
    return ImageBufAlgo.text_size(words, size * FINER, FONT).width / FINER if words else 0.0


def _short_pieces(points: Sequence[tuple[float, float]]) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The same line in pieces of a pixel or two, so that dashes fall anywhere on it."""
    pieces = []
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        count = max(1, round(np.hypot(x1 - x0, y1 - y0)))
        path = [(x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count) for i in range(count + 1)]
        pieces += list(zip(path, path[1:], strict=False))
    return pieces
