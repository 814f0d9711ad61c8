"""The kinds of file that we write, and what each can hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hdrnodes.errors import WriteError
from hdrnodes.image import Image


@dataclass(frozen=True)
class FileFormat:
    """What a format holds. `compressions` gives each name the range of the number after its colon, or None."""

    name: str
    pixel_types: tuple[str, ...]
    compressions: dict[str, tuple[int, int] | None]
    channels: str  # "all", "RGBA" or "RGB", grey included

    def pixel_type_for(self, image: Image, asked: str, path: Path) -> str:
        """The type to write; `half`, the usual one, stands for the nearest that the format has."""
        if asked in self.pixel_types:
            return asked
        if asked != "half":
            raise WriteError(path, f"{self.name} holds no {asked}", f"choose {', '.join(self.pixel_types)}")
        if self.name == "TIFF":
            return "float" if image.is_linear else "uint16"
        if self.name == "PNG":
            return "uint16" if image.is_linear or (image.bits or 8) > 8 else "uint8"
        return self.pixel_types[0]

    def compression_for(self, asked: str, path: Path) -> str:
        """The compression as OpenImageIO writes it; `zip`, the usual one, stands for the format's own."""
        name, colon, number = asked.partition(":")
        if name in self.compressions:
            limits = self.compressions[name]
            if not colon or (limits and number.isdecimal() and limits[0] <= int(number) <= limits[1]):
                return asked
        elif asked == "zip":
            return next(iter(self.compressions), "none")
        choices = [each + (f":{low}-{high}" if high else "") for each, (low, high) in self._choices()]
        remedy = f"choose {', '.join(choices)}" if choices else "leave it out"
        raise WriteError(path, f"{self.name} has no compression {asked!r}", remedy)

    def _choices(self) -> list[tuple[str, tuple[int, int]]]:
        return [(name, limits or (0, 0)) for name, limits in self.compressions.items()]


_ZIP = {"zip": (1, 9)}
_EXR = dict.fromkeys(["none", "rle", "zips", "piz", "pxr24", "b44", "b44a"])
_DWA = dict.fromkeys(["dwaa", "dwab"], (0, 1000))
_TIFF = FileFormat("TIFF", ("float", "uint16", "uint8"), {**_ZIP, "lzw": None, "packbits": None, "none": None}, "all")
_JPEG = FileFormat("JPEG", ("uint8",), {"jpeg": (1, 100)}, "RGB")

FILE_FORMATS = {
    ".exr": FileFormat("OpenEXR", ("half", "float"), {**_ZIP, **_EXR, **_DWA}, "all"),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".png": FileFormat("PNG", ("uint8", "uint16"), {"zip": (0, 9)}, "RGBA"),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": FileFormat("WebP", ("uint8",), {"webp": (1, 100), "lossless": None}, "RGBA"),
    ".hdr": FileFormat("Radiance HDR", ("float",), {}, "RGB"),
    ".dpx": FileFormat("DPX", ("uint10", "uint12", "uint16", "uint8"), {}, "RGBA"),
}


def file_format(path: Path) -> FileFormat:
    """The format that a file's name asks for; a WriteError where it is none of ours, or no name for OpenImageIO."""
    if not is_utf8(path):
        raise WriteError(path, "is a name that is not UTF-8, which OpenImageIO cannot write to", "choose another name")
    try:
        return FILE_FORMATS[path.suffix.lower()]
    except KeyError:
        ours = ", ".join(FILE_FORMATS)
        problem = f"{path.suffix} files are not written" if path.suffix else "has no extension"
        raise WriteError(path, problem, f"choose one of {ours}") from None


def is_utf8(path: Path) -> bool:
    """Whether a path's bytes are UTF-8. OpenImageIO takes no others; old disks have names in Latin-1."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
