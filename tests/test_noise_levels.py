"""Noise tells of the response: how it is spread over the levels is how steep the response is there."""

import numpy as np
import pytest

from hdrnodes.camera.areas import LONGER_SIDE, areas
from hdrnodes.camera.noise_levels import COUNT, LEAST, LEVELS, SILENT, noise_by_level
from hdrnodes.camera.response import SAMPLES, apply_response

GRID = np.linspace(0, 1, SAMPLES)


def ramp(spread, curve, size=256):
    """Light that rises evenly to the right, with noise of one strength, through a response; 1 x 3 x size x size."""
    light = np.broadcast_to(np.linspace(0.01, 0.97, size, dtype=np.float32), (1, 3, size, size))
    noisy = light + spread * np.random.default_rng(0).standard_normal(light.shape).astype(np.float32)
    return apply_response(np.clip(noisy, 0, 1), curve)


def codes(numbers):
    """The noise of each level, in codes, by the second of LEAST; of levels that are known."""
    told, known = numbers[0, : LEVELS * len(LEAST)].reshape(LEVELS, len(LEAST)), numbers[0, -LEVELS:]
    return np.where(known > 0.5, np.exp(told[:, 1] / np.maximum(known, 1e-3)) - SILENT, np.nan)


def test_white_noise_has_its_own_strength_at_all_levels():
    found = codes(noise_by_level(ramp(0.008, GRID.astype(np.float32))))
    assert np.nanmax(np.abs(found / (0.008 * 255) - 1)) < 0.12
    assert np.isfinite(found).sum() > LEVELS - 3


def test_noise_follows_the_slope_of_the_response():
    curve = (GRID**2.2).astype(np.float32)
    found = codes(noise_by_level(ramp(0.004, curve)))
    middles = (np.arange(LEVELS) + 0.5) / LEVELS
    due = 0.004 * 255 / (2.2 * middles**1.2)
    inner = slice(5, LEVELS - 1)  # in the dark one block spans slopes that differ
    assert np.nanmax(np.abs(np.log2(found[inner] / due[inner]))) < 0.3


def test_smooth_light_is_silent_however_it_rises():
    rows = np.linspace(0.1, 0.9, 96, dtype=np.float32)
    bilinear = np.broadcast_to(rows[:, None] * (0.5 + rows / 2), (1, 3, 96, 96))
    assert np.nanmax(codes(noise_by_level(bilinear))) < 0.01


def test_what_was_cut_off_is_not_told():
    assert not noise_by_level(np.ones((1, 3, 64, 64), np.float32)).any()
    assert not noise_by_level(np.zeros((1, 3, 64, 64), np.float32)).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 200), (10, 10), (33, 200)])
def test_a_picture_of_few_pixels_has_an_answer(size):
    found = noise_by_level(np.random.default_rng(1).random((2, 3, *size), np.float32))
    assert found.shape == (2, COUNT) and found.dtype == np.float32 and np.isfinite(found).all()


def test_of_a_large_picture_areas_are_looked_at():
    large = np.random.default_rng(2).random((1, 3, 40, LONGER_SIDE + 6), np.float32)
    assert np.array_equal(noise_by_level(large), noise_by_level(areas(large)))


def test_numpy_and_torch_find_the_same():
    torch = pytest.importorskip("torch", reason="the torch side of it")
    display = ramp(0.01, (GRID**2).astype(np.float32))
    assert np.allclose(noise_by_level(torch.from_numpy(display)).numpy(), noise_by_level(display), atol=1e-3)
