"""Edges tell of the response: the curve that made a picture is found from its colour edges alone."""

import numpy as np
import pytest

from hdrnodes.camera.areas import LONGER_SIDE, areas
from hdrnodes.camera.basis import DIRECTIONS, response_basis
from hdrnodes.camera.edges import (
    COUNT,
    LEAST_CONTRAST,
    LOOKS,
    _strength,
    _strongest_edges,
    edge_evidence,
)
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


def test_of_a_large_picture_areas_are_looked_at():
    large = np.random.default_rng(2).random((1, 3, 40, LONGER_SIDE + 6), np.float32)
    assert np.array_equal(edge_evidence(large), edge_evidence(areas(large)))


def hard(size):
    """Colours of which no two are mixed anywhere: full of contrast, and without one edge to learn from."""
    return (0.1 + 0.8 * np.random.default_rng(3).integers(0, 2, (1, 3, size, size))).astype(np.float32)


PICTURES = {
    "patches": apply_response(np.concatenate([patches(96, seed) for seed in range(2)]), (GRID**2).astype(np.float32)),
    "noise": np.random.default_rng(1).random((1, 3, 80, 300), np.float32),
    "edges from little contrast on": np.where(np.arange(96) < 80, hard(96), 0.4 + 0.3 * patches(96)),
    "hard": hard(64),
}


@pytest.mark.parametrize("display", PICTURES.values(), ids=PICTURES.keys())
@pytest.mark.parametrize("codes", [False, True], ids=["smooth", "codes"])
def test_numpy_and_torch_find_the_same(display, codes):
    """Of codes, many edges are equally strong: both take the same of them."""
    torch = pytest.importorskip("torch", reason="the torch side of it")
    if codes:
        display = np.round(display * 255) / np.float32(255)
    display = display.astype(np.float32)
    assert np.allclose(edge_evidence(torch.from_numpy(display)).numpy(), edge_evidence(display), atol=1e-4)


@pytest.mark.parametrize("distance", [1, 3])
@pytest.mark.parametrize("display", PICTURES.values(), ids=PICTURES.keys())
def test_the_strongest_of_all_triples_are_found(display, distance):
    *sides, is_edge = _strongest_edges(display, distance, 50)
    contrast = np.ptp(sides[2] - sides[0], axis=1) * is_edge
    for picture, found in zip(display, contrast, strict=True):
        strengths = []
        for turned in (picture, picture.swapaxes(1, 2)):
            size = turned.shape[1] - 2 * distance
            steps = [turned[:, at : at + size].reshape(1, 3, -1) for at in (0, distance, 2 * distance)]
            strengths.append(_strength(*steps)[0])
        strongest = np.concatenate(strengths)
        expected = np.sort(strongest[strongest > LEAST_CONTRAST])[::-1][:50]
        np.testing.assert_array_equal(found[: len(expected)], expected)
        assert not found[len(expected) :].any()
