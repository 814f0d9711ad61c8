"""Where pixels on edges lie between the sides, which in scene-linear light is anywhere alike."""

import numpy as np
import pytest
import torch

from hdrnodes.camera.areas import LONGER_SIDE, areas
from hdrnodes.camera.response import SAMPLES, apply_response
from hdrnodes.camera.transitions import COUNT, LEVELS, MOMENTS, UNEVEN, transitions_by_level

GRID = np.linspace(0, 1, SAMPLES)
PAIRS = [(lower, upper) for lower in range(LEVELS) for upper in range(lower, LEVELS)]


def bars(curve, edges=4000, seed=0):
    """Edges between surfaces of any display value, each through its pixel anywhere, in 8 bits; 1 x 3 x H x W."""
    random = np.random.default_rng(seed)
    surfaces = np.interp(random.uniform(0.03, 0.97, (3, edges // 40, 41)), GRID, curve).astype(np.float32)
    share = random.random((3, edges // 40, 40)).astype(np.float32)
    between = share * surfaces[..., :-1] + (1 - share) * surfaces[..., 1:]
    row = np.concatenate([np.repeat(surfaces[..., :-1, None], 5, axis=-1), between[..., None]], axis=-1)
    rows = np.zeros((1, 3, edges // 8, 240), np.float32)  # black between them: down there are no edges
    rows[:, :, ::5] = row.reshape(3, edges // 40, -1)
    return np.round(apply_response(rows, curve) * 255).astype(np.float32) / np.float32(255)


def told(numbers):
    """Count and moments of each pair, those of the narrowest limit: others count some edges from one pixel beside."""
    return dict(zip(PAIRS, numbers.reshape(1 + MOMENTS, len(UNEVEN), len(PAIRS))[:, 0].T, strict=True))


def moments(numbers):
    """Over pairs that are far apart, of many edges: how far the mean is off, and the second moment."""
    pairs = [each for (lower, upper), each in told(numbers).items() if upper - lower > 3 and each[0] > 0.5]
    assert len(pairs) > 10
    return np.mean(pairs, axis=0)[1:3]


def test_in_linear_light_pixels_lie_anywhere_alike():
    mean, second = moments(transitions_by_level(bars(GRID.astype(np.float32))))
    assert abs(mean) < 0.01 and abs(second) < 0.12


@pytest.mark.parametrize(("power", "sign"), [(3, 1), (1 / 3, -1)])
def test_behind_a_response_they_crowd_where_it_is_flat(power, sign):
    """A convex inverse lifts what lies between: more of it is near the upper side."""
    mean, _ = moments(transitions_by_level(bars((GRID**power).astype(np.float32))))
    assert mean * sign > 0.03


def test_only_edges_count():
    rng = np.random.default_rng(1)
    flat = np.full((1, 3, 40, 40), 0.5, np.float32)
    clipped = np.repeat(rng.integers(0, 2, (1, 3, 40, 8)), 5, axis=-1).astype(np.float32)
    slope = np.broadcast_to(np.linspace(0.1, 0.9, 200, dtype=np.float32), (1, 3, 40, 200))
    for picture in (flat, clipped, slope):
        assert not transitions_by_level(picture).any()


def test_a_narrow_limit_leaves_no_more_than_a_wide_one():
    counts = transitions_by_level(bars(GRID.astype(np.float32)))[0, : COUNT // (1 + MOMENTS)]
    narrow, middle, wide = counts.reshape(len(UNEVEN), -1)
    assert (narrow <= middle).all() and (middle <= wide).all() and wide.any()


@pytest.mark.parametrize("taken_out", [True, False])
def test_torch_says_the_same(taken_out, monkeypatch):
    """With what may be an edge taken out, as on a CPU, and with all that there is, as on a GPU."""
    display = np.concatenate([bars((GRID**2).astype(np.float32), seed=seed) for seed in (1, 2)])
    due = transitions_by_level(display)
    monkeypatch.setattr("hdrnodes.camera.transitions._takes_edges_out", lambda display: taken_out)
    found = transitions_by_level(torch.from_numpy(display)).numpy()
    np.testing.assert_allclose(found, due, atol=2e-6)


@pytest.mark.parametrize("size", [(1, 1), (4, 9), (5, 4), (9, 200)])
def test_a_picture_of_few_pixels_has_an_answer(size):
    found = transitions_by_level(np.random.default_rng(1).random((2, 3, *size), np.float32))
    assert found.shape == (2, COUNT) and found.dtype == np.float32 and np.isfinite(found).all()


def test_of_a_large_picture_areas_are_looked_at():
    large = np.random.default_rng(2).random((1, 3, 40, LONGER_SIDE + 6), np.float32)
    assert np.array_equal(transitions_by_level(large), transitions_by_level(areas(large)))
