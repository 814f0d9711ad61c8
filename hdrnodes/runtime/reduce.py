"""The whole frame, made small: what a network sees that must know all of it."""

from __future__ import annotations

import numpy as np

from hdrnodes.runtime.executor import Array


def reduce(pixels: Array, longer_side: int) -> Array:
    """Area-average to `longer_side` pixels on the longer side; smaller pictures stay as they are.

    Args:
        pixels: H x W x C float32.

    Returns:
        h x w x C float32; each pixel is the mean of all that it touches, as torch's adaptive average pooling has it.
    """
    height, width = pixels.shape[:2]
    scale = longer_side / max(height, width)
    if scale >= 1:
        return pixels
    rows = _average(pixels, max(1, round(height * scale)), axis=0)
    return _average(rows, max(1, round(width * scale)), axis=1)


def _average(pixels: Array, count: int, axis: int) -> Array:
    size = pixels.shape[axis]
    first = np.arange(count) * size // count
    last = -(-np.arange(1, count + 1) * size // count)  # rounded up
    # reduceat sums between neighbouring indices: from each first to its last, then (to be dropped) to the next first.
    # Its last sum runs to the end by itself, so that index, past the end, is left out.
    edges = np.stack([first, last], axis=1).ravel()[:-1]
    sums = np.add.reduceat(pixels, edges, axis=axis)
    kept = sums[::2] if axis == 0 else sums[:, ::2]
    counts = (last - first).astype(np.float32)
    averaged: Array = kept / (counts[:, None, None] if axis == 0 else counts[None, :, None])
    return averaged
