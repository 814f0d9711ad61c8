"""ColorSpace: from one OCIO colour space to another, by $OCIO's config, or OCIO's built-in one."""

from __future__ import annotations

import os
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from hdrnodes.errors import KnobError
from hdrnodes.image import LINEAR, STRAIGHT_ALPHA, Image
from hdrnodes.nodes.base import Context, Knob, Node

if TYPE_CHECKING:
    from OpenImageIO import ColorConfig


class ColorSpace(Node):
    """Convert colours through OpenColorIO. Alpha and other channels stay as they are."""

    to: str = Knob(LINEAR, doc="The colour space wanted, a name or alias of the OCIO config: `ACEScg`.")
    source: str = Knob("", doc="The colour space it is in; empty believes what the picture says.")

    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        image = inputs["image"]
        return convert(replace(image, colorspace=self.source) if self.source else image, self.to)


def convert(image: Image, colorspace: str) -> Image:
    """The same picture in another OCIO colour space, in the CPU's memory, where OCIO computes; the very same image
    where it is in that space already. Multiplied colours are converted as if they were not.

    Raises:
        KnobError: the OCIO config has no such colour space; the message has those with near names.
    """
    if image.colorspace == colorspace:
        return image
    image = image.to_host()
    from OpenImageIO import ImageBuf, ImageBufAlgo, ImageSpec

    config = _config()
    for name in (image.colorspace, colorspace):
        _must_be_known(name, config)
    alpha = image.alpha
    pixels = image.rgb if alpha is None else np.concatenate([image.rgb, alpha], axis=2)
    buffer = ImageBuf(ImageSpec(image.width, image.height, pixels.shape[2], "float"))
    buffer.set_pixels(buffer.roi, np.ascontiguousarray(pixels))
    converted = ImageBufAlgo.colorconvert(
        buffer,
        image.colorspace,
        colorspace,
        unpremult=not image.metadata.get(STRAIGHT_ALPHA),
    )
    result = converted.get_pixels("float")
    if converted.has_error or result is None:
        problem = f"cannot be reached from {image.colorspace}: {_one_line(converted.geterror())}"
        raise KnobError(f"colour space {colorspace}", problem, f"take another that {_called()} has a way to")
    return image.with_rgb(result[..., :3], colorspace)


def _must_be_known(name: str, config: ColorConfig) -> None:
    spaces = list(config.getColorSpaceNames())
    aliases = [alias for space in spaces for alias in config.getAliases(space)]
    known = {each.lower(): each for each in (*aliases, *config.getRoles(), *spaces)}
    if config.resolve(name).lower() in known:
        return
    near = [known[each] for each in get_close_matches(name.lower(), known, n=3)]
    remedy = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(spaces)}"
    raise KnobError(f"colour space {name}", f"is not in the OCIO config {_called()}", remedy)


def _config() -> ColorConfig:
    from OpenImageIO import ColorConfig

    config = ColorConfig()  # OpenImageIO keeps it; kept here as well, it would be reported as leaked at exit
    if problem := config.geterror():
        raise KnobError(f"$OCIO {_called()}", _one_line(problem), "correct it, or unset it")
    return config


def _called() -> str:
    return os.environ.get("OCIO") or "ocio://default"


def _one_line(text: str) -> str:
    return " ".join(text.split())
