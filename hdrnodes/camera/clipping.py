"""Clipping: the sensor holds no more than 1.0, nor less than nothing. `nodes.Hallucinate` undoes it."""

from functools import reduce
from typing import Any

from array_api_compat import array_namespace

Array = Any

TOP_CODE = 254.5 / 255  # display-referred: what rounds to 255, so was clipped, or may have been
THRESHOLD = 0.88  # of clip level, scene-linear: where invented light fades in (Liu et al., CVPR 2020)


def clip(light: Array) -> Array:
    """Light outside 0..1 is lost: `min(max(light, 0), 1)` (Liu et al., CVPR 2020, eq. 1)."""
    return array_namespace(light).clip(light, 0.0, 1.0)


def clip_mask(linear: Array, threshold: float = THRESHOLD, channels: int = -1) -> Array:
    """How far each pixel has clipped: alpha of Liu et al., CVPR 2020, section 3.3.

    Args:
        linear: scene-linear, 1.0 where the plate clips; any shape with an axis of channels.
        threshold: 0..1, where the mask leaves 0; it is 1 from 1.0 on.
        channels: which axis they are.

    Returns:
        The shape of `linear` with one channel, 0..1.

    >>> import numpy as np
    >>> clip_mask(np.float32([[[0.1, 0.94, 0.2], [1, 0, 0], [0.5, 0.5, 0.88]]])).round(3).ravel()
    array([0.5, 1. , 0. ], dtype=float32)
    """
    xp = array_namespace(linear)
    # Numpy's maximum along an axis of three takes ten times as long.
    brightest = reduce(xp.maximum, xp.moveaxis(linear, channels, 0))
    return ((xp.expand_dims(brightest, axis=channels) - threshold) / (1 - threshold)).clip(0, 1)
