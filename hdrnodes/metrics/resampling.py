"""Pictures in another size, as the published programs of some metrics make them inside. Never to make two fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from hdrnodes.metrics.base import Array

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def resized(values: Array, size: tuple[int, int], kernel: Literal["cubic", "triangle"]) -> Array:
    """Resample, antialiased, one axis after the other, edges reflected with the edge sample repeated.

    Args:
        values: H x W, or H x W x C, any unit.
        size: height, width.
        kernel: `cubic` is Keys', a = -1/2 (IEEE TASSP 29(6), 1981), which may overshoot. Weights are not normalised,
            as in Octave's imresize.

    Returns:
        size[0] x size[1] (x C); `values` itself where it has that size.
    """
    for axis, length in enumerate(size):
        if values.shape[axis] != length:
            lines = np.moveaxis(values, axis, 0)
            found = _weights(len(lines), length, kernel) @ lines.reshape(len(lines), -1)
            values = np.moveaxis(found.reshape(length, *lines.shape[1:]), 0, axis)
    return values


@lru_cache(maxsize=64)
def _weights(old: int, new: int, kernel: str) -> csr_array:
    """new x old, what each sample gives to each."""
    from scipy.sparse import csr_array

    scale = new / old
    shape, radius = _KERNELS[kernel]
    narrow = min(scale, 1.0)
    at = (np.arange(new) + 0.5) / scale - 0.5
    reach = math.ceil(radius / narrow) + 1
    near = np.floor(at).astype(int)[:, None] + np.arange(-reach, reach + 1)
    given = narrow * shape(narrow * (at[:, None] - near))
    folded = near % (2 * old)
    folded = np.minimum(folded, 2 * old - 1 - folded)
    row = np.arange(new).repeat(near.shape[1])
    return csr_array((given.ravel(), (row, folded.ravel())), shape=(new, old))


def _cubic(distance: Array) -> Array:
    d = np.abs(distance)
    inner = 1.5 * d**3 - 2.5 * d**2 + 1
    outer = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d <= 1, inner, np.where(d <= 2, outer, 0))


def _triangle(distance: Array) -> Array:
    return np.maximum(1 - np.abs(distance), 0)


_KERNELS: dict[str, tuple[Callable[[Array], Array], int]] = {"cubic": (_cubic, 2), "triangle": (_triangle, 1)}
