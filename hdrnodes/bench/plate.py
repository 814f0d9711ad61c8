"""A made-up plate: a low sun over hills and a town, taken by `hdrnodes.camera`. Not noise, not flat: the sun, its glow
and lamps clip, so that Hallucinate has its usual share of tiles to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hdrnodes.camera.clipping import clip
from hdrnodes.camera.exposure import expose, stops_to_clip
from hdrnodes.camera.noise import add_noise
from hdrnodes.camera.quantisation import quantise
from hdrnodes.camera.response import apply_response
from hdrnodes.curve import Curve

CLIPPED = 0.03  # of the pixels
SHOT, READ = 0.006, 0.002  # noise, of the clip level
ROWS = 256  # at once, so that 33 megapixels need no more than their codes
SUN = (0.62, 0.22)  # across and down, of the width
LAMPS = ((0.12, 0.47), (0.31, 0.45), (0.83, 0.49))
OCTAVES = 9

Array = npt.NDArray[Any]


def make_plate(width: int, height: int) -> npt.NDArray[np.uint8]:
    """H x W x 3 codes of an sRGB camera, with about 3 % of the pixels clipped."""
    rng = np.random.default_rng(5)
    small = scene(width, height, np.linspace(0, height - 1, 135), np.linspace(0, width - 1, 240))
    stops = float(stops_to_clip(small.transpose(2, 0, 1)[None], np.array([CLIPPED], np.float32))[0])
    response = Curve.named("srgb").samples
    codes = np.empty((height, width, 3), np.uint8)
    for first in range(0, height, ROWS):
        rows = np.arange(first, min(first + ROWS, height))
        light = expose(scene(width, height, rows, np.arange(width)), stops)
        noisy = add_noise(light, rng.standard_normal(light.shape, np.float32), SHOT, READ)
        codes[rows] = np.rint(quantise(apply_response(clip(noisy), response)) * 255)
    return codes


def scene(width: int, height: int, rows: Array, columns: Array) -> npt.NDArray[np.float32]:
    """Scene-linear light at these rows and columns of a frame: len(rows) x len(columns) x 3, sky 0.2..1, sun 2000."""
    # In units of the width, so that a larger frame is the same scene, sharper.
    x, y = (columns / width).astype(np.float32)[None, :], (rows / width).astype(np.float32)[:, None]
    skyline = 0.34 + 0.04 * np.sin(7 * x) + 0.015 * np.sin(23 * x + 1)
    roofs = 0.46 - 0.05 * (np.sin(np.floor(x * 24) * 12.9898) * 0.5 + 0.5)
    windows = (np.sin(x * 900) > 0.3) & (np.sin(y * 700) > 0.2)
    detail = _detail(x, y)
    light = _colour(0.25, 0.45, 0.9) + (y / 0.5)[..., None] * _colour(0.6, 0.35, 0.0)
    light = light * (1 + 0.15 * np.clip(detail, -1, 1))[..., None]
    away = np.hypot(x - SUN[0], y - SUN[1])
    light = light + (3 * np.exp(-away / 0.05))[..., None] * _colour(1, 0.85, 0.6)
    hill = np.exp(detail * 0.6)[..., None] * _colour(0.08, 0.12, 0.05)
    light = np.where((y > skyline)[..., None], hill, light)
    wall = np.where(windows, 0.02, 0.10 * np.exp(detail * 0.3))[..., None] * _colour(1.0, 0.8, 0.65)
    light = np.where((y > roofs)[..., None], wall, light)
    light = np.where((away < 0.012)[..., None], _colour(2000, 1700, 1300), light)
    for across, down in LAMPS:
        lamp = np.hypot(x - across, y - down) < 0.004
        light = np.where(lamp[..., None], _colour(30, 22, 10), light)
    return np.asarray(light, np.float32)


def _detail(x: Array, y: Array) -> Array:
    """Waves of ever higher frequency and lower contrast, as natural scenes have them; about -1..1."""
    total = np.zeros((y.shape[0], x.shape[1]), np.float32)
    for octave in range(OCTAVES):
        angle, phase, frequency = 2.4 * octave, 1.7 * octave, np.float32(10 * 2**octave)
        along, down = frequency * np.cos(angle) * x + phase, frequency * np.sin(angle) * y
        # sin(a + b) as two outer products: no sine per pixel.
        total += np.float32(0.7**octave) * (np.sin(along) * np.cos(down) + np.cos(along) * np.sin(down))
    return total * np.float32(0.5)


def _colour(red: float, green: float, blue: float) -> Array:
    return np.array([red, green, blue], np.float32)
