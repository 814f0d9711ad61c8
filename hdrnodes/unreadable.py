"""What is wrong with a file that cannot be read, told before and after OpenImageIO has tried."""

from __future__ import annotations

import math
import os
import re
import stat
import struct
import zlib
from pathlib import Path

import OpenImageIO as oiio

from hdrnodes.errors import ReadError
from hdrnodes.file_formats import is_utf8

KNOWN = "give a JPEG, PNG, TIFF, EXR, HDR, DPX or WebP"
AGAIN = "copy it again from the source"

_RAW = {".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".iiq", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw"}

_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"v/1\x01": "OpenEXR",
    b"#?": "Radiance HDR",
    b"SDPX": "DPX",
    b"XPDS": "DPX",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
}


def check_file(path: Path, max_pixels: int) -> None:
    """Raise ReadError for what is no file to be read, or what OpenImageIO would stumble over, or misread."""
    if not is_utf8(path):
        raise ReadError(path, "has a name that is not UTF-8, which OpenImageIO cannot open", "rename it")
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ReadError(path, "is a folder", "give a file, or a pattern such as plate.####.jpg")
        if not stat.S_ISREG(mode):  # a pipe would be waited on for ever
            raise ReadError(path, "is not a regular file", KNOWN)
        with path.open("rb") as file:
            start = file.read(32)
    except FileNotFoundError as error:
        raise ReadError(path, "does not exist", "check the path") from error
    except PermissionError as error:
        raise ReadError(path, "may not be read by this user", "change its permissions") from error
    except ReadError:
        raise
    except OSError as error:
        raise ReadError(path, f"cannot be read ({error.strerror})", "check the path and the disk") from error
    except ValueError as error:
        raise ReadError(path, f"is no name of a file ({error})", "check the path") from error
    if not start:
        raise ReadError(path, "is empty (0 bytes)", AGAIN)
    _refuse_raw(path)
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        _check_png(path)
    if start.startswith(b"GIF8") and len(start) >= 10:
        _check_gif(path, start, max_pixels)


def why_not_an_image(path: Path, problem: str) -> ReadError:
    """The reason why OpenImageIO would not open a file, with `problem` its own words."""
    with path.open("rb") as file:
        start = file.read(32)
    first = first_line(problem, path) or "no reason given"
    if start[4:8] == b"ftyp":
        if start[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis"):
            kind = "AVIF" if start[8:10] == b"av" else "HEIC"
            remedy = "convert it to PNG or TIFF (heif-convert does), or install an OpenImageIO built with libheif"
            return ReadError(path, f"is {kind}, which this OpenImageIO was built without", remedy)
        return ReadError(path, "is a video", "take its frames out first, as PNG or TIFF")
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            if "could not find a format reader" in first:
                return ReadError(path, f"is {kind}, which this OpenImageIO was built without", "convert it to PNG")
            return ReadError(path, f"is {kind}, and its header is cut off or damaged ({first})", AGAIN)
    if "could not find a format reader" in first:
        return ReadError(path, "is not an image", KNOWN)
    return ReadError(path, f"is not an image that OpenImageIO can read ({first})", KNOWN)


def first_line(problem: str, path: Path) -> str:
    """The first of OpenImageIO's words, without the path, which ours begin with.

    >>> first_line('"a.jpg" is not a JPEG file', Path("a.jpg")), first_line("EXR Error (a.exr): bad", Path("a.exr"))
    ('is not a JPEG file', 'EXR Error: bad')
    """
    first, *_ = [*problem.splitlines(), ""]
    return re.sub(rf'\s*[("]*{re.escape(str(path))}[")]*', "", first).lstrip(" :")


def _refuse_raw(path: Path) -> None:
    """Without the raw reader, OpenImageIO takes these for TIFFs, and gives the thumbnail inside."""
    if path.suffix.lower() in _RAW and "raw" not in oiio.get_string_attribute("format_list").split(","):
        raise ReadError(path, "is a camera raw file", "develop it to TIFF or EXR first; it is linear already")


def _check_gif(path: Path, start: bytes, max_pixels: int) -> None:
    """OpenImageIO decodes a GIF when it opens it, too early for the check of its header."""
    width, height = struct.unpack("<HH", start[6:10])
    check_size(path, width, height, 1, max_pixels)


def check_size(path: Path, width: int, height: int, channels: int, max_pixels: int) -> None:
    """Raise ReadError for more than `max_pixels`; every four channels count once."""
    count = math.ceil(width * height * max(1.0, channels / 4))
    if count > max_pixels:
        size = f"{width} x {height} pixels of {channels} channel{'s' if channels > 1 else ''}"
        problem = f"has {size}, over the limit of {_megapixels(max_pixels)} megapixels"
        raise ReadError(path, problem, f"if it is to be trusted, raise the limit to {_megapixels(count)} megapixels")


def _megapixels(count: int) -> str:
    """To the last pixel, so that the limit given in these words is high enough.

    >>> _megapixels(400_000_000), _megapixels(2_500_001)
    ('400', '2.500001')
    """
    return f"{count / 1e6:.6f}".rstrip("0").rstrip(".")


def _check_png(path: Path) -> None:
    """libpng writes its own line to stderr when a file is cut off or damaged; find out before it does."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(8)
        while True:
            head = file.read(8)
            length, kind = struct.unpack(">I4s", head) if len(head) == 8 else (0, b"")
            if len(head) < 8 or file.tell() + length + 4 > size:
                raise ReadError(path, f"is cut off at {size} bytes, before the end of its pixels", AGAIN)
            whole = zlib.crc32(file.read(length), zlib.crc32(kind)) == struct.unpack(">I", file.read(4))[0]
            if not whole and kind[:1].isupper():  # the others are passed over
                raise ReadError(path, f"is damaged (checksum of {kind.decode('latin-1')})", AGAIN)
            if kind == b"IEND":
                return
