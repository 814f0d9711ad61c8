"""Clipping: the sensor holds no more than 1.0, nor less than nothing. `nodes.Hallucinate` undoes it."""

from typing import Any

from array_api_compat import array_namespace

Array = Any


def clip(light: Array) -> Array:
    """Light outside 0..1 is lost: `min(max(light, 0), 1)` (Liu et al., CVPR 2020, eq. 1)."""
    return array_namespace(light).clip(light, 0.0, 1.0)
