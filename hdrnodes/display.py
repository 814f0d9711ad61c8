"""How pictures are shown: their light for a display, sRGB's view of it at an exposure, and a colour for each stop.

`viewer/page/look.js` shows the same in a browser.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hdrnodes.curve import srgb_to_linear
from hdrnodes.errors import KnobError
from hdrnodes.image import LINEAR, SRGB, STRAIGHT_ALPHA, Image, Pixels
from hdrnodes.nodes.color_space import convert
from hdrnodes.nodes.tone_map import encode_srgb

MID_GREY = 0.18  # of a display's white
FIRST_STOP = -7  # and all below
# A colour for each stop from FIRST_STOP; the last is for all above as well. Lightness rises evenly (in Ottosson's
# OKLab, 0.16 to 0.98), so that the order can be read whatever colours one sees; blue is below mid-grey, orange and
# yellow above, and no usual colour-blindness takes those for each other.
STOP_COLOURS = (
    *("#0e0a1b", "#161235", "#191c52", "#132970", "#023b80", "#044e85", "#2a6082"),
    "#686868",
    *("#b15d2e", "#c96909", "#d57e0d", "#e29206", "#eda70b", "#f6bc1a", "#fdd32d", "#ffea62", "#fffeab"),
)


def shown(light: Pixels, stops: float = 0.0) -> Pixels:
    """sRGB's view: light times 2^stops, clipped to 0..1, encoded (IEC 61966-2-1).

    Args:
        light: any shape, 1.0 is the display's white.

    Returns:
        The same shape, 0..1, display-referred.

    >>> shown(np.float32([0.18, 1, 4]), -2).round(4)
    array([0.2348, 0.5371, 1.    ], dtype=float32)
    """
    return encode_srgb(np.clip(light * np.float32(2.0**stops), 0, 1))


def false_colours(luminance: Pixels) -> Pixels:
    """A colour for each stop from mid-grey, each half a stop either way; no light has the lowest.

    Args:
        luminance: H x W, 1.0 is the display's white.

    Returns:
        H x W x 3, 0..1, display-referred.

    >>> [rgb_of(colour) == tuple(false_colours(np.float32([[0.18 * 2.0**stop]]))[0, 0])
    ...  for stop, colour in ((0, "#686868"), (-20, "#0e0a1b"), (9.4, "#fffeab"))]
    [True, True, True]
    """
    stops = np.log2(np.maximum(luminance, np.float32(1e-30)) / np.float32(MID_GREY))
    band = np.clip(np.floor(stops + 0.5) - FIRST_STOP, 0, len(STOP_COLOURS) - 1).astype(np.intp)
    return np.array([rgb_of(colour) for colour in STOP_COLOURS], np.float32)[band]


def rgb_of(colour: str) -> tuple[np.float32, ...]:
    """`#rrggbb` as three values, 0..1."""
    return tuple(np.float32(byte) / np.float32(255) for byte in bytes.fromhex(colour[1:]))


def light_of(image: Image) -> tuple[Pixels, list[str]]:
    """Scene-linear BT.709 light of a picture, H x W x 3, colours multiplied by alpha as in an EXR; and notes.

    A plate is taken through sRGB's EOTF, whatever its camera did: through the sRGB view it looks as the file does,
    and beside a result of its own both go through the same view.
    """
    notes: list[str] = []
    image = image.to_host()
    if image.colorspace == SRGB:
        light = _srgb_light(image)
    else:
        try:
            light = convert(image, LINEAR).rgb
        except KnobError:
            taken = LINEAR if image.bits == 32 else SRGB
            notes.append(f"{image.colorspace} is not in the OCIO config: shown as {taken}")
            return light_of(replace(image, colorspace=taken))[0], notes
    if image.alpha is not None and image.metadata.get(STRAIGHT_ALPHA):
        light = light * image.alpha
    return light, notes


def _srgb_light(image: Image) -> Pixels:
    """Through a table: of 25 million values, powers would take a second."""
    top = 255 if image.bits == 8 else 65535
    codes: npt.NDArray[np.uint16] = np.rint(np.nan_to_num(image.rgb).clip(0, 1) * np.float32(top)).astype(np.uint16)
    return srgb_to_linear(np.arange(top + 1) / top).astype(np.float32)[codes]
