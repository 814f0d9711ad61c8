"""Cutting a frame into tiles that overlap, and joining them again without a seam.

Each tile carries a halo that only feeds the network, and meets its neighbours in a strip where one fades into the
other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hdrnodes.runtime.executor import Array

FEATHER = 32  # pixels in which a tile fades into the next


@dataclass(frozen=True)
class Span:
    """Along one axis: the network is fed first..last, of which it fills core_first..core_last."""

    first: int
    last: int
    core_first: int
    core_last: int


def spans(size: int, tile: int, halo: int, multiple: int) -> list[Span]:
    """Cover 0..size along one axis; all spans are of one length, but for the last, a bit longer.

    Args:
        size: of the frame, pixels.
        tile: of a tile with its halos, pixels; made large enough for the halos and the feather.
        halo: pixels that the network needs on each side.
        multiple: tiles start on multiples of this.
    """
    lost = 2 * halo + FEATHER
    tile = max(tile, 2 * lost, 4 * multiple)
    tile += -tile % multiple
    if size <= tile:
        return [Span(0, size, 0, size)]
    step = (tile - lost) // multiple * multiple
    starts = [*range(0, size - tile, step)]
    starts.append((size - tile) // multiple * multiple)
    starts = sorted(set(starts))
    lasts = [start + tile for start in starts[:-1]] + [size]
    return [
        Span(start, last, start + (halo if start else 0), last - (halo if last < size else 0))
        for start, last in zip(starts, lasts, strict=True)
    ]


def tile_grid(height: int, width: int, tile: int, halo: int, multiple: int) -> list[tuple[Span, Span]]:
    """All tiles of a frame, row by row: the span down, and the span across."""
    return [(y, x) for y in spans(height, tile, halo, multiple) for x in spans(width, tile, halo, multiple)]


def join(
    shape: tuple[int, int, int], grid: list[tuple[Span, Span]], compute: Callable[[Span, Span], Array | None]
) -> Array:
    """Compute each tile, and fade them into each other.

    Args:
        shape: H, W, C of the result.
        grid: from `tile_grid`.
        compute: the pixels of a tile, h x w x C with its halos; None stands for zeros.

    Returns:
        H x W x C float32.
    """
    if len(grid) == 1:
        only = compute(*grid[0])
        return np.zeros(shape, np.float32) if only is None else only
    weights_y, weights_x = _weights({y for y, _ in grid}, shape[0]), _weights({x for _, x in grid}, shape[1])
    whole = np.zeros(shape, np.float32)
    for y, x in grid:
        pixels = compute(y, x)
        if pixels is None:
            continue
        core = pixels[y.core_first - y.first : y.core_last - y.first, x.core_first - x.first : x.core_last - x.first]
        weight = weights_y[y][:, None] * weights_x[x][None, :]
        whole[y.core_first : y.core_last, x.core_first : x.core_last] += core * weight[..., None]
    return whole


def _weights(row: set[Span], size: int) -> dict[Span, Array]:
    """Weights along one axis that sum to one everywhere: each span fades in and out where it has neighbours."""
    weights: dict[Span, Array] = {}
    total = np.zeros(size, np.float32)
    for span in row:
        at = np.arange(span.core_first, span.core_last, dtype=np.float32) + np.float32(0.5)
        rise = (at - span.core_first) / FEATHER if span.first else np.ones_like(at)
        fall = (span.core_last - at) / FEATHER if span.last < size else np.ones_like(at)
        weights[span] = np.minimum(np.minimum(rise, fall), 1)
        total[span.core_first : span.core_last] += weights[span]
    return {span: weight / total[span.core_first : span.core_last] for span, weight in weights.items()}
