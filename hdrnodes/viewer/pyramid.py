"""A picture at 1, 1/2, 1/4 ... of its size, in tiles of half floats: what a page can load coarse first, and in part."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hdrnodes.image import Pixels

TILE = 512  # pixels; a frame of 3840 x 2160 is 40 of them, and each 1.5 MB

Halves = npt.NDArray[np.float16]


class Level(NamedTuple):
    """One size of a picture: `scale` of its pixels, each way, are one here."""

    scale: int
    width: int
    height: int

    @property
    def columns(self) -> int:
        return -(-self.width // TILE)

    @property
    def rows(self) -> int:
        return -(-self.height // TILE)


class Pyramid:
    """A picture and its reductions, each half as large, down to the first that is one tile.

    Args:
        pixels: H x W x C float32, finite, within half's range.
    """

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = [pixels]
        while max(self._pixels[-1].shape[:2]) > TILE:
            self._pixels.append(_halved(self._pixels[-1]))
        self.levels = tuple(Level(2**step, each.shape[1], each.shape[0]) for step, each in enumerate(self._pixels))

    @property
    def nbytes(self) -> int:
        return sum(each.nbytes for each in self._pixels)

    def tile(self, level: int, column: int, row: int) -> Halves:
        """One tile, with a border of one pixel of its neighbours, so that it can be interpolated to its very edge.

        Returns:
            (h + 2) x (w + 2) x C, h and w at most `TILE`. Beyond the picture the border repeats its edge.

        Raises:
            IndexError: there is no such tile.
        """
        if not 0 <= level < len(self.levels):
            raise IndexError(f"no level {level}")
        size = self.levels[level]
        if not (0 <= column < size.columns and 0 <= row < size.rows):
            raise IndexError(f"no tile {column}, {row}")
        top, bottom, above, below = _bordered(row * TILE, size.height)
        left, right, before, after = _bordered(column * TILE, size.width)
        inside = self._pixels[level][top:bottom, left:right]
        return np.pad(inside, ((above, below), (before, after), (0, 0)), mode="edge").astype(np.float16)


def _bordered(start: int, length: int) -> tuple[int, int, int, int]:
    """From where to where a tile and its border lie inside the picture, and what is missing before and after."""
    first, last = start - 1, min(start + TILE, length) + 1
    return max(first, 0), min(last, length), int(first < 0), int(last > length)


def _halved(pixels: Pixels) -> Pixels:
    """The means of 2 x 2; light adds up, so these are of linear values. An odd edge counts twice."""
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    total: Pixels = pixels[::2, ::2] + pixels[1::2, ::2]
    total += pixels[::2, 1::2]
    total += pixels[1::2, 1::2]
    total *= np.float32(0.25)
    return total
