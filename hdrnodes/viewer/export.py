"""The viewer as one file that can be handed on: page, pictures and all, opened without a server or a network.

Tiles are packed as OpenEXR packs scanlines, prediction first: each half less its left neighbour, low and high bytes
apart, then deflate, which every browser undoes. Of a photograph that leaves about half.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hdrnodes.errors import WriteError
from hdrnodes.viewer.picture import Picture
from hdrnodes.viewer.pictures import Pictures
from hdrnodes.viewer.pyramid import Halves
from hdrnodes.viewer.web_page import embedded_block, page_alone
from hdrnodes.whole_file import check_writable, whole_file

LARGEST = 1_000_000_000  # bytes; browsers give up on longer pages


class Exported(NamedTuple):
    """What was written: bytes; by how much pictures were reduced, 1 is not at all; their longest side before that."""

    size: int
    scale: int
    longest: int


def export_page(pictures: Pictures, path: Path, longest: int = 2048, overwrite: bool = False) -> Exported:
    """Write a page with every frame of every side in it.

    Args:
        longest: of the sides of a picture, in pixels; larger ones are reduced to 1/2, 1/4 ..., the mean of what they
            had. All by the same, so that pixels still lie on each other.

    Raises:
        ReadError: a picture cannot be read.
        WriteError: the file exists, cannot be written, or would be larger than browsers open.
    """
    check_writable(path, overwrite)
    finest, largest = 0, 0
    for side, frame in _every(pictures):
        sizes = [max(level.width, level.height) for level in pictures.get(side, frame).pyramid.levels]
        finest = max(finest, next((step for step, size in enumerate(sizes) if size <= longest), len(sizes) - 1))
        largest = max(largest, sizes[0])
    size = 0
    with whole_file(path, overwrite) as temporary, temporary.open("wb") as file:
        for text in page_alone(pictures, _blocks(pictures, finest)):
            size += file.write(text.encode())
            if size > LARGEST:
                remedy = "take fewer frames, or a smaller --export-size"
                raise WriteError(path, f"would be larger than {LARGEST // 10**6} MB, which browsers open", remedy)
    return Exported(size, 2**finest, largest)


def packed(tile: Halves) -> bytes:
    """H x W x C halves, planar, predicted, split and deflated; `unpack.js` is the way back.

    >>> packed(np.zeros((4, 4, 3), np.float16)).hex()[:4]
    '78da'
    """
    values = tile.view(np.uint16).transpose(2, 0, 1)
    steps = np.diff(values, axis=2, prepend=np.uint16(0)).view(np.int16)
    # Small steps either way become small numbers: 0, -1, 1, -2 ... are 0, 1, 2, 3 ...
    small = ((steps << 1) ^ (steps >> 15)).view(np.uint16)
    low, high = (small & 255).astype(np.uint8), (small >> 8).astype(np.uint8)
    return zlib.compress(low.tobytes() + high.tobytes(), 9)


def _blocks(pictures: Pictures, finest: int) -> Iterator[str]:
    for side, frame in _every(pictures):
        picture = pictures.get(side, frame)
        first = min(finest, len(picture.pyramid.levels) - 1)
        yield embedded_block(f"picture-{side}-{frame}", picture.about(first))
        yield from _tiles(picture, first, f"{side}-{frame}")


def _tiles(picture: Picture, finest: int, name: str) -> Iterator[str]:
    for step, level in list(enumerate(picture.pyramid.levels))[finest:]:
        for row in range(level.rows):
            for column in range(level.columns):
                tile = base64.b64encode(packed(picture.pyramid.tile(step, column, row))).decode()
                yield embedded_block(f"tile-{name}-{step}-{column}-{row}", tile)


def _every(pictures: Pictures) -> Iterator[tuple[int, int]]:
    """Sides within frames: what lies side by side is read side by side."""
    return ((side, frame) for frame in range(len(pictures.frames)) for side in range(len(pictures.sides)))
