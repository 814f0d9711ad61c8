"""Exposure: a gain in scene-linear light, chosen in stops or by how much of the picture it clips."""

from typing import Any

from array_api_compat import array_namespace

Array = Any


def expose(scene: Array, stops: Array | float) -> Array:
    """Scale scene-linear light by `2**stops`; 1.0 is where the sensor clips.

    >>> import numpy as np
    >>> expose(np.float32([0.25]), 1.0)
    array([0.5], dtype=float32)
    """
    return scene * 2**stops


def stops_to_clip(scene: Array, fraction: Array) -> Array:
    """The exposure, in stops, at which a fraction of the pixels clips in at least one channel.

    Args:
        scene: N x 3 x H x W, scene-linear, finite.
        fraction: N values, 0..1.

    Returns:
        N values in stops; a black picture is left as it is (0 stops).
    """
    xp = array_namespace(scene)
    brightest = xp.sort(xp.reshape(xp.max(scene, axis=1), (scene.shape[0], -1)), axis=1)  # N x HW
    last = brightest.shape[1] - 1
    at = xp.astype(xp.round((1 - fraction) * last), xp.int64)[:, None]
    level = xp.take_along_axis(brightest, at, axis=1)[:, 0]
    return xp.where(level > 0, -xp.log2(xp.where(level > 0, level, xp.ones_like(level))), xp.zeros_like(level))
