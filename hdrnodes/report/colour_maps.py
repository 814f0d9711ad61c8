"""Colours for magnitudes and for signed differences, which any colour vision puts into the same order.

Both are paths through Ottosson's OKLab (2020), where equal steps look equal. No difference is the paper's white, and
lightness falls evenly from there: magnitudes through the yellow to blue of cividis (Nuñez, Anderton, Renslow, PLOS ONE
2018), signed ones to blue below and to orange above.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hdrnodes.image import Pixels
from hdrnodes.nodes.tone_map import encode_srgb

STEPS = 257  # odd: one of them is the middle

# Lightness, chroma, hue in degrees.
_WHITE = (0.985, 0.0, 0.0)
_MAGNITUDES = (_WHITE, (0.88, 0.12, 98.0), (0.62, 0.045, 100.0), (0.42, 0.06, 255.0), (0.24, 0.085, 262.0))
_BELOW, _ABOVE = ((0.70, 0.105, 248.0), (0.40, 0.12, 256.0)), ((0.70, 0.135, 62.0), (0.40, 0.11, 48.0))


@dataclass(frozen=True)
class ColourMap:
    """Values to colours, between two ends; what is beyond has the end's.

    Args:
        low, high: the ends.
        anchors: lightness, chroma, hue of OKLab at even steps between them.
        unit: of the values.
    """

    low: float
    high: float
    anchors: tuple[tuple[float, float, float], ...]
    unit: str

    def __call__(self, values: npt.NDArray[np.floating[Any]]) -> Pixels:
        """H x W -> H x W x 3, 0..1, display-referred."""
        steps = (values - self.low) / (self.high - self.low) * (STEPS - 1)
        return self.colours[np.rint(np.clip(steps, 0, STEPS - 1)).astype(np.intp)]

    @cached_property
    def colours(self) -> Pixels:
        """`STEPS` x 3."""
        at = np.linspace(0, len(self.anchors) - 1, STEPS)
        lightness, chroma, hue = np.transpose(self.anchors)
        angle = np.radians(hue)
        lab = [lightness, chroma * np.cos(angle), chroma * np.sin(angle)]
        return _oklab_to_srgb(np.stack([np.interp(at, np.arange(len(hue)), each) for each in lab], axis=1))


def signed(limit: float, unit: str) -> ColourMap:
    """From -limit, blue, through white to limit, orange."""
    return ColourMap(-limit, limit, (*reversed(_BELOW), _WHITE, *_ABOVE), unit)


def magnitudes(limit: float, unit: str) -> ColourMap:
    """From 0, white, to limit, dark blue."""
    return ColourMap(0.0, limit, _MAGNITUDES, unit)


def hexadecimal(colour: npt.ArrayLike) -> str:
    """
    >>> hexadecimal((0, 0.5, 1))
    '#0080ff'
    """
    return "#" + "".join(f"{round(255 * float(each)):02x}" for each in np.asarray(colour))


def _oklab_to_srgb(lab: npt.NDArray[np.float64]) -> Pixels:
    """N x 3 -> N x 3, clipped to 0..1. Source: Ottosson, "A perceptual color space for image processing", 2020.

    >>> _oklab_to_srgb(np.array([[1.0, 0, 0], [0, 0, 0]])).round(3).tolist()
    [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """
    cone_roots = lab @ np.array(
        [[1, 1, 1], [0.3963377774, -0.1055613458, -0.0894841775], [0.2158037573, -0.0638541728, -1.2914855480]]
    )
    from_cones = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = cone_roots**3 @ from_cones.T
    return encode_srgb(linear.clip(0, 1).astype(np.float32))
