"""Pictures as text that a page can hold."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hdrnodes.image import Image, Pixels
from hdrnodes.io import write
from hdrnodes.report.html import Html, tag

QUALITY = 80  # of JPEG, for what is looked at


@dataclass(frozen=True)
class Encoded:
    """A picture in a `data:` URL; its size in pixels."""

    url: str
    width: int
    height: int

    def element(self, words: str) -> Html:
        """For who sees it, and in words for who does not."""
        return tag("img", src=self.url, width=self.width, height=self.height, alt=words)


def as_jpeg(pixels: Pixels) -> Encoded:
    """For pictures: H x W x 3, 0..1, display-referred."""
    return _encoded(pixels, ".jpg", "image/jpeg", f"jpeg:{QUALITY}")


def as_png(pixels: Pixels) -> Encoded:
    """For what has values to be read off."""
    return _encoded(pixels, ".png", "image/png", "zip:9")


def _encoded(pixels: Pixels, suffix: str, kind: str, compression: str) -> Encoded:
    every_pixels_colour = {"jpeg:subsampling": "4:4:4"}
    with TemporaryDirectory(prefix="hdrnodes-") as folder:
        path = Path(folder) / f"picture{suffix}"
        write(Image(pixels, metadata=every_pixels_colour), path, pixel_type="uint8", compression=compression)
        text = base64.b64encode(path.read_bytes()).decode()
    return Encoded(f"data:{kind};base64,{text}", pixels.shape[1], pixels.shape[0])
