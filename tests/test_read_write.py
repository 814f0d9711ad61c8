"""Read and Write: what their knobs do. The reading and writing itself is tested with `hdrnodes.io`."""

import numpy as np
import pytest

from hdrnodes import io
from hdrnodes.errors import KnobError, ReadError, WriteError
from hdrnodes.graph import Graph
from hdrnodes.image import LINEAR, SRGB, Image
from hdrnodes.nodes.base import Context
from hdrnodes.nodes.read import Read
from hdrnodes.nodes.write import Write


@pytest.fixture
def picture():
    return Image(np.full((3, 4, 3), 0.5, np.float32), colorspace=LINEAR)


def test_a_frames_number_stands_in_for_the_pattern(picture, hdrnodes_context, tmp_path):
    for frame in (7, 8):
        io.write(Image(picture.pixels * frame, colorspace=LINEAR), tmp_path / f"plate.{frame:04}.exr")
    graph = Graph.chain(Read(path=f"{tmp_path}/plate.####.exr"), Write(path=f"{tmp_path}/out.%03d.exr"))
    for frame in (7, 8):
        graph.run(hdrnodes_context.at_frame(frame))
    assert io.read(tmp_path / "out.008.exr").pixels.max() == 4
    assert io.read(tmp_path / "out.007.exr").pixels.max() == 3.5


def test_a_path_without_a_pattern_is_every_frames(picture, hdrnodes_context, tmp_path):
    io.write(picture, tmp_path / "still.exr")
    image = Read(path=str(tmp_path / "still.exr")).process({}, hdrnodes_context.at_frame(1001))
    np.testing.assert_array_equal(image.pixels, picture.pixels)


def test_read_can_be_told_what_the_colours_are(picture, hdrnodes_context, tmp_path):
    io.write(picture, tmp_path / "still.exr")
    node = Read(path=str(tmp_path / "still.exr"), colorspace="ACEScg")
    assert node.process({}, hdrnodes_context).colorspace == "ACEScg"


def test_read_refuses_what_is_over_its_limit(picture, hdrnodes_context, tmp_path):
    io.write(picture, tmp_path / "still.exr")
    with pytest.raises(ReadError, match="over the limit of 0.00001 megapixels"):
        Read(path=str(tmp_path / "still.exr"), max_megapixels=1e-5).process({}, hdrnodes_context)


def test_write_converts_the_file_and_hands_the_picture_on(picture, hdrnodes_context, tmp_path):
    path = tmp_path / "out.png"
    node = Write(path=str(path), colorspace=SRGB, pixel_type="uint16")
    assert node.process({"image": picture}, hdrnodes_context) is picture
    np.testing.assert_allclose(io.read(path).pixels, 0.7353569, atol=1e-4)


def test_write_replaces_only_when_told_to(picture, hdrnodes_context, tmp_path):
    path = tmp_path / "out.exr"
    path.write_text("mine")
    with pytest.raises(WriteError, match="exists already"):
        Write(path=str(path)).process({"image": picture}, hdrnodes_context)
    Write(path=str(path), overwrite=True).process({"image": picture}, hdrnodes_context)
    assert io.read(path).width == 4


@pytest.mark.parametrize("node", [Read, Write])
def test_a_path_that_was_not_set_is_a_knob_error(node, picture):
    with pytest.raises(KnobError, match=f"{node.__name__}.path: is empty"):
        node().process({"image": picture}, Context())
