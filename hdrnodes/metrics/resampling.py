"""Pictures in another size, as the published programs of some metrics make them inside. Never to make two fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from hdrnodes.metrics.base import Array


def resized(values: Array, size: tuple[int, int], kernel: Literal["cubic", "triangle"]) -> Array:
    """Resample, antialiased, one axis after the other, edges reflected with the edge sample repeated.

    Args:
        values: H x W, or H x W x C, any unit.
        size: height, width.
        kernel: `cubic` is Keys', a = -1/2 (IEEE TASSP 29(6), 1981), which may overshoot. Weights are not normalised,
            as in Octave's imresize.

    Returns:
        size[0] x size[1] (x C) float64.
    """
    rows, columns = (_weights(old, new, kernel) for old, new in zip(values.shape[:2], size, strict=True))
    across = np.moveaxis(np.tensordot(columns, values, axes=(1, 1)), 0, 1)
    return np.tensordot(rows, across, axes=(1, 0))


def _weights(old: int, new: int, kernel: str) -> Array:
    """new x old, what each sample gives to each."""
    if old == new:
        return np.eye(old)
    scale = new / old
    shape, radius = _KERNELS[kernel]
    narrow = min(scale, 1.0)
    at = (np.arange(new) + 0.5) / scale - 0.5
    reach = math.ceil(radius / narrow) + 1
    near = np.floor(at).astype(int)[:, None] + np.arange(-reach, reach + 1)
    given = narrow * shape(narrow * (at[:, None] - near))
    folded = near % (2 * old)
    folded = np.minimum(folded, 2 * old - 1 - folded)
    weights = np.zeros((new, old))
    np.add.at(weights, (np.arange(new)[:, None], folded), given)
    return weights


def _cubic(distance: Array) -> Array:
    d = np.abs(distance)
    inner = 1.5 * d**3 - 2.5 * d**2 + 1
    outer = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d <= 1, inner, np.where(d <= 2, outer, 0))


def _triangle(distance: Array) -> Array:
    return np.maximum(1 - np.abs(distance), 0)


_KERNELS: dict[str, tuple[Callable[[Array], Array], int]] = {"cubic": (_cubic, 2), "triangle": (_triangle, 1)}
