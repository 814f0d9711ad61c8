"""Metrics value by value: PU21, the CRF correction, PSNR, SSIM, MS-SSIM, stops, VSI; and how sure a difference is."""

import time

import numpy as np
import pytest
from metric_values import pair, pictures

pytest.importorskip("scipy", reason="some metrics need scipy: pip install 'hdrnodes[metrics]'")

from hdrnodes.errors import MetricError
from hdrnodes.metrics.base import Pair, luminance
from hdrnodes.metrics.bootstrap import paired_interval
from hdrnodes.metrics.crf_correction import crf_corrected
from hdrnodes.metrics.fidelity import ms_ssim, psnr, ssim
from hdrnodes.metrics.pu21 import PEAK, pu21, pu21_inverse, pu21_psnr
from hdrnodes.metrics.resampling import resized
from hdrnodes.metrics.stops import (
    curve_rmse,
    log10_rmse,
    log_bias,
    log_rmse,
    peak_error,
    scale_invariant_log_rmse,
)
from hdrnodes.metrics.vsi import _reduced, salience, vsi


@pytest.fixture
def light():
    """A scene from 0.1 to 1000 cd/m2 or so, 200 x 240 x 3 float32."""
    rng = np.random.default_rng(3)
    down, across = np.linspace(-1, 2, 200)[:, None, None], np.linspace(0, 1, 240)[None, :, None]
    return np.float32(10 ** (down + across * [0.2, 0.5, 0.8] + rng.normal(0, 0.05, (200, 240, 3))))


COMPARED = {
    "psnr": lambda test, reference: psnr(test, reference, PEAK),
    "ssim": lambda test, reference: ssim(luminance(test), luminance(reference), PEAK),
    "ms_ssim": lambda test, reference: ms_ssim(luminance(test), luminance(reference), PEAK),
    "pu21_psnr": pu21_psnr,
    "vsi": vsi,
    "log_rmse": log_rmse,
    "log_bias": log_bias,
    "scale_invariant": scale_invariant_log_rmse,
    "log10_rmse": log10_rmse,
    "peak_error": peak_error,
    "crf_corrected": crf_corrected,
}
WORTH = {"ssim": 1, "ms_ssim": 1, "vsi": 1, "log_rmse": 0, "log_bias": 0, "scale_invariant": 0, "peak_error": 0}


@pytest.mark.parametrize("name", WORTH)
def test_a_picture_beside_itself_is_as_good_as_can_be(name, light):
    assert COMPARED[name](light, light) == pytest.approx(WORTH[name], abs=1e-9)


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_is_refused(name, wrong, light):
    broken = light.copy()
    broken[5, 5, 1] = wrong
    with pytest.raises(MetricError, match="test picture: holds NaN or infinity"):
        COMPARED[name](broken, light)


@pytest.mark.parametrize("name", COMPARED)
def test_other_sizes_are_refused_and_never_resized(name, light):
    with pytest.raises(MetricError, match="240 x 199, the reference 240 x 200; .* nothing is resized"):
        COMPARED[name](light[1:], light)
    with pytest.raises(MetricError, match="shape"):
        COMPARED[name](light[..., :2], light[..., :2])


@pytest.mark.parametrize("name", set(COMPARED) - {"psnr"})
def test_black_and_negative_light_still_have_a_number(name, light):
    for dark in (np.zeros_like(light), light - light.mean()):
        if name in ("vsi", "ssim", "ms_ssim"):
            assert np.isfinite(COMPARED[name](pu21(dark), pu21(light)))
        else:
            assert np.isfinite(COMPARED[name](dark, light)).all()


def test_psnr_of_a_known_error():
    reference = np.zeros((4, 5, 3))
    assert psnr(reference + 0.1, reference, 1) == pytest.approx(20)
    assert psnr(reference + 25.6, reference, 256) == pytest.approx(20)
    with pytest.raises(MetricError, match="infinite; the pictures are identical"):
        psnr(reference, reference, 1)


def test_psnr_of_light_whose_square_no_float32_holds():
    reference = np.zeros((4, 5, 3), np.float32)
    assert psnr(np.full_like(reference, 1e25), reference, 1) == pytest.approx(-500)


def test_worse_pictures_score_worse(light):
    noise = np.random.default_rng(0).normal(0, 1, light.shape)
    for name in ("psnr", "ssim", "ms_ssim", "vsi"):
        near, far = (COMPARED[name](pu21(light * np.exp(sigma * noise)), pu21(light)) for sigma in (0.05, 0.4))
        assert far < near, name


def test_ms_ssim_says_that_a_picture_is_too_small(light):
    with pytest.raises(MetricError, match="needs 176 pixels a side, and these are 240 x 175"):
        ms_ssim(luminance(light[:175]), luminance(light[:175]), PEAK)


@pytest.mark.parametrize(
    "luminances, values", [([1, 10, 100, 1000, 1e4], [36.543911, 123.647484, 256.383897, 420.096921, 595.393920])]
)
def test_pu21_is_as_published(luminances, values):
    np.testing.assert_allclose(pu21(np.float64(luminances)), values, atol=1e-6)
    np.testing.assert_allclose(pu21_inverse(np.float64(values)), luminances, rtol=1e-6)
    assert pu21(np.float32([1e-9, -4, 1e9])).tolist() == pytest.approx(pu21(np.float32([0.005, 0.005, 1e4])).tolist())


def test_pu21_psnr_raw_and_corrected_are_quick_enough_for_training(light):
    picture = np.tile(light, (2, 2, 1))  # 0.19 megapixels
    seconds = []
    for _ in range(5):
        start = time.process_time()
        pu21_psnr(picture * 1.1, picture)
        pu21_psnr(crf_corrected(picture * 1.1, picture), picture)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.3


@pytest.mark.parametrize("stops", [-2, 1, 3])
def test_errors_of_light_are_in_stops(stops, light):
    test = light * np.float32(2**stops)
    assert log_rmse(test, light) == pytest.approx(abs(stops), abs=1e-5)
    assert log_bias(test, light) == pytest.approx(stops, abs=1e-5)
    assert peak_error(test, light) == pytest.approx(stops, abs=1e-5)
    assert scale_invariant_log_rmse(test, light) == pytest.approx(0, abs=1e-5)
    assert log10_rmse(test, light) == pytest.approx(abs(stops) * np.log10(2), abs=1e-5)


def test_errors_of_light_are_told_by_region(light):
    inside = np.zeros(light.shape[:2], bool)
    inside[50:60, 20:80] = True
    test = np.where(inside[..., None], light * 4, light)
    assert log_rmse(test, light, inside) == pytest.approx(2, abs=1e-5)
    assert log_bias(test, light, inside) == pytest.approx(2, abs=1e-5)
    assert log_rmse(test, light, ~inside) == 0
    assert log_rmse(test, light) == pytest.approx(2 * inside.mean() ** 0.5, abs=1e-5)
    with pytest.raises(MetricError, match="mask: is empty"):
        log_rmse(test, light, np.zeros_like(inside))
    with pytest.raises(MetricError, match="mask: has the shape"):
        log_rmse(test, light, inside[1:])


def test_the_error_of_a_curve_is_over_all_of_its_channels():
    straight = np.linspace(0, 1, 1024, dtype=np.float32)[None]
    assert curve_rmse(straight, straight) == 0
    assert curve_rmse(straight**2, straight) == pytest.approx((1 / 30) ** 0.5, abs=1e-3)
    three = np.concatenate([straight, straight, straight + 0.3])
    assert curve_rmse(three, straight) == pytest.approx(0.3 / 3**0.5, abs=1e-6)
    with pytest.raises(MetricError, match="has 1024 samples, the reference 512"):
        curve_rmse(straight, straight[:, :512])


def test_crf_correction_undoes_a_tone_curve_and_a_tint(light):
    bent = light**0.8 * [1.0, 0.9, 0.7]
    assert log_rmse(bent, light) > 0.3
    corrected = crf_corrected(bent, light)
    assert log_rmse(corrected, light) < 0.03
    assert log10_rmse(corrected, light) < 0.02
    np.testing.assert_allclose(crf_corrected(light, light), light, rtol=1e-5)
    with pytest.raises(MetricError, match="fits colours"):
        crf_corrected(light[..., 0], light[..., 0])


@pytest.mark.parametrize("name", ["clip", "blur"])
def test_crf_correction_agrees_with_that_of_its_authors(name):
    np.testing.assert_allclose(crf_corrected(*pair(name)), pictures()[f"{name}_crf"], rtol=1e-6, atol=1e-5)


def test_a_picture_of_one_colour_has_no_salience(light):
    flat = np.full_like(light, 3)
    assert not salience(flat).any()
    assert np.isfinite(vsi(flat, light))
    with pytest.raises(MetricError, match="both pictures are of one colour"):
        vsi(flat, flat * 2)
    with pytest.raises(MetricError, match="compares colours"):
        vsi(light[..., 0], light[..., 0])


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5])
def test_vsi_looks_at_means_from_the_first_pixel_on(factor):
    values = np.random.default_rng(factor).random((factor * 256, factor * 256 + 1))
    padded = np.pad(values, 8)
    before, after = (factor - 1) // 2, -(-(factor - 1) // 2)
    reduced = _reduced(values)
    for row, column in ((0, 0), (1, 100), (200, 255)):
        y, x = 8 + row * factor, 8 + column * factor
        window = padded[y - before : y + after + 1, x - before : x + after + 1]
        assert reduced[row, column] == pytest.approx(window.mean(), abs=1e-12)


@pytest.mark.parametrize("kernel", ["cubic", "triangle"])
def test_resampling_keeps_a_ramp_and_averages_what_it_shrinks(kernel):
    ramp = np.add.outer(np.arange(40.0), np.arange(60.0))
    inside = slice(4, -4)
    larger = resized(ramp, (80, 120), kernel)[inside, inside]
    expected = np.add.outer((np.arange(80) + 0.5) / 2 - 0.5, (np.arange(120) + 0.5) / 2 - 0.5)[inside, inside]
    np.testing.assert_allclose(larger, expected, atol=1e-9)
    noise = np.random.default_rng(0).random((64, 64, 3))
    smaller = resized(noise, (8, 8), kernel)
    assert smaller.shape == (8, 8, 3) and smaller.std() < noise.std() / 4
    np.testing.assert_array_equal(resized(noise, (64, 64), kernel), noise)


def test_a_pair_computes_what_metrics_share_once(light):
    pair, calls = Pair(light, light), []
    for _ in range(2):
        assert pair.once("key", lambda: calls.append(1) or 7) == 7
    assert len(calls) == 1
    with pytest.raises(MetricError, match="mask: is 240 x 199"):
        Pair(light, light, np.zeros((199, 240), bool))


def test_a_paired_interval_holds_a_difference_that_is_there():
    noise = np.random.default_rng(1).normal(0, 0.1, 200).astype(np.float32)
    low, high = paired_interval(noise - 1, np.zeros(200, np.float32))
    assert -1.05 < low < -1 + noise.mean() < high < -0.95
    assert paired_interval(np.float64([3]), np.float64([1])) == (2, 2)
