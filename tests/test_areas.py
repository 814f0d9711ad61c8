"""What is looked at of large pictures."""

import numpy as np
import pytest

from hdrnodes.camera.areas import ALONG, BETWEEN, LONGER_SIDE, areas
from hdrnodes.camera.edges import edge_evidence
from hdrnodes.camera.noise_levels import noise_by_level
from hdrnodes.camera.transitions import transitions_by_level


def numbered(height, width):
    """Every pixel knows where it is: its row, its column."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32) / 10_000
    return np.stack([rows, columns])[None]


def test_a_picture_that_is_not_large_is_looked_at_as_it_is():
    picture = numbered(700, LONGER_SIDE)
    assert areas(picture) is picture


@pytest.mark.parametrize("size", [(1025, 1025), (2400, 1600), (40, 1030), (2, 5000), (3000, 4000)])
def test_of_a_large_one_there_are_pixels_from_all_over_it_side_by_side_as_they_were(size):
    seen = areas(numbered(*size))
    assert max(seen.shape[-2:]) <= LONGER_SIDE
    between = (seen == 1).all(axis=(0, 1))
    # Neighbours in an area were neighbours in the picture.
    for axis in (0, 1):
        step = np.diff(seen[0, axis] * 10_000, axis=axis)
        inside = ~(between | np.roll(between, -1, axis))[tuple(slice(n) for n in step.shape)]
        assert inside.any() or seen.shape[2 + axis] <= ALONG + (ALONG - 1) * BETWEEN
        np.testing.assert_allclose(step[inside], 1, atol=0.01)
    rows, columns = (seen[0, axis][~between] * 10_000 for axis in (0, 1))
    assert rows.min() < 1 and columns.min() < 1
    np.testing.assert_allclose([rows.max(), columns.max()], np.array(size) - 1, atol=0.1)


def test_torch_looks_at_the_same():
    torch = pytest.importorskip("torch", reason="the torch side of it")
    picture = numbered(1500, 1100)
    assert np.array_equal(areas(torch.from_numpy(picture)).numpy(), areas(picture))


def test_where_areas_meet_nothing_is_told():
    # Each a colour of its own: edges, and much contrast, but only where they meet.
    part = (LONGER_SIDE - 2 * BETWEEN) // 3
    seen = areas(np.zeros((1, 3, 1800, 1800), np.float32))
    colours = np.random.default_rng(1).uniform(0.1, 0.9, (3, 3, 3)).astype(np.float32)
    for down in range(3):
        for along in range(3):
            at = (slice(down * (part + BETWEEN), None), slice(along * (part + BETWEEN), None))
            area = seen[0, :, at[0], at[1]][:, :part, :part]
            area[...] = colours[down, along][:, None, None]
    assert (seen == 1).any() and not (seen == 0).any()
    assert np.array_equal(edge_evidence(seen), edge_evidence(np.full((1, 3, 64, 64), 0.5, np.float32)))
    told = transitions_by_level(seen)
    assert np.array_equal(told, np.zeros_like(told))
    assert noise_by_level(seen)[0, :32].max() <= 0  # as silent as can be
