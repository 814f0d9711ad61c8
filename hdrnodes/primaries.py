"""Chromaticities of the primaries that colour spaces are made of: red, green, blue, white, as CIE 1931 x and y.

Sources: Rec. ITU-R BT.709-6 and BT.2020-2, SMPTE RP 431-2 with D65 (P3), SMPTE ST 2065-1 (AP0), Academy S-2014-004
(AP1), Adobe RGB (1998). The keys are those of the Color Interop Forum: `lin_ap1_scene` has the primaries `ap1`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hdrnodes.ocio_names import ocio_names

D65, ACES_WHITE = (0.3127, 0.3290), (0.32168, 0.33767)

CHROMATICITIES: dict[str, tuple[float, ...]] = {
    "rec709": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *D65),
    "p3d65": (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, *D65),
    "rec2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *D65),
    "adobergb": (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *D65),
    "ap0": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.0770, *ACES_WHITE),
    "ap1": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, *ACES_WHITE),
}

LUMINANCE = (0.2126, 0.7152, 0.0722)  # weights of linear rec709, as BT.709-6 rounds them

_NAME = re.compile(r"[a-z0-9]+_([a-z0-9]+)_(scene|display)")


def interop_id(colorspace: str) -> str | None:
    """The Color Interop Forum's name of a colour space that OCIO knows; None where its primaries are not among ours.

    >>> interop_id("ACEScg")
    'lin_ap1_scene'
    """
    for name in (colorspace, *ocio_names(colorspace)):
        if (found := _NAME.fullmatch(name)) and found[1] in CHROMATICITIES:
            return name
    return None


def chromaticities_of(colorspace: str) -> tuple[float, ...] | None:
    """The eight numbers of a colour space that OCIO knows; None where its primaries are not among ours.

    >>> chromaticities_of("ACEScg") == CHROMATICITIES["ap1"]
    True
    """
    name = interop_id(colorspace)
    return CHROMATICITIES[name.split("_")[1]] if name else None


def linear_space_of(chromaticities: Sequence[float]) -> str | None:
    """The scene-linear space with these primaries; None where they are not among ours.

    >>> linear_space_of([0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329])
    'lin_rec709_scene'
    """
    for name, ours in CHROMATICITIES.items():
        # Files are written with anything from 3 digits up; our closest two differ by 0.02 somewhere.
        if len(chromaticities) == 8 and max(map(_distance, chromaticities, ours)) < 0.002:
            return f"lin_{name}_scene"
    return None


def _distance(one: float, other: float) -> float:
    return abs(one - other)
