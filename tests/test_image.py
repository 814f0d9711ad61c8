import pickle

import numpy as np
import pytest

from hdrnodes.clean import clean
from hdrnodes.image import LINEAR, SRGB, STRAIGHT_ALPHA, Image, Window


def ramp(*shape):
    return np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (1, ("Y",)),
        (2, ("Y", "A")),
        (3, ("R", "G", "B")),
        (4, ("R", "G", "B", "A")),
        (6, ("R", "G", "B", "A", "C4", "C5")),
    ],
)
def test_channels_are_named_from_their_number(count, names):
    assert Image(ramp(2, 3, count)).channels == names


def test_pixels_are_shared_with_the_callers_array_and_cannot_be_written_through_the_image():
    array = ramp(2, 3, 3)
    image = Image(array)
    assert np.shares_memory(image.pixels, array) and array.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0, 0] = 2


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Image(np.zeros((2, 3, 3), np.uint8)), TypeError, "uint8; give floats"),
        (lambda: Image(np.zeros((2,), np.float32)), ValueError, r"shape \(2,\); give H x W x C"),
        (lambda: Image(np.zeros((0, 3, 3), np.float32)), ValueError, "each at least 1"),
        (lambda: Image(ramp(2, 3, 3), channels=("R", "G")), ValueError, "a name of its own"),
        (lambda: Image(ramp(2, 3, 2), channels=("R", "R")), ValueError, "a name of its own"),
        (lambda: Image(ramp(2, 3, 3), data_window=(0, 0, 2, 2)), ValueError, "3 x 2 pixels do not fill"),
        (lambda: Image(ramp(2, 3, 3), colorspace=""), ValueError, "the colour space has no name"),
        (lambda: Image(ramp(2, 3, 3)).with_rgb(ramp(3, 2, 3)), ValueError, "keep the size"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(("dtype", "top", "bits"), [(np.uint8, 255, 8), (np.uint16, 65535, 16)])
def test_code_values_become_0_to_1(dtype, top, bits):
    image = Image.from_array(np.array([[[0, top, top // 5]]], dtype))
    np.testing.assert_array_equal(image.pixels, np.float32([[[0, 1, 0.2]]]))
    assert image.bits == bits


def test_grey_is_expanded_and_becomes_rgb_and_keeps_its_alpha_and_depth():
    image = Image(ramp(2, 3, 3), channels=("A", "Y", "depth.Z"), metadata={"Make": "X"}, bits=8)
    assert image.rgb.shape == (2, 3, 3)
    np.testing.assert_array_equal(image.rgb[..., 2], image.pixels[..., 1])
    coloured = image.with_rgb(1 + ramp(2, 3, 3), LINEAR)
    assert coloured.channels == ("A", "R", "G", "B", "depth.Z")
    np.testing.assert_array_equal(coloured.rgb, 1 + ramp(2, 3, 3))
    np.testing.assert_array_equal(coloured.alpha, image.alpha)
    np.testing.assert_array_equal(coloured.pixels[..., -1], image.pixels[..., -1])
    assert (coloured.colorspace, dict(coloured.metadata), coloured.bits) == (LINEAR, {"Make": "X"}, 8)


def test_colours_go_where_their_names_are_without_a_fourth_channel_too():
    image = Image(ramp(2, 3, 3), channels=("B", "G", "R"))
    coloured = image.with_rgb(1 + ramp(2, 3, 3))
    np.testing.assert_array_equal(coloured.rgb, 1 + ramp(2, 3, 3))
    np.testing.assert_array_equal(coloured.pixels, 1 + ramp(2, 3, 3)[..., ::-1])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("R", "G"), ("R", "G", "B", "G.1")),  # what OpenImageIO calls two channels without names
        (("r", "Y"), ("r.0", "R", "G", "B")),
        (("Y", "Red", "depth.R"), ("R", "G", "B", "Red.1", "depth.R")),
        (("Z.R", "Z.G"), ("Z.R", "Z.G", "Z.B", "Z.G.1")),
    ],
    ids=str,
)
def test_an_extra_channel_that_is_called_like_a_colour_makes_room_for_it(before, after):
    image = Image(ramp(2, 3, len(before)), channels=before)
    coloured = image.with_rgb(1 + ramp(2, 3, 3))
    assert coloured.channels == after
    np.testing.assert_array_equal(coloured.rgb, 1 + ramp(2, 3, 3))


def test_rgb_is_found_by_name_in_any_order_and_in_a_layer():
    shuffled = Image(ramp(1, 2, 5), channels=("A", "B", "G", "R", "Z"))
    np.testing.assert_array_equal(shuffled.rgb, shuffled.pixels[..., [3, 2, 1]])
    other = shuffled.with_rgb(shuffled.rgb * 2)
    np.testing.assert_array_equal(other.pixels, shuffled.pixels * np.float32([1, 2, 2, 2, 1]))
    layered = Image(ramp(1, 2, 5), channels=("Z", "beauty.R", "beauty.G", "beauty.B", "beauty.A"))
    assert np.shares_memory(layered.rgb, layered.pixels)
    np.testing.assert_array_equal(layered.rgb, layered.pixels[..., 1:4])
    np.testing.assert_array_equal(layered.alpha, layered.pixels[..., 4:])


def test_it_travels_to_other_processes():
    image = Image(ramp(2, 3, 3), metadata={"Make": "X"}, data_window=Window(1, 2, 3, 2), curves=ramp(1024))
    back = pickle.loads(pickle.dumps(image))
    np.testing.assert_array_equal(back.pixels, image.pixels)
    assert (back.metadata, back.data_window) == (image.metadata, image.data_window)
    assert back.curves.shape == (1, 1024)


def test_it_becomes_an_array_without_a_copy_and_a_dlpack_tensor():
    image = Image(ramp(2, 3, 3))
    assert np.shares_memory(np.asarray(image), image.pixels)
    np.testing.assert_array_equal(np.from_dlpack(image), image.pixels)
    torch = pytest.importorskip("torch")
    np.testing.assert_array_equal(torch.from_dlpack(image).numpy(), image.pixels)


@pytest.mark.parametrize(
    ("name", "linear"),
    [
        (SRGB, False),
        (LINEAR, True),
        ("ACEScg", True),
        ("ACEScct", False),
        ("linear", True),
        ("sRGB - Display", False),
        ("no such space", False),
    ],
)
def test_linear_is_what_ocio_says(name, linear):
    assert Image(ramp(1, 1, 3), colorspace=name).is_linear is linear


def test_ocio_knows_our_names_as_what_we_take_them_for():
    from OpenImageIO import ColorConfig

    config = ColorConfig("ocio://default")
    assert config.resolve(SRGB) == "sRGB Encoded Rec.709 (sRGB)"
    assert config.resolve(LINEAR) == "Linear Rec.709 (sRGB)"


def test_clean_replaces_counts_and_leaves_depth_alone():
    pixels = np.float32([[[np.nan, np.inf, -1, np.inf], [0.5, 3, -0.0, np.nan]]])
    image, counts = clean(Image(pixels, channels=("R", "G", "B", "Z")))
    np.testing.assert_array_equal(image.pixels, np.float32([[[0, 3, 0, np.inf], [0.5, 3, 0, np.nan]]]))
    assert counts == {"nan": 1, "infinite": 1, "negative": 1}


@pytest.mark.parametrize("worst", [np.nan, np.inf, -np.inf])
def test_clean_knows_images_of_nothing_else(worst):
    image, counts = clean(Image(np.full((2, 2, 3), worst, np.float32)))
    assert np.isfinite(image.pixels).all() and image.pixels.min() >= 0 and sum(counts.values()) == 12


def test_clean_gives_the_same_image_where_there_is_nothing_to_do():
    image = Image(np.float32([[[-0.0, 0, 1]]]))
    assert clean(image) == (image, {})


def test_alpha_beside_codes_is_straight_and_beside_floats_associated():
    codes = np.full((2, 2, 4), 128, np.uint8)
    assert Image.from_array(codes).metadata[STRAIGHT_ALPHA] == 1
    assert STRAIGHT_ALPHA not in Image.from_array(codes / np.float32(255)).metadata
    assert Image.from_array(codes, metadata={STRAIGHT_ALPHA: 0}).metadata[STRAIGHT_ALPHA] == 0
    assert STRAIGHT_ALPHA not in Image.from_array(codes[..., :3]).metadata
