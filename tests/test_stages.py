"""Dequantize, InverseCRF, Hallucinate, Refine: masks, blends, and when they leave a picture alone.

The networks are those of `tiny_model.py`: real ones, whose answers can be worked out by hand.
"""

from dataclasses import replace

import numpy as np
import pytest

from hdrnodes.camera.response import apply_response, invert_response
from hdrnodes.curve import Curve
from hdrnodes.errors import KnobError, ModelError
from hdrnodes.image import LINEAR, SRGB, STRAIGHT_ALPHA, Image
from hdrnodes.nodes.dequantize import Dequantize
from hdrnodes.nodes.hallucinate import Hallucinate
from hdrnodes.nodes.inverse_crf import InverseCRF, estimate_shot_curve
from hdrnodes.nodes.refine import Refine

GRID = np.linspace(0, 1, 1024)


def display(*values, **about):
    return Image(np.float32(values).reshape(1, -1, 3), **about)


def linear(*values):
    return display(*values, colorspace=LINEAR)


def ramp(low=0.0, high=1.0, **about):
    values = np.linspace(low, high, 64, dtype=np.float32).reshape(8, 8, 1)
    return Image(np.repeat(values, 3, axis=2), **about)


def run(node, context, **images):
    return node.process(images, context)


# Dequantize


@pytest.mark.parametrize("strength", [0, 0.25, 1])
def test_dequantize_blends_the_networks_answer(strength, tiny_context):
    plate = display(0, 0.2, 0.6)
    result = run(Dequantize(strength=strength), tiny_context, image=plate)
    expected = plate.pixels + strength * (0.05 - 0.1 * plate.pixels)
    np.testing.assert_allclose(result.pixels, expected, atol=1e-6)
    assert result.colorspace == SRGB


def test_dequantize_leaves_clipped_codes_at_the_top(tiny_context):
    plate = display(1, 254.6 / 255, 254 / 255)
    result = run(Dequantize(), tiny_context, image=plate)
    np.testing.assert_array_equal(result.pixels[0, 0, :2], plate.pixels[0, 0, :2])
    assert result.pixels[0, 0, 2] == pytest.approx(0.9 * 254 / 255 + 0.05)


@pytest.mark.parametrize(
    ("plate", "reason"),
    [
        (display(0.1, 0.2, 0.3, bits=12), "Dequantize: skipped, for the plate has 12 bits a sample"),
        (display(0.1, 0.2, 0.3, bits=16), "Dequantize: skipped, for the plate has 16 bits a sample"),
        (linear(0.1, 0.2, 0.3), "Dequantize: skipped, for the picture is scene-linear"),
    ],
)
def test_dequantize_skips_what_was_never_rounded_and_says_so(plate, reason, tiny_context, said):
    assert run(Dequantize(), tiny_context, image=plate) is plate
    assert said == [reason]


def test_ten_bits_are_dequantized(tiny_context, said):
    result = run(Dequantize(), tiny_context, image=display(0.5, 0.5, 0.5, bits=10))
    np.testing.assert_allclose(result.pixels, 0.5)
    assert said == []


# InverseCRF


def test_an_estimated_curve_is_applied_and_kept_with_the_picture(tiny_context):
    plate = ramp()
    result = run(InverseCRF(), tiny_context, image=plate)
    np.testing.assert_allclose(result.curves, [GRID**1.5], atol=1e-4)
    np.testing.assert_allclose(result.pixels, plate.pixels**1.5, atol=1e-4)
    assert result.colorspace == LINEAR
    assert result.pixels.max() == 1


def test_a_curve_per_channel_is_estimated_from_that_channel_alone(tiny_context):
    colours = ramp().pixels * np.float32([1, 0.5, 0.25])
    result = run(InverseCRF(per_channel=True), tiny_context, image=Image(colours))
    expected = [GRID ** (1 + mean) for mean in (0.5, 0.25, 0.125)]
    np.testing.assert_allclose(result.curves, expected, atol=1e-4)
    for channel in range(3):
        applied = invert_response(colours[..., channel], result.curves[channel])
        np.testing.assert_array_equal(result.pixels[..., channel], applied)


@pytest.mark.parametrize("name", ["srgb", "bt709"])
def test_a_standards_curve_needs_no_network(name, tiny_plugins):
    from hdrnodes.nodes.base import Context

    context = Context(plugins=tiny_plugins)
    plate = ramp()
    result = run(InverseCRF(curve=name), context, image=plate)
    np.testing.assert_array_equal(result.pixels, invert_response(plate.pixels, Curve.named(name).samples))
    assert context.runtime is None


def test_a_curve_that_was_saved_is_given_back(tiny_context, tmp_path):
    plate = ramp()
    estimated = run(InverseCRF(), tiny_context, image=plate)
    path = tmp_path / "camera.csv"
    Curve(estimated.curves, source="estimate").save(path)
    again = run(InverseCRF(curve=str(path)), tiny_context, image=plate)
    np.testing.assert_allclose(again.pixels, estimated.pixels, atol=1e-6)


def test_a_curve_name_mistyped_is_a_knob_error(tiny_context):
    with pytest.raises(
        KnobError, match="InverseCRF.curve: 'sgrb' is not allowed; give estimate, srgb, bt709, or a path"
    ):
        run(InverseCRF(curve="sgrb"), tiny_context, image=ramp())


@pytest.mark.parametrize(
    "plate",
    [
        display(0, 0, 0, 0, 0, 0),
        display(1, 1, 1, 1, 1, 1),
        display(0.2, 0.5, 0.7, 0.2, 0.5, 0.7),
        display(0, 1, 0, 1, 0, 1),
        display(0.3, 0.3, 0.3),
    ],
    ids=["black", "white", "one colour", "clipped colours", "1 x 1"],
)
def test_a_plate_without_tones_takes_srgb_and_says_so(plate, tiny_context, said):
    result = run(InverseCRF(), tiny_context, image=plate)
    np.testing.assert_array_equal(result.pixels, invert_response(plate.pixels, Curve.named("srgb").samples))
    assert said == ["InverseCRF: the plate has too few tones to estimate a curve from; takes sRGB's"]


def test_a_linear_picture_passes_unchanged_and_says_so(tiny_context, said):
    plate = linear(0.1, 7, 0)
    assert run(InverseCRF(), tiny_context, image=plate) is plate
    assert said == ["InverseCRF: skipped, for the picture is scene-linear"]


def test_other_primaries_are_kept(tiny_context):
    result = run(InverseCRF(curve="srgb"), tiny_context, image=ramp(colorspace="srgb_p3d65_scene"))
    assert result.colorspace == "lin_p3d65_scene"


def test_a_shot_keeps_the_curve_of_its_first_frame(tiny_context):
    node = InverseCRF(scope="shot")
    first = run(node, tiny_context.at_frame(1001), image=ramp(0, 1))
    second = run(node, tiny_context.at_frame(1002), image=ramp(0, 0.5))
    np.testing.assert_array_equal(first.curves, second.curves)
    own = run(InverseCRF(), tiny_context, image=ramp(0, 0.5))
    assert np.abs(own.curves - second.curves).max() > 0.05


def test_a_curve_estimated_beforehand_is_the_shots(tiny_context, said):
    frames = [ramp(0, 1), ramp(0, 0.5), display(0, 0, 0)]
    curve = estimate_shot_curve([{"image": frame} for frame in frames], tiny_context)
    np.testing.assert_allclose(curve.samples, [(GRID**1.5 + GRID**1.25) / 2], atol=1e-4)
    node = InverseCRF(scope="shot")
    tiny_context.shot_curves[node.shot_key] = curve
    np.testing.assert_array_equal(run(node, tiny_context, image=frames[0]).curves, curve.samples)
    assert said == []


def test_a_shot_without_tones_takes_srgb_and_says_so(tiny_context, said):
    curve = estimate_shot_curve([{"image": display(0, 0, 0)}, {"image": display(1, 1, 1)}], tiny_context)
    np.testing.assert_array_equal(curve.samples, Curve.named("srgb").samples)
    assert len(said) == 1


def test_noise_is_looked_for_in_the_plate_where_that_is_connected(said):
    from hdrnodes.nodes.base import Context

    random = np.random.default_rng(5)
    smooth = np.broadcast_to(np.linspace(0.05, 0.9, 96, dtype=np.float32)[:, None, None], (96, 128, 3))
    noisy = (smooth + 0.02 * random.standard_normal(smooth.shape, np.float32)).clip(0, 1)
    image, plate, context = Image(smooth), Image(noisy), Context(executor="openvino", say=said.append)
    alone, told, other = (
        InverseCRF().process({"image": image, **connected}, context).curves
        for connected in ({}, {"plate": plate}, {"plate": Image(noisy[:50])})
    )
    assert np.abs(told - alone).max() > 1e-3
    np.testing.assert_array_equal(other, alone)
    assert said == ["InverseCRF: the plate is scene-linear, or of another size; it is not looked at"]


@pytest.mark.parametrize("colorspace", ["KodakLog", "data", "ACEScct", "my camera"])
def test_a_space_that_is_no_cameras_is_remarked_on(colorspace, tiny_context, said):
    run(InverseCRF(curve="srgb"), tiny_context, image=ramp(colorspace=colorspace))
    assert len(said) == 1 and said[0].startswith(f"InverseCRF: {colorspace} is taken for a camera's response")


@pytest.mark.parametrize("colorspace", [SRGB, "srgb_p3d65_scene", "g22_adobergb_scene", "Rec.1886 Rec.709 - Display"])
def test_a_space_that_is_a_cameras_is_not(colorspace, tiny_context, said):
    run(InverseCRF(curve="srgb"), tiny_context, image=ramp(colorspace=colorspace))
    assert said == []


def test_a_channel_without_tones_takes_the_others_mean_curve_and_says_so(tiny_context, said):
    plate = Image(ramp().pixels * np.float32([1, 0.5, 0]))
    result = run(InverseCRF(per_channel=True), tiny_context, image=plate)
    red, green = GRID**1.5, GRID**1.25
    np.testing.assert_allclose(result.curves, [red, green, (red + green) / 2], atol=1e-4)
    assert said == ["InverseCRF: too few tones in blue to estimate a curve from; takes the others' mean"]


def test_what_changes_the_result_is_a_warning_where_nobody_listens(tiny_runtime, tiny_plugins, caplog):
    from hdrnodes.nodes.base import Context

    context = Context(runtime=tiny_runtime, plugins=tiny_plugins)
    with caplog.at_level("INFO", "hdrnodes"):
        run(InverseCRF(), context, image=display(0, 0, 0))
        run(Dequantize(), context, image=display(0, 0, 0, bits=16))
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


# Hallucinate


def test_invented_light_is_added_under_the_mask(tiny_context):
    plate = linear(1, 0.9, 0.5, 0.75, 0.1, 0.7, 0.3, 0.2, 0.1)
    result = run(Hallucinate(threshold=0.5), tiny_context, image=plate)
    # 10 * linear - 4, nothing negative; alpha is 1 in the first pixel, 0.5 in the second, 0 in the third.
    expected = plate.pixels + np.float32([[[6, 5, 1], [0.5 * 3.5, 0, 0.5 * 3], [0, 0, 0]]])
    np.testing.assert_allclose(result.pixels, expected, atol=1e-5)


def test_pixels_outside_the_mask_come_back_bit_for_bit(tiny_context):
    pixels = np.random.default_rng(3).random((20, 30, 3), np.float32)
    plate = Image(pixels, colorspace=LINEAR)
    result = run(Hallucinate(threshold=0.8), tiny_context, image=plate)
    outside = pixels.max(axis=2) <= 0.8
    assert 0 < outside.sum() < outside.size
    np.testing.assert_array_equal(result.pixels[outside].view(np.uint32), pixels[outside].view(np.uint32))


@pytest.mark.parametrize("output", ["image", "mask"])
def test_a_linear_picture_that_is_hdr_already_is_skipped_and_said(output, tiny_context, said):
    plate = linear(1, 0.9, 4, 1, 1, 1)
    result = run(Hallucinate(output=output), tiny_context, image=plate)
    np.testing.assert_array_equal(result.pixels, plate.pixels if output == "image" else 0 * plate.pixels)
    assert len(said) == 1 and said[0].startswith("Hallucinate: skipped, for the picture goes above 1 already")


def test_a_plate_that_was_brightened_after_its_curve_is_not(tiny_context, said):
    plate = replace(linear(2, 2, 2), curves=GRID)
    assert run(Hallucinate(), tiny_context, image=plate).pixels.min() > 2
    assert said == []


@pytest.mark.parametrize("ceiling", [0.5, 1, 3])
def test_the_ceiling_is_so_many_stops_above_clip_level(ceiling, tiny_context):
    result = run(Hallucinate(ceiling=ceiling), tiny_context, image=linear(1, 1, 1))
    np.testing.assert_allclose(result.pixels, min(2**ceiling, 7), rtol=1e-6)


def test_the_mask_can_be_had_in_place_of_the_picture(tiny_context):
    result = run(Hallucinate(threshold=0.5, output="mask"), tiny_context, image=linear(1, 0, 0, 0.75, 0, 0, 0.2, 0, 0))
    np.testing.assert_allclose(result.pixels, [[[1] * 3, [0.5] * 3, [0] * 3]])


@pytest.mark.parametrize("node", [Hallucinate(), Hallucinate(output="mask")])
def test_no_network_is_loaded_where_nothing_clipped(node, tiny_plugins):
    from hdrnodes.nodes.base import Context

    context = Context(plugins=tiny_plugins)
    run(node, context, image=linear(0.5, 0.2, 0.88))
    assert context.runtime is None


def test_a_display_referred_picture_is_remarked_on(tiny_context, said):
    run(Hallucinate(), tiny_context, image=display(0.1, 0.1, 0.1))
    assert said == ["Hallucinate: the picture is display-referred; InverseCRF belongs before it"]


# Refine


def test_refine_takes_what_is_connected(tiny_context):
    images = {"image": linear(3, 2, 1), "linear": linear(1, 1, 0.6), "dequantized": display(1, 1, 0.8)}
    result = run(Refine(), tiny_context, **images)
    np.testing.assert_allclose(result.pixels, [[[1.5 + 0.5, 1 + 0.5, 0.5 + 0.15 + 0.2]]], rtol=1e-6)


@pytest.mark.parametrize("curves", [None, GRID[None] ** 2])
def test_refine_derives_what_is_not_connected(curves, tiny_context):
    image = replace(linear(3, 0.5, 0.04), curves=curves)
    result = run(Refine(), tiny_context, image=image)
    low = np.minimum(image.pixels, 1)
    shown = apply_response(low, Curve.named("srgb").samples if curves is None else np.float32(curves))
    np.testing.assert_allclose(result.pixels, image.pixels / 2 + low / 4 + shown / 4, rtol=1e-5)


def test_a_plate_that_was_linear_from_the_start_is_no_dequantized_input(tiny_context):
    image = linear(3, 0.5, 0.04)
    connected = run(Refine(), tiny_context, image=image, linear=image, dequantized=image)
    np.testing.assert_array_equal(connected.pixels, run(Refine(), tiny_context, image=image).pixels)


@pytest.mark.parametrize("strength", [0, 0.5])
def test_refine_blends(strength, tiny_context):
    image = linear(3, 2, 1)
    full = run(Refine(), tiny_context, image=image)
    result = run(Refine(strength=strength), tiny_context, image=image)
    expected = image.pixels + strength * (full.pixels - image.pixels)
    np.testing.assert_allclose(result.pixels, expected, rtol=1e-6)


# Alpha


@pytest.mark.parametrize("node", [Dequantize(), InverseCRF(), InverseCRF(curve="srgb")], ids=repr)
def test_colours_multiplied_by_alpha_are_treated_as_if_they_were_not(node, tiny_context):
    colours = ramp(0.1, 0.9).pixels
    alpha = np.full((8, 8, 1), 0.5, np.float32)
    straight = Image(np.concatenate([colours, alpha], axis=2), metadata={STRAIGHT_ALPHA: 1})
    associated = Image(np.concatenate([colours * alpha, alpha], axis=2))
    expected = run(node, tiny_context, image=Image(colours)).rgb
    np.testing.assert_array_equal(run(node, tiny_context, image=straight).rgb, expected)
    result = run(node, tiny_context, image=associated)
    np.testing.assert_allclose(result.rgb, expected * 0.5, rtol=1e-6)
    np.testing.assert_array_equal(result.alpha, alpha)


def test_light_where_alpha_is_nothing_goes_the_plain_way(tiny_context):
    plate = Image(np.float32([[[0.25, 0.5, 0.75, 0]]]))
    result = run(InverseCRF(curve="srgb"), tiny_context, image=plate)
    np.testing.assert_array_equal(result.rgb, invert_response(plate.rgb, Curve.named("srgb").samples))


# All


@pytest.mark.parametrize("node", [Dequantize(), InverseCRF(), Hallucinate(), Refine()], ids=lambda node: node.name)
def test_bad_values_are_replaced_and_counted(node, tiny_context, said):
    pixels = np.full((6, 6, 3), 0.5, np.float32)
    pixels[0, 0] = [np.nan, np.inf, -1]
    colorspace = LINEAR if node.name in ("Hallucinate", "Refine") else SRGB
    result = run(node, tiny_context, image=Image(pixels, colorspace=colorspace))
    assert np.isfinite(result.pixels).all() and (result.pixels >= 0).all()
    assert said[0] == f"{node.name}: 1 nan, 1 infinite, 1 negative values replaced"


@pytest.mark.parametrize("node", [Dequantize, InverseCRF, Hallucinate, Refine], ids=lambda node: node.name)
def test_an_unknown_model_is_named(node, tiny_context):
    image = ramp(colorspace=LINEAR if node in (Hallucinate, Refine) else SRGB)
    with pytest.raises(ModelError, match="model defualt: not found; give one of: default"):
        run(node(model="defualt"), tiny_context, image=image)


def test_what_was_used_is_in_the_record(tiny_context):
    run(Dequantize(), tiny_context, image=ramp())
    assert tiny_context.record["models"] == {"default": "3.1"}
