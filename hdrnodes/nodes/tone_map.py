"""ToneMap: scene-linear light to a picture for a display. Per channel, x = in * 2^exposure, w is white:

    clip      x
    reinhard  x (1 + x / w^2) / (1 + x)             Reinhard et al., SIGGRAPH 2002, equation 4
    filmic    h(x) / h(w), with
              h(x) = (x (a x + c b) + d e) / (x (a x + b) + d f) - e / f
              a, b, c, d, e, f = 0.15, 0.5, 0.1, 0.2, 0.02, 0.3
                                                    Hable, Game Developers Conference 2010 ("Uncharted 2")

then clipped to 0..1 and encoded as sRGB (IEC 61966-2-1). Per channel: bright colours bleach, as on film.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from array_api_compat import array_namespace

from hdrnodes.image import LINEAR, SRGB, Image
from hdrnodes.nodes.base import Context, Knob, Node
from hdrnodes.nodes.color_space import convert
from hdrnodes.pixelwise import pixelwise


class ToneMap(Node):
    """Make a scene-linear picture fit for a display (sRGB), to look at; it is no inverse of anything."""

    on_device = True

    operator: Literal["clip", "reinhard", "filmic"] = Knob("filmic", doc="How highlights are brought down.")
    exposure: float = Knob(0.0, ge=-20, le=20, unit="stops", doc="Brightens or darkens first.")
    white: float = Knob(16.0, ge=1, le=65504, unit="of clip level", doc="Light that becomes white; unused by clip.")

    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        image = convert(inputs["image"], LINEAR)
        return image.with_rgb(pixelwise(self._shown, image.rgb), SRGB)

    def _shown(self, rgb: Any) -> Any:
        light = rgb.clip(min=0) * 2**self.exposure
        if self.operator == "reinhard":
            light = light * ((1 + light / self.white**2) / (1 + light))
        elif self.operator == "filmic":
            light = _hable(light) / float(_hable(np.float32(self.white)))
        return encode_srgb(light.clip(0, 1))


def _hable(x: Any) -> Any:
    """Hable's curve: toe, shoulder and slope as he published them.

    >>> _hable(np.float32([0, 11.2])).round(4)
    array([0.    , 0.7251], dtype=float32)
    """
    a, b, c, d, e, f = (0.15, 0.5, 0.1, 0.2, 0.02, 0.3)
    return (x * (a * x + c * b) + d * e) / (x * (a * x + b) + d * f) - e / f


def encode_srgb(linear: Any) -> Any:
    """Scene-linear 0..1 to sRGB 0..1 (IEC 61966-2-1).

    >>> encode_srgb(np.float32([0, 0.0031308, 0.18, 1])).round(4)
    array([0.    , 0.0404, 0.4614, 1.    ], dtype=float32)
    """
    high = 1.055 * linear.clip(min=0.0031308) ** (1 / 2.4) - 0.055
    return array_namespace(linear).where(linear <= 0.0031308, linear * 12.92, high)
