"""Exposure, ClipMask, ToneMap, ColorSpace: their arithmetic."""

import numpy as np
import pytest

from hdrnodes.errors import KnobError
from hdrnodes.image import LINEAR, SRGB, Image
from hdrnodes.nodes.clip_mask import ClipMask
from hdrnodes.nodes.color_space import ColorSpace, convert
from hdrnodes.nodes.exposure import Exposure
from hdrnodes.nodes.tone_map import ToneMap, encode_srgb


def linear(*values):
    return Image(np.float32(values).reshape(1, -1, 3), colorspace=LINEAR)


def test_a_stop_doubles_the_light(hdrnodes_context):
    result = Exposure(stops=-1).process({"image": linear(0, 1, 50)}, hdrnodes_context)
    np.testing.assert_array_equal(result.pixels, [[[0, 0.5, 25]]])


def test_no_stops_give_the_same_picture(hdrnodes_context):
    plate = linear(1, 2, 3)
    assert Exposure().process({"image": plate}, hdrnodes_context) is plate


def test_a_mask_is_the_same_in_all_channels_and_goes_by_the_brightest(hdrnodes_context):
    plate = linear(0.1, 0.75, 0.2, 0.4, 0.5, 0.1, 7, 0, 0)
    mask = ClipMask(threshold=0.5).process({"image": plate}, hdrnodes_context)
    np.testing.assert_array_equal(mask.pixels, [[[0.5] * 3, [0] * 3, [1] * 3]])


@pytest.mark.parametrize("operator", ["clip", "reinhard", "filmic"])
def test_tone_mapping_rises_from_black_to_white(operator, hdrnodes_context):
    grey = np.repeat(np.linspace(0, 16, 200, dtype=np.float32)[None, :, None], 3, axis=2)
    node = ToneMap(operator=operator, white=16)
    result = node.process({"image": Image(grey, colorspace=LINEAR)}, hdrnodes_context)
    steps = np.diff(result.pixels[0, :, 0])
    assert result.colorspace == SRGB
    assert steps.min() >= (0 if operator == "clip" else 1e-5)
    np.testing.assert_allclose(result.pixels[0, [0, -1], 0], [0, 1], atol=1e-6)


def test_reinhard_is_equation_4(hdrnodes_context):
    node = ToneMap(operator="reinhard", white=4, exposure=1)
    result = node.process({"image": linear(1, 1, 1)}, hdrnodes_context)
    expected = 2 * (1 + 2 / 16) / (1 + 2)
    np.testing.assert_allclose(result.pixels[0, 0], encode_srgb(np.float32([expected] * 3)), rtol=1e-6)


def test_clip_shows_what_the_plate_showed(hdrnodes_context):
    plate = linear(0.18, 0.5, 3)
    result = ToneMap(operator="clip").process({"image": plate}, hdrnodes_context)
    np.testing.assert_allclose(result.pixels[0, 0], [0.46135613, 0.7353569, 1], rtol=1e-5)


def test_our_srgb_is_ocios():
    ramp = Image(np.linspace(0, 1, 300, dtype=np.float32).reshape(1, -1, 3), colorspace=LINEAR)
    np.testing.assert_allclose(encode_srgb(ramp.pixels), convert(ramp, SRGB).pixels, atol=2e-5)


def test_color_space_goes_through_ocio_and_back(hdrnodes_context):
    plate = linear(0.2, 0.5, 4)
    acescg = ColorSpace(to="ACEScg").process({"image": plate}, hdrnodes_context)
    assert acescg.colorspace == "ACEScg"
    # ITU-R BT.709 to AP1, Bradford adaptation D65 to ACES white: rows of the matrix that ACES publishes.
    matrix = [[0.6131, 0.3395, 0.0474], [0.0702, 0.9164, 0.0135], [0.0206, 0.1096, 0.8698]]
    np.testing.assert_allclose(acescg.pixels[0, 0], matrix @ plate.pixels[0, 0], atol=1e-3)
    back = ColorSpace(to=LINEAR).process({"image": acescg}, hdrnodes_context)
    np.testing.assert_allclose(back.pixels, plate.pixels, rtol=1e-4)


def test_source_says_what_a_picture_is_taken_for(hdrnodes_context):
    plate = linear(0.5, 0.5, 0.5)
    result = ColorSpace(source=SRGB, to=LINEAR).process({"image": plate}, hdrnodes_context)
    np.testing.assert_allclose(result.pixels, 0.21404114, atol=1e-5)  # OCIO interpolates


def test_colours_under_alpha_are_converted_as_unmultiplied_ones():
    half_covered = Image(np.float32([[[0.25, 0.25, 0.25, 0.5]]]), colorspace=LINEAR)
    full = Image(np.float32([[[0.5, 0.5, 0.5, 1]]]), colorspace=LINEAR)
    np.testing.assert_allclose(convert(half_covered, SRGB).rgb, convert(full, SRGB).rgb / 2, rtol=1e-6)


@pytest.mark.parametrize("name", ["ACESgc", "acescgg"])
def test_an_unknown_colour_space_is_answered_with_near_names(name):
    with pytest.raises(KnobError, match=f"colour space {name}: is not in .* ocio://default; did you mean .*ACEScg"):
        convert(linear(1, 1, 1), name)


def test_a_config_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("OCIO", "/none/config.ocio")
    with pytest.raises(KnobError, match=r"\$OCIO /none/config.ocio: .*; correct it, or unset it"):
        convert(linear(1, 1, 1), "ACEScg")
