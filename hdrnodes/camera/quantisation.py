"""Quantisation: a display-referred value becomes one of 2**bits codes. `nodes.Dequantize` undoes it."""

from typing import Any

from array_api_compat import array_namespace

Array = Any


def quantise(display: Array, bits: int = 8) -> Array:
    """Round 0..1 to the nearest of 2**bits evenly spaced codes; returned as 0..1, not as integers.

    >>> import numpy as np
    >>> quantise(np.float32([0.501])) * 255
    array([128.], dtype=float32)
    """
    top = 2**bits - 1
    return array_namespace(display).round(display * top) / top
