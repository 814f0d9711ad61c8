"""Sensor noise in scene-linear light: photon (shot) noise, whose variance grows with the light, and read noise."""

from typing import Any

from array_api_compat import array_namespace

Array = Any


def add_noise(light: Array, normal: Array, shot: Array | float, read: Array | float) -> Array:
    """Add noise of standard deviation sqrt(shot^2 * light + read^2).

    Args:
        light: scene-linear, >= 0; 1.0 is the clip level.
        normal: standard normal draws, the shape of `light`.
        shot, read: standard deviations at the clip level and in the dark; Liu et al. (CVPR 2020) draw up to 0.013
            and 0.005.
    """
    xp = array_namespace(light)
    return light + normal * xp.sqrt(shot**2 * light + read**2)
