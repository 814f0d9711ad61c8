"""One frame as the viewer shows it: its light for the display, what is to be said of it, and the values in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hdrnodes.curve import SAMPLES, Curve, srgb_to_linear
from hdrnodes.errors import CurveError, KnobError
from hdrnodes.image import LINEAR, SRGB, STRAIGHT_ALPHA, Image, Pixels, Window
from hdrnodes.io import read
from hdrnodes.nodes.color_space import convert
from hdrnodes.viewer.pyramid import Pyramid

HALF_MAX = 65504
CURVE_POINTS = 129  # of a plotted curve: one in four pixels of the plot


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
        light, notes = _light(image)
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
        recorded = self.image.metadata.get("hdrnodes:curve")
        if not isinstance(recorded, tuple) or len(recorded) not in (SAMPLES, 3 * SAMPLES):
            return None
        try:
            return Curve(np.reshape(np.asarray(recorded, np.float32), (-1, SAMPLES)), source=self.name)
        except CurveError:  # somebody else's attribute of that name
            return None

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
            "linear": _numbers(_light(pixel)[0]),
        }


def _light(image: Image) -> tuple[Pixels, list[str]]:
    """Scene-linear BT.709 light of a picture, H x W x 3, colours multiplied by alpha as in an EXR; and notes.

    A plate is taken through sRGB's EOTF, whatever its camera did: through the sRGB view it looks as the file does,
    and beside a result of its own both go through the same view.
    """
    notes: list[str] = []
    if image.colorspace == SRGB:
        light = _srgb_light(image)
    else:
        try:
            light = convert(image, LINEAR).rgb
        except KnobError:
            taken = LINEAR if image.bits == 32 else SRGB
            notes.append(f"{image.colorspace} is not in the OCIO config: shown as {taken}")
            return _light(replace(image, colorspace=taken))[0], notes
    if image.alpha is not None and image.metadata.get(STRAIGHT_ALPHA):
        light = light * image.alpha
    return light, notes


def _srgb_light(image: Image) -> Pixels:
    """Through a table: of 25 million values, powers would take a second."""
    top = 255 if image.bits == 8 else 65535
    codes = np.rint(np.nan_to_num(image.rgb).clip(0, 1) * np.float32(top)).astype(np.uint16)
    return srgb_to_linear(np.arange(top + 1) / top).astype(np.float32)[codes]


def _within_half(light: Pixels) -> tuple[Pixels, list[str]]:
    """Light that half floats can hold; and, in words, how much had to change."""
    if -HALF_MAX <= float(light.min()) and float(light.max()) <= HALF_MAX:  # never so where there is a NaN
        return light, []
    wrong = {
        "no numbers: shown as 0": int(np.isnan(light).sum()),
        f"beyond {HALF_MAX}: shown as that": int((np.abs(light) > HALF_MAX).sum()),
    }
    notes = [f"{count} value{'s' if count > 1 else ''} {words}" for words, count in wrong.items() if count]
    return np.clip(np.nan_to_num(light, posinf=HALF_MAX, neginf=-HALF_MAX), -HALF_MAX, HALF_MAX), notes


def _thinned(curve: Curve) -> Pixels:
    at = np.linspace(0, SAMPLES - 1, CURVE_POINTS)
    return np.stack([np.interp(at, np.arange(SAMPLES), row) for row in curve.samples]).round(6)


def _number(value: np.float32) -> float | str:
    return float(value) if np.isfinite(value) else str(value)


def _numbers(pixel: Pixels) -> list[float | str]:
    return [_number(value) for value in pixel.ravel()]
