"""A contact sheet of a reconstruction, to look at without a program for EXRs:

plate    mask: what was invented    curve    facts
result at -4, -2, 0 and +2 stops
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hdrnodes.canvas import Canvas, text_width
from hdrnodes.curve import Curve
from hdrnodes.curve_plot import Layout, curve_lines, draw_curves
from hdrnodes.display import light_of, shown
from hdrnodes.image import Image, Pixels
from hdrnodes.io import write
from hdrnodes.reduce import reduce

SUFFIX = ".preview.png"
STOPS = (-4, -2, 0, 2)
LONGEST = 480  # pixels of a tile's longer side
SMALLEST = (240, 360)  # height, width of a cell: less has no room for a curve
GAP, LABEL, WORDS = 16, 26, 15  # pixels: between cells, of the line above each, of its letters
GROUND, LIGHT, SOFT = (0.145, 0.145, 0.145), (0.86, 0.86, 0.86), (0.62, 0.62, 0.62)  # neutral, as around pictures


def preview_path(picture: Path) -> Path:
    """Beside a picture: `out.exr` has `out.preview.png`, `out.1001.exr` has `out.1001.preview.png`."""
    return picture.with_name(f"{picture.stem}{SUFFIX}")


def is_preview(path: Path) -> bool:
    """Whether a file has the name of a contact sheet."""
    return path.name.endswith(SUFFIX)


def write_preview(
    path: Path,
    plate: Image,
    result: Image,
    mask: Pixels,
    curve: Curve | None,
    facts: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Write the contact sheet as PNG.

    Arguments as `contact_sheet`.

    Raises:
        WriteError: the file exists, or cannot be written.
    """
    sheet = contact_sheet(plate, result, mask, curve, facts)
    write(Image(sheet), path, pixel_type="uint8", overwrite=overwrite)


def contact_sheet(plate: Image, result: Image, mask: Pixels, curve: Curve | None, facts: Sequence[str] = ()) -> Pixels:
    """Draw plate, mask, curve, facts; below them the result at `STOPS`. All pictures of one size.

    Args:
        plate: as it was read.
        result: of any colour space; shown through sRGB's view, 1.0 is white at 0 stops.
        mask: H x W x 1, 0..1, where light was invented.
        curve: the inverse response that was applied; None where the plate was scene-linear.
        facts: lines of text.

    Returns:
        H x W x 3, 0..1, display-referred. Pictures are reduced by areas of light to 480 pixels on the longer side, or
        enlarged by a whole number.
    """
    light = _fitted(light_of(result)[0])
    pictures = [shown(_fitted(light_of(plate)[0])), np.broadcast_to(_fitted(mask), light.shape)]
    cell = tuple(map(max, light.shape[:2], SMALLEST))
    plot = _curve_plot(curve, cell) if curve else _words(["the plate is scene-linear", "no curve was undone"], cell)
    first = [*zip(("plate", "clipped: light invented here", "response curve"), (*pictures, plot), strict=True)]
    first.append(("", _words(facts, cell)))
    second = [(_stops(stops), shown(light, stops)) for stops in STOPS]
    rows = [[labelled(name, picture, cell) for name, picture in row] for row in (first, second)]
    return joined([joined(row, axis=1) for row in rows], axis=0)


def facts_of(name: str, result: Image, mask: Pixels) -> list[str]:
    """What is said of a result in words: sizes, what clipped, how bright it became."""
    light = light_of(result)[0]
    peak = float(np.nan_to_num(light).max())
    brightest = f"brightest {np.log2(peak):+.1f} stops above clip level" if peak > 0 else "no light"
    invented = 100 * float(np.mean(mask > 0))
    return [name, f"{result.width} x {result.height} pixels", f"light invented in {invented:.3g} %", brightest]


def _fitted(pixels: Pixels) -> Pixels:
    """Reduced by areas, or enlarged by a whole number, to a tile."""
    times = max(1, LONGEST // max(pixels.shape[:2]))
    return reduce(np.nan_to_num(pixels), LONGEST).repeat(times, axis=0).repeat(times, axis=1)


def _stops(stops: int) -> str:
    return f"result, {stops:+d} stops" if stops else "result, 0 stops: clip level is white"


def _curve_plot(curve: Curve, cell: Sequence[int]) -> Pixels:
    height, width = cell
    return draw_curves("", curve_lines(curve), Layout.small(min(width, 4 * height // 3), min(height, width)))


def _words(lines: Sequence[str], cell: Sequence[int]) -> Pixels:
    canvas = Canvas(cell[1], cell[0], GROUND)
    for row, words in enumerate(lines):
        canvas.text(0, (1.6 * row + 1) * WORDS, shortened(words, cell[1]), WORDS, LIGHT if row == 0 else SOFT)
    return canvas.pixels()


def shortened(words: str, width: float) -> str:
    """Words that fit, with dots in place of their middle: of a file's name the end tells as much as the beginning.

    >>> shortened("plate.jpg", 200), len(shortened("a" * 400, 200)) < 40
    ('plate.jpg', True)
    """
    fitting, kept = words, len(words)
    while kept > 2 and text_width(fitting, WORDS) > width:
        kept -= 1
        fitting = f"{words[: kept - kept // 2]}...{words[len(words) - kept // 2 :]}"
    return fitting


def labelled(name: str, picture: Pixels, cell: Sequence[int]) -> Pixels:
    """A cell: a line of words, and a picture in the middle of the room below it."""
    height, width = cell
    sheet = np.empty((LABEL + height, width, 3), np.float32)
    sheet[:] = GROUND
    label = Canvas(width, LABEL, GROUND)
    label.text(0, LABEL - 9, name, WORDS, LIGHT)
    sheet[:LABEL] = label.pixels()
    top, left = LABEL + (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
    sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def joined(parts: Sequence[Pixels], axis: int) -> Pixels:
    """Side by side, or one above the other, with a gap between them and around."""
    shape = list(parts[0].shape)
    shape[axis] = GAP
    gap = np.empty(shape, np.float32)
    gap[:] = GROUND
    return np.concatenate([gap, *(each for part in parts for each in (part, gap))], axis=axis)
