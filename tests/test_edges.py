"""Edges tell of the response: the curve that made a picture is found from its colour edges alone."""

import numpy as np
import pytest

from hdrnodes.camera.basis import DIRECTIONS, response_basis
from hdrnodes.camera.edges import COUNT, LONGER_SIDE, LOOKS, edge_evidence
from hdrnodes.camera.response import SAMPLES, apply_response

GRID = np.linspace(0, 1, SAMPLES)


def patches(size, seed=0, cell=4):
    """Flat colours side by side, with mixtures of both between two cells; scene-linear, 1 x 3 x size x size."""
    random = np.random.default_rng(seed)
    cells = random.uniform(0.02, 0.95, (3, size // cell + 2, size // cell + 2))
    place = np.arange(size)
    lower, part = place // cell, np.clip(place % cell - (cell - 2), 0, None) * 0.5
    rows = cells[:, lower] * (1 - part[:, None]) + cells[:, lower + 1] * part[:, None]
    return (rows[:, :, lower] * (1 - part) + rows[:, :, lower + 1] * part).astype(np.float32)[None]


def curve_of(evidence, look):
    """The likeliest curve of one of LOOKS; where no edge lies it may fall, which the network's answer may not."""
    basis = response_basis()
    first = look * 2 * DIRECTIONS
    weights = evidence[0, first : first + DIRECTIONS] * basis.spread
    return basis.mean + weights @ basis.directions


@pytest.mark.parametrize("power", [1.3, 1.8, 2.2, 2.8])
def test_the_curve_behind_a_picture_is_found_from_its_edges(power):
    curve = (GRID**power).astype(np.float32)
    display = np.round(apply_response(patches(256), curve) * 255) / np.float32(255)
    usual = np.sqrt(np.mean((response_basis().mean - curve) ** 2))
    for look in (0, 1):
        apart = np.sqrt(np.mean((curve_of(edge_evidence(display), look) - curve) ** 2))
        assert apart < 0.4 * usual, (look, apart, usual)


def test_other_scenes_tell_the_same():
    curve = (GRID**2.4).astype(np.float32)
    found = [curve_of(edge_evidence(apply_response(patches(256, seed), curve)), 1) for seed in range(4)]
    assert np.ptp(found, axis=0).max() < 0.03


def test_a_grey_picture_says_nothing():
    grey = np.repeat(patches(128)[:, :1], 3, axis=1)
    weights, uncertain = np.split(edge_evidence(grey).reshape(len(LOOKS), 2 * DIRECTIONS), 2, axis=1)
    assert (weights == 0).all() and np.allclose(uncertain, 1, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (33, 200)])
def test_a_picture_of_few_pixels_has_an_answer(size):
    evidence = edge_evidence(np.random.default_rng(1).random((2, 3, *size), np.float32))
    assert evidence.shape == (2, COUNT) and np.isfinite(evidence).all()


def test_of_a_large_picture_every_other_pixel_is_looked_at():
    large = np.random.default_rng(2).random((1, 3, 40, LONGER_SIDE + 6), np.float32)
    assert np.array_equal(edge_evidence(large), edge_evidence(large[..., ::2, ::2]))


def test_numpy_and_torch_find_the_same():
    torch = pytest.importorskip("torch", reason="the torch side of it")
    display = np.concatenate([apply_response(patches(96, seed), (GRID**2).astype(np.float32)) for seed in range(2)])
    assert np.allclose(edge_evidence(torch.from_numpy(display)).numpy(), edge_evidence(display), atol=2e-2)
