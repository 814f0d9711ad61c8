"""Pixels as torch tensors: brought there and back exactly, shared with other libraries, computed as numpy's are.

On torch's CPU; those marked `gpu` ask the same of CUDA.
"""

import pickle
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'hdrnodes[train]'")

import hdrnodes
from hdrnodes import transfer
from hdrnodes.clean import clean
from hdrnodes.graph import Graph
from hdrnodes.image import LINEAR, SRGB, STRAIGHT_ALPHA, Image, Window
from hdrnodes.nodes.base import Context, Node
from hdrnodes.nodes.clip_mask import ClipMask
from hdrnodes.nodes.color_space import ColorSpace
from hdrnodes.nodes.dequantize import Dequantize
from hdrnodes.nodes.exposure import Exposure
from hdrnodes.nodes.hallucinate import Hallucinate
from hdrnodes.nodes.inverse_crf import InverseCRF, _channels_that_tell
from hdrnodes.nodes.refine import Refine
from hdrnodes.nodes.tone_map import ToneMap
from hdrnodes.pipeline import add_stages

ALL_CODES = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, needs_cuda])]


def plate(count=3, colorspace=SRGB, seed=0, **about):
    random = np.random.default_rng(seed)
    pixels = np.minimum(random.random((33, 41, count), np.float32) * np.float32(1.2), 1)
    pixels[:4] = 1
    return Image(pixels, colorspace=colorspace, **about)


def assert_same_but_for_rounding(one, other):
    assert (one.channels, one.colorspace, one.bits) == (other.channels, other.colorspace, other.bits)
    assert (one.data_window, one.display_window) == (other.data_window, other.display_window)
    assert one.metadata == other.metadata
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=1e-6, rtol=1e-6)


@pytest.fixture
def moved(monkeypatch):
    """The types of what went to a device."""
    types, move = [], transfer.moved

    def moved(array, device):
        types.append(transfer.type_of(array))
        return move(array, device)

    monkeypatch.setattr(transfer, "moved", moved)
    return types


# There and back


@pytest.mark.parametrize("device", DEVICES)
def test_an_8_bit_plate_travels_as_codes_and_is_the_same_bit_for_bit(device, moved):
    image = Image.from_array(ALL_CODES)
    there = image.to_device(device)
    assert moved == ["uint8"]
    assert there.pixels.dtype == torch.float32 and there.device == torch.device(there.pixels.device)
    np.testing.assert_array_equal(there.to_host().pixels.view(np.uint32), image.pixels.view(np.uint32))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_codes_are_the_same_pixels_wherever_they_become_them(device, dtype):
    codes = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1, 1)
    here, there = Image.from_array(codes), Image.from_array(codes, device=device)
    np.testing.assert_array_equal(there.to_host().pixels, here.pixels)
    assert (there.bits, there.device.type) == (here.bits, device)


@pytest.mark.parametrize("worst", [np.float32(0.5), np.float32(np.nan), np.float32(-1), np.nextafter(np.float32(1), 2)])
def test_what_is_no_code_any_more_travels_as_it_is(worst, moved):
    pixels = Image.from_array(np.tile(ALL_CODES, (40, 40, 1))).pixels.copy()
    pixels[333, 444, 1] = worst
    there = Image(pixels, bits=8).to_device("cpu")
    assert moved == ["float32"]
    np.testing.assert_array_equal(there.to_host().pixels, pixels)


def test_what_is_there_already_stays():
    there = plate().to_device("cpu")
    assert there.to_device("cpu") is there
    here = plate()
    assert here.to_host() is here


@pytest.mark.parametrize("device", DEVICES)
def test_halves_are_rounded_once_and_what_they_cannot_hold_is_counted(device):
    pixels = np.float32([[[0.1, 1 / 3, 60000], [1e-7, 2.5, 0], [-70000, 1e9, np.inf]]])
    halves, beyond = transfer.halves(Image(pixels).to_device(device).pixels)
    np.testing.assert_array_equal(halves, pixels.clip(-65504, 65504).astype(np.float16))
    assert halves.dtype == np.float16 and beyond == 3


@needs_cuda
@pytest.mark.gpu
def test_cuda_memory_is_shared_in_and_out():
    class ByInterface:
        def __init__(self, tensor):
            self.__cuda_array_interface__ = tensor.__cuda_array_interface__

    tensor = torch.rand(8, 9, 3, device="cuda")
    for source in (tensor, ByInterface(tensor)):
        image = Image.from_array(source)
        assert image.pixels.data_ptr() == tensor.data_ptr()
        assert image.__cuda_array_interface__["data"][0] == tensor.data_ptr()


# Other libraries


class ByDlpack:
    """An array of a library that hdrnodes does not know."""

    def __init__(self, array):
        self.__dlpack__, self.__dlpack_device__ = array.__dlpack__, array.__dlpack_device__


def test_memory_is_shared_with_who_hands_it_in():
    array = np.random.default_rng(0).random((4, 5, 3), np.float32)
    tensor = torch.from_numpy(array)
    for source in (array, ByDlpack(array), ByDlpack(tensor)):
        assert np.shares_memory(Image.from_array(source).pixels, array)
    image = Image.from_array(tensor)
    assert image.device == torch.device("cpu") and image.pixels.data_ptr() == tensor.data_ptr()


def test_memory_is_shared_with_who_takes_it():
    there = plate().to_device("cpu")
    assert torch.from_dlpack(there).data_ptr() == there.pixels.data_ptr()
    assert np.shares_memory(np.from_dlpack(there), there.pixels.numpy())
    np.testing.assert_array_equal(np.asarray(there), plate().pixels)
    np.testing.assert_array_equal(np.array(there, np.float64), plate().pixels)
    assert not hasattr(there, "__cuda_array_interface__")


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Image(torch.zeros(2, 3, 3, dtype=torch.int32)), TypeError, "int32; give floats"),
        (lambda: Image(torch.zeros(3)), ValueError, r"shape \(3,\); give H x W x C"),
        (lambda: Image(torch.zeros(2, 3, 3)).with_rgb(torch.zeros(3, 2, 3)), ValueError, "keep the size"),
    ],
)
def test_what_does_not_fit_is_refused_as_of_numpy(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_tensors_of_other_types_and_with_gradients_become_plain_float32():
    for tensor in (torch.rand(2, 3, 3, dtype=torch.float64), torch.rand(2, 3, 3, requires_grad=True)):
        image = Image.from_array(tensor)
        assert image.pixels.dtype == torch.float32 and not image.pixels.requires_grad


def test_they_travel_to_other_processes_as_numpy():
    there = plate(metadata={"Make": "X"}).to_device("cpu")
    back = pickle.loads(pickle.dumps(there))
    assert back.device is None and back.metadata == {"Make": "X"}
    np.testing.assert_array_equal(back.pixels, plate().pixels)


# Channels


@pytest.mark.parametrize(
    "channels", [("Y",), ("Y", "A"), ("R", "G", "B"), ("B", "G", "R"), ("A", "B", "G", "R", "Z"), ("A", "Y", "depth.Z")]
)
def test_channels_are_found_and_replaced_as_in_numpy(channels):
    here = plate(len(channels), channels=channels, bits=8, data_window=Window(3, -2, 41, 33))
    there = here.to_device("cpu")
    np.testing.assert_array_equal(there.rgb.numpy(), here.rgb)
    assert there.colour_range == here.colour_range
    rgb = 1 + plate(3, seed=1).pixels
    expected = here.with_rgb(rgb, LINEAR)
    for given in (rgb, torch.from_numpy(rgb.copy())):
        for image in (here, there):
            changed = image.with_rgb(given, LINEAR)
            assert (changed.device is None) == (image.device is None)
            assert_same_but_for_rounding(changed, expected)


def test_bad_values_are_counted_and_replaced_as_in_numpy():
    pixels = plate(4).pixels.copy()
    pixels[3, 4], pixels[7, 8, 0], pixels[9, 9, 3] = [np.nan, np.inf, -1, 0.5], -np.inf, np.nan
    here, counts = clean(Image(pixels))
    there, same_counts = clean(Image(pixels).to_device("cpu"))
    assert counts == same_counts == {"nan": 1, "infinite": 1, "negative": 2}
    np.testing.assert_array_equal(there.pixels.numpy(), here.pixels)


# Nodes

WAYS = [
    Dequantize(),
    Dequantize(strength=0.3),
    InverseCRF(),
    InverseCRF(per_channel=True),
    InverseCRF(curve="bt709"),
    Hallucinate(threshold=0.5),
    Hallucinate(output="mask"),
    Refine(),
    Refine(strength=0.4),
    Exposure(stops=-1.5),
    ClipMask(threshold=0.4),
    ToneMap(),
    ToneMap(operator="reinhard", exposure=2),
    ToneMap(operator="clip"),
]
PLATES = {
    "RGB": plate(),
    "grey": plate(1),
    "RGBA": plate(4, metadata={"Make": "X"}, data_window=Window(3, -2, 41, 33), display_window=Window(0, 0, 64, 64)),
    "straight RGBA": plate(4, metadata={STRAIGHT_ALPHA: 1}),
    "layers": plate(5, channels=("A", "B", "G", "R", "Z")),
    "linear": plate(colorspace=LINEAR),
    "linear, brightened": replace(
        plate(colorspace=LINEAR).with_rgb(3 * plate().pixels), curves=np.linspace(0, 1, 1024)
    ),
    "bad values": Image(np.where(plate().pixels > 0.9, np.nan, plate().pixels)),
}


@pytest.mark.parametrize("image", PLATES.values(), ids=PLATES.keys())
@pytest.mark.parametrize("node", WAYS, ids=repr)
def test_a_node_computes_the_same_and_leaves_the_pixels_there(node, image, tiny_context):
    here = node.process({"image": image}, tiny_context)
    there = node.process({"image": image.to_device("cpu")}, tiny_context)
    if node.name != "ToneMap" or image.colorspace == LINEAR:  # others go through OCIO first, which computes on the CPU
        assert there.device == torch.device("cpu")
    assert_same_but_for_rounding(there, here)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("image", PLATES.values(), ids=PLATES.keys())
def test_the_whole_chain_gives_the_same(image, device, tiny_context):
    here = hdrnodes.reconstruct(image, context=tiny_context)
    there = hdrnodes.reconstruct(image.to_device(device), context=tiny_context)
    assert there.device.type == device
    if device == "cpu":
        assert_same_but_for_rounding(there, here)
    else:
        np.testing.assert_allclose(np.asarray(there), here.pixels, rtol=1e-4, atol=1e-5)


def test_pixels_are_brought_once_and_stay_until_a_node_needs_numpy(tiny_context, moved):
    class Film(Node):
        """A studio's node, which knows of numpy alone."""

        def process(self, inputs, context):
            image = inputs["image"]
            assert isinstance(image.pixels, np.ndarray)
            return image.with_rgb(np.sqrt(image.rgb))

    graph = Graph(inputs=["image"])
    stages = add_stages(graph, "image")
    film = graph.add(Film(), image=graph.add(Exposure(stops=1), image=stages))
    graph.add(ClipMask(), image=film)
    there = replace(tiny_context, device="cpu")
    kept = graph.run(there, {"image": Image.from_array(ALL_CODES)}, keep=(*graph.steps,))
    assert moved == ["uint8"]
    assert [kept[name].device is None for name in graph.steps] == [False] * 5 + [True] * 2
    moved.clear()
    here = graph.run(tiny_context, {"image": Image.from_array(ALL_CODES)})
    assert moved == []
    assert_same_but_for_rounding(kept["clip_mask"], here["clip_mask"])


@pytest.mark.parametrize(("lowest", "spread", "tells"), [(0.5, 0.015, False), (0.5, 0.018, True), (0.999, 1, False)])
def test_which_channels_tell_is_found_where_the_pixels_are(lowest, spread, tells):
    pixels = plate().pixels.copy()
    pixels[..., 1] = lowest + spread * np.linspace(0, 1, 33, dtype=np.float32)[:, None]
    expected = [True, tells, True]
    assert _channels_that_tell(pixels).tolist() == _channels_that_tell(torch.from_numpy(pixels)).tolist() == expected


def test_refine_is_fed_from_both_places(tiny_context):
    linear = plate(colorspace=LINEAR)
    images = {"image": linear.to_device("cpu"), "linear": linear, "dequantized": plate(seed=2)}
    result = Refine().process(images, tiny_context)
    expected = Refine().process({name: image.to_host() for name, image in images.items()}, tiny_context)
    assert_same_but_for_rounding(result, expected)


def test_without_a_gpu_pixels_stay_in_the_cpus_memory(tiny_context):
    assert tiny_context.on_device(plate()).device is None


def test_the_result_is_where_the_source_was(tiny_context):
    there = replace(tiny_context, device="cpu")
    assert hdrnodes.reconstruct(ALL_CODES, context=there).device is None
    assert hdrnodes.reconstruct(torch.from_numpy(ALL_CODES), context=tiny_context).device == torch.device("cpu")
    assert hdrnodes.reconstruct(Image.from_array(ALL_CODES), context=there, colorspace="ACEScg").device is None


@pytest.mark.parametrize("channels", [("R", "G", "B"), ("R", "G", "B", "Z")])
def test_what_half_cannot_hold_is_said_of_tensors_too(channels, tmp_path, caplog):
    pixels = 1e5 * plate(len(channels)).pixels
    for image in (here := Image(pixels, channels, LINEAR), here.to_device("cpu")):
        hdrnodes.write(image, tmp_path / "a.exr", overwrite=True)
        colours = hdrnodes.read(tmp_path / "a.exr").rgb
        np.testing.assert_array_equal(colours, here.rgb.clip(0, 65504).astype(np.float16))
    assert len(caplog.messages) == 2 and len(set(caplog.messages)) == 1
    assert f"{(here.rgb > 65504).sum()} values beyond half's largest" in caplog.messages[0]


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_codes_of_a_file_are_brought_upright(orientation, tmp_path, moved):
    about = {"metadata": {"Orientation": orientation}, "bits": 8}
    for name, codes in (("a.jpg", ALL_CODES), ("a.png", np.concatenate([ALL_CODES, ALL_CODES[..., :1]], axis=2))):
        hdrnodes.write(replace(Image.from_array(codes), **about), tmp_path / name)
        here = hdrnodes.read(tmp_path / name)
        there = hdrnodes.read(tmp_path / name, device="cpu")
        assert there.device is not None and there.colour_bounds == (0, 1)
        assert_same_but_for_rounding(there, here)
    assert moved == ["uint8"] * 2


def test_a_file_of_other_than_codes_is_read_as_ever(tmp_path):
    hdrnodes.write(plate(3, LINEAR), tmp_path / "a.exr")
    assert hdrnodes.read(tmp_path / "a.exr", device="cpu").device is None


@pytest.mark.parametrize("name", ["a.exr", "a.tif"])
def test_they_are_written_and_converted_as_numpys_are(name, tiny_context, tmp_path):
    image = replace(plate(4, LINEAR), metadata={"Make": "X"})
    there = image.to_device("cpu")
    hdrnodes.write(image, tmp_path / f"here-{name}")
    hdrnodes.write(there, tmp_path / f"there-{name}")
    here, back = (hdrnodes.read(tmp_path / f"{where}-{name}") for where in ("here", "there"))
    np.testing.assert_array_equal(here.pixels, back.pixels)
    inputs = tiny_context.given_to(ColorSpace(to="ACEScg"), {"image": there})
    converted = ColorSpace(to="ACEScg").process(inputs, tiny_context)
    assert_same_but_for_rounding(converted, ColorSpace(to="ACEScg").process({"image": image}, tiny_context))
    assert Context().given_to(Exposure(), {"image": there})["image"] is there
