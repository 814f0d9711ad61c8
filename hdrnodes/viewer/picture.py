"""One frame as the viewer shows it: its light for the display, what is to be said of it, and the values in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hdrnodes.curve import SAMPLES, Curve
from hdrnodes.display import light_of
from hdrnodes.image import Image, Pixels, Window
from hdrnodes.io import read
from hdrnodes.viewer.pyramid import Pyramid

HALF_MAX = 65504
CURVE_POINTS = 129  # of a plotted curve; the plot is 180 pixels wide


@dataclass(frozen=True)
class Picture:
    """A frame, ready to be shown.

    Args:
        name: of its file.
        image: as it was read.
        pyramid: its light, H x W x 3 or 4 (with alpha), scene-linear with BT.709 primaries: what the display takes.
        notes: what the light had to be changed in, a sentence each.
    """

    name: str
    image: Image
    pyramid: Pyramid
    notes: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path) -> Picture:
        """Read a file.

        Raises:
            ReadError: as `hdrnodes.io.read`.
        """
        image = read(path)
        light, notes = light_of(image)
        light, more = _within_half(light)
        if image.alpha is not None:
            light = np.concatenate([light, np.nan_to_num(image.alpha).clip(-HALF_MAX, HALF_MAX)], axis=2)
        return cls(path.name, image, Pyramid(light), (*notes, *more))

    @property
    def data_window(self) -> Window:
        return self.image.data_window or Window(0, 0, self.image.width, self.image.height)

    @property
    def display_window(self) -> Window:
        return self.image.display_window or Window(0, 0, self.image.width, self.image.height)

    @property
    def nbytes(self) -> int:
        return self.image.pixels.nbytes + self.pyramid.nbytes  # at most: of linear ones, some is the same memory

    def about(self, finest: int = 0) -> dict[str, Any]:
        """What the page is told, for JSON. `finest` is the first level that it gets."""
        aspect = self.image.metadata.get("PixelAspectRatio")
        return {
            "name": self.name,
            "data": self.data_window,
            "display": self.display_window,
            "aspect": aspect if isinstance(aspect, float) and 0.1 < aspect < 10 else 1.0,
            "channels": 3 if self.image.alpha is None else 4,
            "colorspace": self.image.colorspace,
            "linear": self.image.is_linear,
            "codes": 2 ** min(self.image.bits or 8, 16) - 1,  # the top code value, of what is not linear
            "first": finest,
            "levels": self.pyramid.levels[finest:],
            "curve": None if self.curve is None else _thinned(self.curve).tolist(),
            "notes": self.notes,
        }

    @cached_property
    def curve(self) -> Curve | None:
        """The response that was undone to make the picture, where its header has one."""
        return Curve.applied_to(self.image)

    def reading(self, x: int, y: int) -> dict[str, Any] | None:
        """What is at a pixel, for JSON; None outside the data window.

        Returns:
            rgb, alpha (None where there is none), others (by name): as the file has them. linear: the light that is
            shown. What is no number is text: nan, inf, -inf.
        """
        column, row = x - self.data_window.x, y - self.data_window.y
        if not (0 <= column < self.image.width and 0 <= row < self.image.height):
            return None
        values = self.image.pixels[row, column]
        pixel = replace(self.image, pixels=values[None, None], data_window=None, display_window=None)
        named = enumerate(zip(pixel.channels, values, strict=True))
        return {
            "rgb": _numbers(pixel.rgb),
            "alpha": None if pixel.alpha is None else _numbers(pixel.alpha)[0],
            "others": {name: _number(value) for index, (name, value) in named if not pixel.is_colour_or_alpha(index)},
            "linear": _numbers(light_of(pixel)[0]),
        }


def _within_half(light: Pixels) -> tuple[Pixels, list[str]]:
    """Light that half floats can hold; and, in words, how much had to change."""
    if -HALF_MAX <= float(light.min()) and float(light.max()) <= HALF_MAX:  # never so where there is a NaN
        return light, []
    nans, beyond = int(np.isnan(light).sum()), int((np.abs(light) > HALF_MAX).sum())
    notes = []
    if nans:
        notes.append("1 value is no number: shown as 0" if nans == 1 else f"{nans} values are no numbers: shown as 0")
    if beyond:
        notes.append(f"{beyond} value{'s' if beyond > 1 else ''} beyond {HALF_MAX}: shown as that")
    return np.clip(np.nan_to_num(light, posinf=HALF_MAX, neginf=-HALF_MAX), -HALF_MAX, HALF_MAX), notes


def _thinned(curve: Curve) -> Pixels:
    at = np.linspace(0, SAMPLES - 1, CURVE_POINTS)
    return np.stack([np.interp(at, np.arange(SAMPLES), row) for row in curve.samples]).round(6)


def _number(value: np.float32) -> float | str:
    return float(value) if np.isfinite(value) else str(value)


def _numbers(pixel: Pixels) -> list[float | str]:
    return [_number(value) for value in pixel.ravel()]
