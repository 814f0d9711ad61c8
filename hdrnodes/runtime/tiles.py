"""Cutting a frame into tiles that overlap, and joining them again without a seam.

Each tile carries a halo that only feeds the network, and meets its neighbours in a strip where one fades into the
other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from hdrnodes.frames import release
from hdrnodes.pixelwise import beside

Array = Any  # numpy's, or a torch tensor

FEATHER = 16  # pixels in which a tile fades into the next


@dataclass(frozen=True)
class Span:
    """Along one axis: the network is fed first..last, of which it fills core_first..core_last."""

    first: int
    last: int
    core_first: int
    core_last: int

    @property
    def length(self) -> int:
        return self.last - self.first


Place = tuple[Span, Span]  # of a tile: down, and across


def least_tile(halo: int, multiple: int) -> int:
    """The shortest side of a tile, pixels, that is not mostly halo."""
    return max(2 * _lost(halo, multiple), 4 * multiple)


def _lost(halo: int, multiple: int) -> int:
    """By how much a tile with its halos is longer than what it adds to its neighbour."""
    return _rounded_up(2 * halo + FEATHER, multiple)


def _rounded_up(size: int, multiple: int) -> int:
    return size + -size % multiple


def spans(size: int, tile: int, halo: int, multiple: int) -> list[Span]:
    """Cover 0..size along one axis, by as few spans as can be, and those no longer than they must be.

    All are of one length, so that a runtime sees few shapes; where the size is no multiple, the last is shorter, by
    less than one.

    Args:
        size: of the frame, pixels.
        tile: of a tile with its halos, pixels, at most; made large enough for the halos and the feather.
        halo: pixels that the network needs on each side.
        multiple: tiles start on multiples of this.
    """
    lost = _lost(halo, multiple)
    tile = max(tile - tile % multiple, least_tile(halo, multiple))
    if size <= tile:
        return [Span(0, size, 0, size)]
    count = -(-(size - lost) // (tile - lost))  # rounded up
    step = _rounded_up(-(-(size - lost) // count), multiple)
    length = step + lost
    starts = [*range(0, step * (count - 1), step), _rounded_up(size - length, multiple)]
    lasts = [min(start + length, size) for start in starts]
    return [
        Span(start, last, start + (halo if start else 0), last - (halo if last < size else 0))
        for start, last in zip(starts, lasts, strict=True)
    ]


def tile_grid(height: int, width: int, tile: int, halo: int, multiple: int) -> list[Place]:
    """All tiles of a frame, row by row: the span down, and the span across."""
    return [(y, x) for y in spans(height, tile, halo, multiple) for x in spans(width, tile, halo, multiple)]


def in_batches(places: Sequence[Place], most: int) -> list[list[Place]]:
    """Tiles in their order, at most so many of one size at a time."""
    batches = []
    for _, group in groupby(places, lambda place: (place[0].length, place[1].length)):
        alike = list(group)
        batches += [alike[at : at + most] for at in range(0, len(alike), most)]
    return batches


def join(
    whole: Array,
    grid: Sequence[Place],
    batches: Sequence[Sequence[Place]],
    compute: Callable[[Sequence[Place]], Sequence[Array]],
) -> None:
    """Compute the tiles of a frame, and fade them into each other.

    Args:
        whole: H x W x C float32, where they go; 0 everywhere. Numpy, or a torch tensor.
        grid: all tiles, from `tile_grid`.
        batches: those of them to compute, from `in_batches`; what the others cover stays 0.
        compute: the pixels of each tile of a batch, h x w x C with its halos, the same kind of array as `whole`.
    """
    strips_y, strips_x = (_strips({place[axis] for place in grid}, axis, whole) for axis in (0, 1))
    for batch in batches:
        for (y, x), pixels in zip(batch, compute(batch), strict=True):
            for top, bottom, share_y in strips_y[y]:
                for left, right, share_x in strips_x[x]:
                    part = pixels[top - y.first : bottom - y.first, left - x.first : right - x.first]
                    if share_y is None and share_x is None:  # most of it: no other tile comes here
                        whole[top:bottom, left:right] = part
                        continue
                    for share in (share_y, share_x):
                        part = part if share is None else part * share
                    whole[top:bottom, left:right] += part
        release(whole)


Strip = tuple[int, int, Any]  # of a core: from, to; the share that this tile has there, None for all of it


def _strips(row: set[Span], axis: int, whole: Array) -> dict[Span, list[Strip]]:
    """The cores along one axis, cut where neighbours begin and end; they fade into each other, and sum to one."""
    size = whole.shape[axis]
    fades: dict[Span, Any] = {}
    total = np.zeros(size, np.float32)
    for span in row:
        at = np.arange(span.core_first, span.core_last, dtype=np.float32) + np.float32(0.5)
        rise = (at - span.core_first) / FEATHER if span.first else np.ones_like(at)
        fall = (span.core_last - at) / FEATHER if span.last < size else np.ones_like(at)
        fades[span] = np.minimum(np.minimum(rise, fall), 1)
        total[span.core_first : span.core_last] += fades[span]

    def shared(share: Any) -> Any:
        return beside(whole, share.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1)))

    strips = {}
    for span, fade in fades.items():
        share = fade / total[span.core_first : span.core_last]
        alone = np.flatnonzero(share == 1)
        first, last = (int(alone[0]), int(alone[-1]) + 1) if len(alone) else (0, 0)
        cut = [(0, first, shared(share[:first])), (first, last, None), (last, len(share), shared(share[last:]))]
        strips[span] = [(span.core_first + a, span.core_first + b, what) for a, b, what in cut if b > a]
    return strips
