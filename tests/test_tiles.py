"""Tiles: they cover a frame, start where networks want them to, and join without a trace."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hdrnodes.runtime.reduce import reduce
from hdrnodes.runtime.tiles import join, spans, tile_grid


@settings(max_examples=200, deadline=None)
@given(
    size=st.integers(1, 3000),
    tile=st.integers(1, 700),
    halo=st.integers(0, 80),
    multiple=st.sampled_from([1, 2, 4, 16, 32]),
)
def test_spans_cover_the_frame_with_halos_on_multiples(size, tile, halo, multiple):
    row = spans(size, tile, halo, multiple)
    assert row[0].first == row[0].core_first == 0 and row[-1].last == row[-1].core_last == size
    assert all(span.first % multiple == 0 for span in row)
    assert all(span.core_first - span.first == halo for span in row[1:])
    assert all(span.last - span.core_last == halo for span in row[:-1])
    assert all(one.core_last > other.core_first for one, other in zip(row, row[1:], strict=False))
    assert len({span.last - span.first for span in row[:-1]}) <= 1  # one shape to compile for, and the last


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 300), width=st.integers(1, 300), tile=st.integers(1, 150))
def test_joined_tiles_are_the_frame(height, width, tile):
    frame = np.random.default_rng(height).random((height, width, 3), np.float32)
    grid = tile_grid(height, width, tile, halo=5, multiple=4)
    joined = join(frame.shape, grid, lambda y, x: frame[y.first : y.last, x.first : x.last])
    np.testing.assert_allclose(joined, frame, atol=1e-6)


def test_a_tile_that_is_not_computed_is_zero():
    grid = tile_grid(400, 400, 150, halo=0, multiple=1)
    joined = join((400, 400, 3), grid, lambda y, x: None if y.first else np.ones((y.last, x.last - x.first, 3)))
    np.testing.assert_allclose(joined[:100], 1, atol=1e-6)
    assert (joined[-100:] == 0).all()


@pytest.mark.parametrize("shape", [(333, 517), (517, 40), (1000, 7)], ids=str)
def test_reducing_averages_areas_as_torch_does(shape):
    torch = pytest.importorskip("torch", reason="torch is the reference")
    frame = np.random.default_rng(3).random((*shape, 3), np.float32)
    small = reduce(frame, 100)
    assert max(small.shape[:2]) == 100
    planar = torch.from_numpy(frame).permute(2, 0, 1)[None]
    theirs = torch.nn.functional.interpolate(planar, small.shape[:2], mode="area")[0].permute(1, 2, 0)
    np.testing.assert_allclose(small, theirs.numpy(), atol=1e-6)


def test_small_pictures_are_not_reduced():
    frame = np.ones((20, 30, 3), np.float32)
    assert reduce(frame, 100) is frame
