"""The whole frame, made small: what a network sees that must know all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from array_api_compat import is_torch_array

from hdrnodes.frames import release

if TYPE_CHECKING:
    from torch import Tensor

Array = Any  # numpy's, or a torch tensor


def reduce(pixels: Array, longer_side: int) -> Array:
    """Area-average to `longer_side` pixels on the longer side.

    Args:
        pixels: H x W x C float32; numpy, or a torch tensor on any device.
        longer_side: smaller pictures stay as they are, and all do where it is 0.

    Returns:
        h x w x C float32, of the same kind; each pixel is the mean of all that it touches, as torch's adaptive average
        pooling has it.
    """
    height, width = pixels.shape[:2]
    rows, columns = _size(height, width, longer_side)
    if (rows, columns) == (height, width):
        return pixels
    if is_torch_array(pixels):
        return reduce_planar(pixels.permute(2, 0, 1), longer_side).permute(1, 2, 0)
    small = np.empty((rows, columns, *pixels.shape[2:]), np.float32)
    first, last = _edges(width, columns)
    for at, (top, bottom) in enumerate(zip(*_edges(height, rows), strict=True)):
        # Down before across: the sum of whole rows is the fast one.
        row = pixels[top:bottom].mean(axis=0)
        small[at] = _sums(row, first, last) / (last - first).astype(np.float32)[:, None]
        release(pixels[top:bottom])
    return small


def reduce_planar(pictures: Tensor, longer_side: int) -> Tensor:
    """The same of a torch tensor that has its channels first: C x H x W, or N x C x H x W, of any float type."""
    from torch.nn.functional import adaptive_avg_pool2d

    height, width = pictures.shape[-2:]
    size = _size(height, width, longer_side)
    return pictures if size == (height, width) else adaptive_avg_pool2d(pictures, size)


def _size(height: int, width: int, longer_side: int) -> tuple[int, int]:
    scale = longer_side / max(height, width)
    if not 0 < scale < 1:
        return height, width
    return max(1, round(height * scale)), max(1, round(width * scale))


def _edges(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `count` means begins and ends along an axis."""
    return np.arange(count) * size // count, -(-np.arange(1, count + 1) * size // count)  # rounded up


def _sums(row: Array, first: np.ndarray, last: np.ndarray) -> Array:
    # reduceat sums between neighbouring indices: from each first to its last, then (to be dropped) to the next first.
    # Its last sum runs to the end by itself, so that index, past the end, is left out.
    edges = np.stack([first, last], axis=1).ravel()[:-1]
    return np.add.reduceat(row, edges, axis=0)[::2]
