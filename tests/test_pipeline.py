"""The main job: what goes in, which knobs it takes, and that it is the four nodes, one after the other."""

import json

import numpy as np
import pytest
from OpenImageIO import ImageBuf

import hdrnodes
from hdrnodes.errors import KnobError, ReadError
from hdrnodes.graph import Graph
from hdrnodes.image import LINEAR, SRGB, Image
from hdrnodes.nodes.read import Read
from hdrnodes.nodes.write import Write
from hdrnodes.pipeline import STAGES, add_stages, stage_knobs


@pytest.fixture
def codes():
    codes = np.random.default_rng(5).integers(0, 256, (23, 31, 3), np.uint8)
    codes[:4] = 255
    return codes


def test_it_is_the_four_nodes_one_after_the_other(codes, tiny_context):
    plate = Image.from_array(codes)
    dequantized = STAGES["dequantize"]().process({"image": plate}, tiny_context)
    linear = STAGES["inverse_crf"]().process({"image": dequantized}, tiny_context)
    bright = STAGES["hallucinate"]().process({"image": linear}, tiny_context)
    connected = {"image": bright, "linear": linear, "dequantized": dequantized}
    expected = STAGES["refine"]().process(connected, tiny_context)
    result = hdrnodes.reconstruct(codes, context=tiny_context)
    np.testing.assert_array_equal(result.pixels, expected.pixels)
    assert (result.colorspace, result.bits) == (LINEAR, 8)
    assert result.pixels.max() > 1


def test_a_file_an_array_an_imagebuf_and_an_image_give_the_same(codes, tiny_context, tmp_path):
    plate = Image.from_array(codes)
    path = tmp_path / "plate.png"
    hdrnodes.write(plate, path, pixel_type="uint8")
    sources = [codes, codes / np.float32(255), plate, ImageBuf(codes), path, str(path)]
    results = [hdrnodes.reconstruct(source, context=tiny_context).pixels for source in sources]
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 3), (33, 17, 1), (8, 8, 2), (20, 30, 4), (9, 9, 7)], ids=str)
def test_any_size_and_channels_come_back(shape, tiny_context):
    codes = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    result = hdrnodes.reconstruct(codes, context=tiny_context)
    assert (result.height, result.width) == shape[:2]
    assert np.isfinite(result.pixels).all()
    if shape[2] == 4:
        np.testing.assert_array_equal(result.alpha[..., 0], codes[..., 3] / np.float32(255))


@pytest.mark.parametrize("level", [0, 255, 128])
def test_one_tone_gives_a_finite_picture_and_a_line(level, tiny_context, said):
    result = hdrnodes.reconstruct(np.full((9, 9, 3), level, np.uint8), context=tiny_context)
    assert np.isfinite(result.pixels).all()
    assert any("takes sRGB's" in line for line in said)


def test_a_linear_picture_skips_two_stages_and_says_so(tiny_context, said):
    plate = Image(np.full((3, 3, 3), 0.5, np.float32), colorspace=LINEAR)
    hdrnodes.reconstruct(plate, context=tiny_context)
    assert [line.split(",")[0] for line in said] == ["Dequantize: skipped", "InverseCRF: skipped"]


def test_knobs_are_named_as_in_the_nodes_and_those_of_two_by_their_node():
    assert list(stage_knobs()) == [
        "dequantize_strength",
        "dequantize_model",
        "curve",
        "per_channel",
        "scope",
        "inverse_crf_model",
        "threshold",
        "ceiling",
        "output",
        "hallucinate_model",
        "refine_strength",
        "refine_model",
    ]


def test_every_knob_reaches_its_node():
    graph = Graph(inputs=["image"])
    given = {"dequantize_strength": 0.1, "curve": "srgb", "hallucinate_threshold": 0.5, "ceiling": 3, "model": "mine"}
    add_stages(graph, "image", **given, refine_strength=0.2, refine_model="other")
    nodes = [step.node for step in graph.steps.values()]
    assert (nodes[0].strength, nodes[1].curve, nodes[3].strength) == (0.1, "srgb", 0.2)
    assert (nodes[2].threshold, nodes[2].ceiling) == (0.5, 3)
    assert [node.model for node in nodes] == ["mine", "mine", "mine", "other"]


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"treshold": 0.5}, "reconstruct.treshold: there is no such knob; did you mean threshold"),
        ({"strength": 0.5}, "reconstruct.strength: there is no such knob; .*refine_strength"),
        ({"threshold": 1}, "Hallucinate.threshold: 1 is not allowed; give a value from 0 to below 1"),
    ],
)
def test_a_knob_that_is_wrong_is_said_before_anything_is_read(knobs, message, tiny_context):
    with pytest.raises(KnobError, match=message):
        hdrnodes.reconstruct("no such file.jpg", context=tiny_context, **knobs)


def test_a_file_that_is_not_there_is_said(tiny_context, tmp_path):
    with pytest.raises(ReadError, match="none.jpg"):
        hdrnodes.reconstruct(tmp_path / "none.jpg", context=tiny_context)


def test_the_mask_ends_the_chain(codes, tiny_context):
    mask = hdrnodes.reconstruct(codes, context=tiny_context, output="mask")
    np.testing.assert_array_equal(mask.pixels[:4], 1)
    assert mask.pixels.min() == 0


def test_the_result_can_be_had_in_another_colour_space(codes, tiny_context):
    plain = hdrnodes.reconstruct(codes, context=tiny_context)
    acescg = hdrnodes.reconstruct(codes, context=tiny_context, colorspace="ACEScg")
    assert acescg.colorspace == "ACEScg"
    # BT.709 white is AP1 white: greys keep their values.
    np.testing.assert_allclose(acescg.pixels[:2], plain.pixels[:2], rtol=1e-3)


def test_an_exr_says_what_made_it_and_can_be_made_again_from_that(codes, tiny_context, tiny_plugins, tmp_path):
    from hdrnodes.graph_file import from_toml

    plate, result = tmp_path / "plate.png", tmp_path / "plate.exr"
    hdrnodes.write(Image.from_array(codes), plate, pixel_type="uint8")
    graph = Graph()
    last = add_stages(graph, graph.add(Read(path=str(plate))), threshold=0.7)
    graph.add(Write(path=str(result)), image=last)
    graph.run(tiny_context)
    header = hdrnodes.read(result).metadata
    assert header["hdrnodes:version"] == hdrnodes.__version__
    assert header["hdrnodes:models"] == '{"default": "3.1"}'
    assert from_toml(str(header["hdrnodes:graph"]), tiny_plugins).steps == graph.steps


def test_a_result_says_what_made_it_when_it_is_written(codes, tiny_context, tmp_path):
    result = hdrnodes.reconstruct(codes, context=tiny_context, ceiling=3)
    hdrnodes.write(result, tmp_path / "a.exr")
    header = hdrnodes.read(tmp_path / "a.exr").metadata
    assert header["hdrnodes:version"] == hdrnodes.__version__
    assert json.loads(str(header["hdrnodes:knobs"]))["hallucinate"]["ceiling"] == 3
    (model,) = json.loads(str(header["hdrnodes:model_hashes"])).values()
    assert (model["name"], model["version"], len(model["onnx_sha256"])) == ("tiny", "3.1", 4)


def test_images_are_srgb_unless_they_say_otherwise(codes):
    assert Image.from_array(codes).colorspace == SRGB
