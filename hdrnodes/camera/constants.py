"""Tables and matrices that the camera's steps hold: made once, kept where the pictures are."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

Array = Any


def constant(like: Array, make: Callable[..., Array], *arguments: Any) -> Array:
    """`make(*arguments)`, a numpy array, as an array of `like`'s library on its device; shared, so not to write to.

    To bring it there anew at each call would have a GPU wait for the CPU.
    """
    return _there(array_namespace(like), device(like), make, arguments)


@lru_cache(maxsize=256)
def _there(xp: Any, where: Any, make: Callable[..., Array], arguments: tuple[Any, ...]) -> Array:
    return xp.asarray(np.array(make(*arguments)), device=where)  # a copy: torch has no read-only arrays


def cosines(size: int, count: int | None = None) -> Array:
    """The first `count` (or all) rows of the orthonormal DCT-II matrix of `size` points: count x size float32."""
    k, i = np.arange(count or size)[:, None], np.arange(size)[None]
    matrix = np.cos((2 * i + 1) * k * np.pi / (2 * size)) * np.sqrt(2 / size)
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)
