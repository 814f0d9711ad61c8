"""What HDR-VDP is built of: its intermediate numbers, and its parts against slower ways to the same numbers."""

from functools import cache

import numpy as np
import pytest
from metric_values import pair

pytest.importorskip("scipy", reason="HDR-VDP needs scipy: pip install 'hdrnodes[metrics]'")

from scipy import fft
from scipy.ndimage import correlate, gaussian_filter

from hdrnodes.metrics import hdr_vdp_2 as vdp2
from hdrnodes.metrics import hdr_vdp_3 as vdp3
from hdrnodes.metrics.visual_difference.adaptation import local_adaptation, pupil_diameter
from hdrnodes.metrics.visual_difference.fourier import (
    filter_filled,
    filter_mirrored,
    filter_replicated,
    padded_frequencies,
)
from hdrnodes.metrics.visual_difference.inputs import light_pair
from hdrnodes.metrics.visual_difference.optics import eye_transfer
from hdrnodes.metrics.visual_difference.pyramid import SteerablePyramid
from hdrnodes.metrics.visual_difference.receptors import Receptors
from hdrnodes.metrics.visual_difference.tables import tables

PLACES = (0, 0), (100, 100), (255, 255), (511, 0), (511, 511)  # row, column

# Step by step: `clip` against `ref`, rgb-bt.709, 30 pixels per degree.


def test_the_eye_passes_less_of_finer_contrast():
    passed = [1, 0.689155004, 0.525428949, 0.380058502, 0.281364166, 0.183415944]
    np.testing.assert_allclose(eye_transfer(np.array([0, 1.875, 3.75, 7.5, 15, 30])), passed, atol=1e-9)


@pytest.mark.parametrize(
    "version, gain, cones, rods",
    [
        (
            "vdp2",
            vdp2.GAIN,
            [0.2468318, 1.368786, 5.968146, 44.74182, 104.4898, 164.6221, 224.7607],
            [0.237844, 5.00775, 54.13538, 96.30801, 98.39373, 98.39374, 98.39374],
        ),
        (
            "vdp3",
            vdp3.GAIN,
            [2.353469, 24.49574, 199.2716, 610.4283, 1185.206, 1766.852, 2348.668],
            [4.42046, 44.35678, 270.8612, 448.2411, 457.017, 457.017, 457.017],
        ),
    ],
)
def test_receptors_answer_as_the_published_programs_do(version, gain, cones, rods):
    receptors = Receptors(tables()[f"{version}_joint"], tables()[f"{version}_rod"], gain)
    light = np.array([1e-4, 0.01, 1, 10, 100, 1000, 10000])
    np.testing.assert_allclose(receptors.cones(light), cones, rtol=1e-6)
    np.testing.assert_allclose(receptors.rods(light), rods, rtol=1e-6)


@pytest.mark.parametrize(
    "sensitivity, luminance, values",
    [
        (vdp2.contrast_sensitivity(), 0.01, [0.04808779, 0.1489371, 0.3753314, 0.8097206, 1.118553]),
        (vdp2.contrast_sensitivity(), 1, [0.09257285, 0.3597798, 1.002305, 1.452687, 0.9290041]),
        (vdp2.contrast_sensitivity(), 100, [0.5325973, 1.187128, 1.651126, 1.339863, 0.7029571]),
        (vdp3.contrast_sensitivity(), 0.01, [0.07936217, 0.1994648, 0.4184971, 0.8127318, 1.09869]),
        (vdp3.contrast_sensitivity(), 1, [0.1790562, 0.4815753, 0.9611662, 1.440309, 1.047722]),
        (vdp3.contrast_sensitivity(), 100, [0.4336437, 1.093745, 1.739092, 1.290464, 0.6081038]),
    ],
)
def test_contrast_sensitivity_is_the_published_one(sensitivity, luminance, values):
    frequencies = np.array([15, 7.5, 3.75, 1.875, 0.9375])
    np.testing.assert_allclose(sensitivity(frequencies, np.log10(luminance)), values, rtol=1e-6)
    assert sensitivity(0.0, np.log10(luminance)) == 0
    from_table = sensitivity.thresholds(3.75, np.full((2, 3), np.log10(luminance)))
    np.testing.assert_allclose(from_table, 1 / values[2], rtol=1e-3)


@cache
def perceived_2():
    test, reference = pair("clip")
    return vdp2.perceive(light_pair(test, reference, 3, 17), tables()["vdp2_lmsr_rgb"], 30)


@cache
def perceived_3():
    both = tuple(map(vdp3.native_light, light_pair(*pair("clip"), 3, 13)))
    return vdp3.perceive(both, tables()["vdp3_lmsr_native"], 30)


@pytest.mark.parametrize(
    "perceived, what, index, at_places, mean, spread",
    [
        (perceived_2, "adaptation", 1, [129.194, 478.7864, 43.59998, 20.60223, 23.52189], 344.442316, None),
        (perceived_2, "adaptation", 0, [149.0058, 517.103, 45.8479, 27.1151, 30.62862], 375.745778, None),
        (perceived_2, "response", 1, [13.51539, 81.53247, -44.00328, -81.51991, -74.91957], 0, 104.419938),
        (perceived_2, "response", 0, [13.21742, 77.83567, -48.90105, -75.31181, -69.14832], 0, 101.244463),
        (perceived_3, "adaptation", 1, [100.6308, 376.6688, 54.49553, 14.65778, 17.39913], 320.678832, None),
        (perceived_3, "adaptation", 0, [122.2313, 416.2446, 58.10743, 18.80204, 22.07142], 352.835242, None),
        (perceived_3, "response", 1, [2903.842, 3260.564, 2070.42, 1881.621, 1954.678], 2538.18149, 917.132063),
        (perceived_3, "response", 0, [2974.474, 3298.979, 2098.365, 2013.515, 2081.715], 2605.68707, 895.573326),
    ],
)
def test_what_is_perceived_is_what_the_published_programs_have(perceived, what, index, at_places, mean, spread):
    plane = getattr(perceived(), what)[index]
    np.testing.assert_allclose([plane[place] for place in PLACES], at_places, rtol=1e-6)
    assert plane.mean() == pytest.approx(mean, rel=1e-8, abs=1e-9)
    if spread is not None:
        assert plane.std() == pytest.approx(spread, rel=1e-8)


def test_the_pupils_factor_is_the_published_programs():
    test, reference = perceived_3().adaptation
    area = 512 * 512 / 30**2
    assert vdp3.pupil_factor(reference, area) == pytest.approx(1.03164656899, abs=1e-10)
    assert vdp3.pupil_factor(test, area) == pytest.approx(1.03076766301, abs=1e-10)


def test_bands_of_hdr_vdp_2_are_the_published_programs():
    # Of each band: height, frequency, mean threshold; of each orientation: error, mean difference.
    rows = [
        (512, 15, 3.0123644, [1.0562357e-05], [0.15529223]),
        (
            512,
            7.5,
            1.0766922,
            [1.0513254e-05, 1.0559776e-05, 4.4565377e-06, 1.3245344e-05],
            [0.10117998, 0.09778369, 0.097806012, 0.10241337],
        ),
        (
            256,
            3.75,
            0.64527373,
            [4.4547380e-04, 1.9386593e-04, 4.6009678e-05, 3.3141355e-04],
            [0.38276818, 0.38225118, 0.37149629, 0.39600451],
        ),
        (
            128,
            1.875,
            0.73910828,
            [4.7148311e-05, 7.1092175e-05, 1.4209237e-04, 6.0712860e-05],
            [1.7245335, 1.6483366, 1.6910328, 1.6554390],
        ),
        (
            64,
            0.9375,
            1.3873397,
            [6.2797309e-04, 2.4694400e-04, 3.0907796e-04, 9.5748987e-04],
            [5.1497621, 4.8597181, 5.1202838, 6.6679505],
        ),
        (
            32,
            0.46875,
            2.9542954,
            [0.10033518, 0.12160607, 0.043361179, 0.083059845],
            [11.789236, 11.514512, 11.906297, 12.410079],
        ),
        (16, 0.234375, 1, [3.4227176e-05], [6.5797655]),
    ]
    perceived = perceived_2()
    differs = vdp2.differing(*light_pair(*pair("clip"), 3, 17))
    bands = list(vdp2.contrast_bands(perceived, SteerablePyramid.named("sp3"), 30))
    for index, (band, (side, frequency, threshold, errors, differences)) in enumerate(zip(bands, rows, strict=True)):
        assert (band.difference.shape, band.frequency) == ((len(errors), side, side), frequency)
        assert vdp2.thresholds(bands, index, perceived.log_adaptation).mean() == pytest.approx(threshold, rel=1e-7)
        np.testing.assert_allclose(np.abs(band.difference).mean(axis=(1, 2)), differences, rtol=1e-7)
        visible = vdp2.visible_difference(bands, index, perceived.log_adaptation)
        np.testing.assert_allclose(vdp2.quality_errors(visible, differs), errors, rtol=1e-7)


def test_bands_of_hdr_vdp_3_are_the_published_programs():
    # Of each band: height, frequency, error, mean difference, mean threshold.
    rows = [
        (512, 15, 0.0187033724, 1.2420327, 2.5075183),
        (512, 7.5, 0.0248894176, 1.1467492, 0.99462901),
        (256, 3.75, 0.0669936318, 2.6692942, 0.61473588),
        (128, 1.875, 0.1358015250, 4.9688788, 0.76881614),
        (64, 0.9375, 0.0188603853, 17.5225200, 28.363792),
    ]
    perceived = perceived_3()
    differs = vdp3.differing(*map(vdp3.native_light, light_pair(*pair("clip"), 3, 13)))
    bands = list(vdp3.contrast_bands(perceived, SteerablePyramid.named("sp0"), 30))
    for index, (band, (side, frequency, error, difference, threshold)) in enumerate(zip(bands, rows, strict=True)):
        assert (band.difference.shape, band.frequency) == ((1, side, side), frequency)
        assert np.mean(vdp3.thresholds(bands, index, perceived.log_adaptation)) == pytest.approx(threshold, rel=1e-7)
        assert np.abs(band.difference).mean() == pytest.approx(difference, rel=1e-7)
        visible = vdp3.visible_difference(bands, index, perceived.log_adaptation)
        assert vdp3.quality_error(visible, differs) == pytest.approx(error, rel=1e-8)
    assert vdp3.strongest_frequency(bands[-1]) == 0.05859375


# The parts, against slower ways to the same numbers.


@pytest.mark.parametrize("height, width", [(12, 18), (11, 17)])
def test_filters_continue_the_picture_behind_it_only(height, width):
    picture = np.random.default_rng(1).random((height, width))
    transfer = eye_transfer(padded_frequencies((height, width), 30))
    behind = (0, height), (0, width)
    for found, padded in [
        (filter_filled(picture, 0.3, transfer), np.pad(picture, behind, constant_values=0.3)),
        (filter_replicated(picture, transfer), np.pad(picture, behind, mode="edge")),
        (filter_mirrored(picture, transfer), np.pad(picture, behind, mode="symmetric")),
    ]:
        expected = fft.irfft2(fft.rfft2(padded) * transfer, padded.shape)[:height, :width]
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("name, levels", [("sp3", 1), ("sp0", 2)])
def test_pyramid_correlates_with_its_filters_and_comes_back(name, levels):
    pyramid = SteerablePyramid.named(name)
    picture = np.random.default_rng(2).random((37, 44))
    bands = [band[0] for band in pyramid.bands(picture[None], levels)]
    assert len(bands) == levels + 2
    np.testing.assert_allclose(bands[0][0], correlate(picture, pyramid.high, mode="mirror"), atol=1e-12)
    low = correlate(picture, pyramid.low_first, mode="mirror")
    for orientation, kernel in enumerate(pyramid.oriented):
        np.testing.assert_allclose(bands[1][orientation], correlate(low, kernel, mode="mirror"), atol=1e-12)
    below = correlate(low, pyramid.low, mode="mirror")[::2, ::2]
    assert bands[2].shape[1:] == below.shape == (19, 22)
    if levels == 1:
        np.testing.assert_allclose(bands[2][0], below, atol=1e-12)
    inside = slice(12, -12)
    np.testing.assert_allclose(pyramid.picture(bands)[inside, inside], picture[inside, inside], atol=0.02)


def test_levels_are_counted_as_published():
    assert SteerablePyramid.named("sp3").most_levels((512, 512)) == 5
    assert SteerablePyramid.named("sp0").most_levels((512, 512)) == 6
    assert SteerablePyramid.named("sp3").most_levels((16, 512)) == 0


@pytest.mark.parametrize("ppd", [10, 26, 30])
def test_the_eye_adapts_to_a_mean_around_each_place(ppd):
    """Both ways of computing it, on either side of 4.3 pixels, are a Gaussian where the edges are far."""
    light = np.exp(np.random.default_rng(3).normal(3, 1, (90, 90)))
    around = np.exp(gaussian_filter(np.log(light), 10**-0.781367 * ppd, truncate=6))
    middle = slice(40, 50)
    np.testing.assert_allclose(local_adaptation(light, ppd)[middle, middle], around[middle, middle], rtol=0.01)


def test_pupils_are_smaller_in_bright_light_and_in_older_eyes():
    dim, bright = (pupil_diameter(luminance, 100, 24) for luminance in (1, 1000))
    assert 2 < bright < dim < 8
    assert pupil_diameter(1, 100, 70) < dim
    assert pupil_diameter(1, 100, 10) == pupil_diameter(1, 100, 20)
