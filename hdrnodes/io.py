"""Read and write pictures, through OpenImageIO. Reading never alters a pixel; writing leaves a whole file or none.

plate = read("plate.jpg")           # float32, upright, with its metadata, alpha, other channels, windows
write(plate, "plate.exr")           # half, zip
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import OpenImageIO as oiio

from hdrnodes import frames
from hdrnodes.channels import part_of_rgb
from hdrnodes.errors import ReadError
from hdrnodes.image import STRAIGHT_ALPHA, Image, Pixels
from hdrnodes.imagebuf import image_of_spec
from hdrnodes.unreadable import AGAIN, check_file, check_size, first_line, why_not_an_image
from hdrnodes.writing import write

__all__ = ["MAX_PIXELS", "read", "write"]

MAX_PIXELS = 300_000_000  # 24k x 12k is let through; 20k x 20k needs the knob. As floats, 3.6 GB of RGB


def read(
    path: str | os.PathLike[str], *, subimage: int = 0, max_pixels: int = MAX_PIXELS, device: object = None
) -> Image:
    """Read a picture: JPEG, PNG, TIFF, EXR, HDR, DPX, WebP, GIF, and what else this OpenImageIO knows.

    It is turned upright by its EXIF orientation. Integers become 0..1; depth and ids of an EXR that are integers
    keep their values. Straight alpha stays straight (`oiio:UnassociatedAlpha` is in the metadata then): what lies
    under transparent pixels is the photograph, and multiplied it would be lost. CMYK comes as RGB, a palette as
    its colours.

    The colour space is what the file says (`oiio:ColorSpace`, `colorInteropID`, chromaticities, an ICC profile of
    Display P3 or Adobe RGB), else sRGB for integers and scene-linear BT.709 for floats.

    Args:
        path: a file.
        subimage: which picture of a file that holds several: a part of an EXR, a frame of a GIF.
        max_pixels: the most that are decoded, against files that say they are huge; checked on the header.
            Every four channels count once.
        device: the torch device to bring the pixels of an 8-bit file to, as codes; those of others stay here.

    Raises:
        ReadError: the file is missing, a folder, empty, not an image, not allowed to be read, cut off, damaged, too
            large, an EXR of two of R, G, B, or of a kind that this OpenImageIO cannot read; one line says which, and
            what helps.
    """
    path = Path(path)
    check_file(path, max_pixels)
    source = _open(path)
    try:
        if subimage < 0 or not source.seek_subimage(subimage, 0):
            source.geterror()
            raise ReadError(path, f"has no subimage {subimage}", "count from 0, to one that it has")
        spec = source.spec()
        _check_header(path, spec, source.format_name())
        check_size(path, spec.width, spec.height, spec.nchannels, max_pixels)
        if spec.format.basetype != oiio.UINT8 or spec.channelformats:
            device = None
        codes_or_floats = "float" if device is None else "uint8"
        pixels = _read_pixels(source, subimage, spec, codes_or_floats)
        problem = source.geterror()
        # Of a JPEG that is cut off there are pixels all the same, grey ones, and only the message tells.
        if pixels is None or problem:
            raise _damaged(path, subimage, spec, problem)
        return image_of_spec(spec, _with_whole_numbers(source, subimage, spec, pixels), device)
    except MemoryError as error:
        raise ReadError(path, "does not fit into memory", "free some, or read a smaller picture") from error
    finally:
        source.close()


def _open(path: Path) -> oiio.ImageInput:
    config = oiio.ImageSpec()
    config.attribute(STRAIGHT_ALPHA, 1)
    source = oiio.ImageInput.open(str(path), config)
    if source is None:
        raise why_not_an_image(path, oiio.geterror())
    return source


def _read_pixels(source: oiio.ImageInput, subimage: int, spec: oiio.ImageSpec, pixel_type: str) -> Any:
    """H x W x C float32, or uint8; None where OpenImageIO has an error for it."""
    if pixel_type == "uint8":
        return source.read_image(subimage, 0, 0, spec.nchannels, pixel_type)
    room = frames.zeros((spec.height, spec.width, spec.nchannels))
    if spec.tile_width or frames.scratch_of(room) is None:
        pixels = source.read_image(subimage, 0, 0, spec.nchannels, "float")
        return pixels if pixels is None or frames.scratch_of(room) is None else frames.copy(pixels)
    for rows in frames.bands(spec.height, spec.width):
        across = (spec.y + rows.start, spec.y + rows.stop)
        part = source.read_scanlines(subimage, 0, *across, 0, 0, spec.nchannels, "float")
        if part is None:
            return None
        room[rows] = part.reshape(room[rows].shape)
        frames.release(room[rows])
    return room


def _check_header(path: Path, spec: oiio.ImageSpec, kind: str) -> None:
    if spec.deep:
        raise ReadError(path, "is a deep picture", "flatten it first")
    if spec.get_string_attribute("tiff:ColorSpace") == "CIELAB":
        raise ReadError(path, "has CIELAB colours, which OpenImageIO does not convert", "save it as RGB")
    # Only in an EXR are the names the file's own: OpenImageIO calls grey and another channel in a TIFF R, G, too.
    if kind == "openexr" and (part := part_of_rgb(spec.channelnames)):
        raise ReadError(path, f"has {' and '.join(part)} of three colours", "write R, G and B; or grey, as Y")


def _with_whole_numbers(source: oiio.ImageInput, subimage: int, spec: oiio.ImageSpec, pixels: Pixels) -> Pixels:
    """OpenImageIO scales unsigned integers to 0..1; of an EXR they are ids and counts, not intensities."""
    if source.format_name() != "openexr":
        return pixels
    for index, name in enumerate(spec.channelnames):
        colour = name.rpartition(".")[2] in ("R", "G", "B", "A", "Y")
        if not colour and spec.channelformat(index).basetype == oiio.UINT32:
            numbers = source.read_image(subimage, 0, index, index + 1, "uint")
            if numbers is not None:  # they were read once already, as floats
                pixels[..., index] = numbers[..., 0]
    return pixels


def _damaged(path: Path, subimage: int, spec: oiio.ImageSpec, problem: str) -> ReadError:
    whole = _whole_rows(path, subimage, spec)
    if not whole:
        why = first_line(problem, path) or "no pixels could be read"
        return ReadError(path, f"is cut off or damaged ({why})", AGAIN)
    return ReadError(path, f"is cut off or damaged after {100 * whole // spec.height} % of its rows", AGAIN)


def _whole_rows(path: Path, subimage: int, spec: oiio.ImageSpec) -> int:
    """How many rows can be read before something is amiss. Slow; for a message about a file that is broken."""
    source = _open(path)
    try:
        step = spec.tile_height or max(1, spec.get_int_attribute("oiio:RowsPerChunk"))
        across, down = (spec.x, spec.x + spec.width), spec.y + spec.height
        for top in range(spec.y, down, step):
            rows = (top, min(top + step, down))
            if spec.tile_width:
                pixels = source.read_tiles(subimage, 0, *across, *rows, 0, 1, 0, spec.nchannels, "uint8")
            else:
                pixels = source.read_scanlines(subimage, 0, *rows, 0, 0, spec.nchannels, "uint8")
            if source.geterror() or pixels is None:
                return top - spec.y
        return int(spec.height)
    finally:
        source.close()
