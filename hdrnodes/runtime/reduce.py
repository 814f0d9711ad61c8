"""The whole frame, made small: what a network sees that must know all of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from hdrnodes.frames import release

Array = Any  # numpy's, or a torch tensor


def reduce(pixels: Array, longer_side: int) -> Array:
    """Area-average to `longer_side` pixels on the longer side; smaller pictures stay as they are.

    Args:
        pixels: H x W x C float32; numpy, or a torch tensor on any device.

    Returns:
        h x w x C float32, of the same kind; each pixel is the mean of all that it touches, as torch's adaptive average
        pooling has it.
    """
    height, width = pixels.shape[:2]
    scale = longer_side / max(height, width)
    if scale >= 1:
        return pixels
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    if is_torch_array(pixels):
        import torch

        planar = torch.nn.functional.adaptive_avg_pool2d(pixels.permute(2, 0, 1), (rows, columns))
        return planar.permute(1, 2, 0)
    small = np.empty((rows, columns, *pixels.shape[2:]), np.float32)
    first, last = _edges(width, columns)
    for at, (top, bottom) in enumerate(zip(*_edges(height, rows), strict=True)):
        # Down before across: the sum of whole rows is the fast one.
        row = pixels[top:bottom].mean(axis=0)
        small[at] = _sums(row, first, last) / (last - first).astype(np.float32)[:, None]
        release(pixels[top:bottom])
    return small


def _edges(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `count` means begins and ends along an axis."""
    return np.arange(count) * size // count, -(-np.arange(1, count + 1) * size // count)  # rounded up


def _sums(row: Array, first: np.ndarray, last: np.ndarray) -> Array:
    # reduceat sums between neighbouring indices: from each first to its last, then (to be dropped) to the next first.
    # Its last sum runs to the end by itself, so that index, past the end, is left out.
    edges = np.stack([first, last], axis=1).ravel()[:-1]
    return np.add.reduceat(row, edges, axis=0)[::2]
