"""Whether a picture that is there already is whole."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import OpenImageIO as oiio

from hdrnodes.errors import WriteError
from hdrnodes.file_formats import is_utf8

REMEDY = "remove it, choose another name, or --overwrite"


def attributes_of_whole(path: Path, plates: Iterable[Path]) -> dict[str, Any]:
    """The `hdrnodes:...` attributes of a picture, after a look at its end: what was cut off has none.

    Args:
        plates: what it may have been made of; it has the size of one of those that can be read.

    Raises:
        WriteError: it is no picture, is cut off, or has another size.
    """
    source = oiio.ImageInput.open(str(path))
    if source is None:
        oiio.geterror()  # taken, or it is printed at exit
        raise WriteError(path, "exists already, and is no picture", REMEDY)
    try:
        spec = source.spec()
        if not _ends_well(source, spec):
            raise WriteError(path, "exists already, cut off or damaged", REMEDY)
    finally:
        source.close()
    sizes = [size for plate in plates if (size := upright_size(plate))]
    if sizes and (spec.width, spec.height) not in sizes:
        problem = f"exists already, and has {spec.width} x {spec.height} pixels, which the plate has not"
        raise WriteError(path, problem, REMEDY)
    return {each.name: each.value for each in spec.extra_attribs if each.name.startswith("hdrnodes:")}


def _ends_well(source: oiio.ImageInput, spec: oiio.ImageSpec) -> bool:
    """Whether the last row can be read. Files are written from the top, so what is missing is missing there; formats
    without random access are decoded whole on the way."""
    if spec.tile_width:
        pixels = source.read_image(0, 0, 0, spec.nchannels, "float")
    else:
        last = spec.y + spec.height - 1
        pixels = source.read_scanlines(0, 0, last, last + 1, 0, 0, spec.nchannels, "float")
    return not source.geterror() and pixels is not None


def upright_size(plate: Path) -> tuple[int, int] | None:
    """Width and height of a plate, turned by its EXIF orientation; None where it cannot be read."""
    readable = plate.is_file() and is_utf8(plate)  # a pipe would be waited on for ever
    source = oiio.ImageInput.open(str(plate)) if readable else None
    if source is None:
        oiio.geterror()
        return None
    spec = source.spec()
    source.close()
    turned = spec.get_int_attribute("Orientation", 1) > 4
    return (spec.height, spec.width) if turned else (spec.width, spec.height)
