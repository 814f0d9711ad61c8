"""Tiles: they cover a frame, start where networks want them to, and join without a trace."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hdrnodes.reduce import reduce
from hdrnodes.runtime.tiles import in_batches, join, least_tile, spans, tile_grid


@settings(max_examples=300, deadline=None)
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
    assert max(span.length for span in row) <= max(tile, least_tile(halo, multiple))
    # One shape to compile for, and of frames that are no multiple a second, that a multiple would make the first.
    lengths = {span.length for span in row[:-1]}
    assert len(lengths) <= 1
    assert not lengths or 0 <= min(lengths) - row[-1].length == -size % multiple


@pytest.mark.parametrize(("size", "tile", "lengths"), [(4000, 2048, 1440), (3000, 2048, 1584), (2048, 2048, 2048)])
def test_tiles_are_no_longer_than_the_frame_needs(size, tile, lengths):
    assert {span.length for span in spans(size, tile, halo=64, multiple=16)[:-1] or spans(size, tile, 64, 16)} == {
        lengths
    }


def array(frame, kind):
    return frame if kind == "numpy" else pytest.importorskip(kind).from_numpy(frame)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 300), width=st.integers(1, 300), tile=st.integers(1, 150), batch=st.integers(1, 5))
def test_joined_tiles_are_the_frame(kind, height, width, tile, batch):
    frame = array(np.random.default_rng(height).random((height, width, 3), np.float32), kind)
    grid = tile_grid(height, width, tile, halo=5, multiple=4)
    whole = 0 * frame
    batches = in_batches(grid, batch)
    assert [place for places in batches for place in places] == grid
    assert all(len({(y.length, x.length) for y, x in places}) == 1 and len(places) <= batch for places in batches)
    join(whole, grid, batches, lambda places: [frame[y.first : y.last, x.first : x.last] for y, x in places])
    np.testing.assert_allclose(np.asarray(whole), np.asarray(frame), atol=1e-6)


def test_tiles_fade_into_each_other():
    """Two networks that disagree leave a ramp, no step."""
    grid = tile_grid(8, 300, 200, halo=10, multiple=1)
    whole = np.zeros((8, 300, 1), np.float32)
    join(whole, grid, in_batches(grid, 1), lambda places: [np.full((8, x.length, 1), x.first) for _, x in places])
    row = whole[3, :, 0]
    assert (row[0], row[-1]) == (0, grid[1][1].first)
    assert 0 < np.diff(row).max() < 0.1 * row[-1]


def test_a_tile_that_is_not_computed_is_zero():
    grid = tile_grid(400, 400, 150, halo=0, multiple=1)
    first_row = [place for place in grid if not place[0].first]
    whole = np.zeros((400, 400, 3), np.float32)
    join(whole, grid, in_batches(first_row, 2), lambda places: [np.ones((y.last, x.length, 3)) for y, x in places])
    np.testing.assert_allclose(whole[:90], 1, atol=1e-6)
    assert (whole[-100:] == 0).all()


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("shape", [(333, 517), (517, 40), (1000, 7)], ids=str)
def test_reducing_averages_areas_as_torch_does(shape, kind):
    torch = pytest.importorskip("torch", reason="torch is the reference")
    frame = np.random.default_rng(3).random((*shape, 3), np.float32)
    small = reduce(array(frame, kind), 100)
    assert isinstance(small, np.ndarray if kind == "numpy" else torch.Tensor)
    assert max(small.shape[:2]) == 100
    planar = torch.from_numpy(frame).permute(2, 0, 1)[None]
    theirs = torch.nn.functional.interpolate(planar, small.shape[:2], mode="area")[0].permute(1, 2, 0)
    np.testing.assert_allclose(small, theirs.numpy(), atol=1e-6)


def test_small_pictures_are_not_reduced():
    frame = np.ones((20, 30, 3), np.float32)
    assert reduce(frame, 100) is frame
    assert reduce(frame, 0) is frame
