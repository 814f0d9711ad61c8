"""LPIPS, DISTS, ColorVideoVDP and HDR-FLIP on pictures that tell what they do; their values: test_metric_values."""

import logging
import subprocess
import sys
from importlib.util import find_spec
from typing import get_args

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'hdrnodes[metrics]'")

from hdrnodes.errors import MetricError, ModelError
from hdrnodes.metrics.color_video_vdp import Display, GaussianBlur, color_video_vdp
from hdrnodes.metrics.dists import dists
from hdrnodes.metrics.flip import hdr_flip
from hdrnodes.metrics.lpips import lpips
from hdrnodes.metrics.tone_mapping import tone_mapped

needs_cvvdp = pytest.mark.skipif(find_spec("pycvvdp") is None, reason="pip install --no-deps cvvdp==0.5.7")
needs_flip = pytest.mark.skipif(find_spec("flip_evaluator") is None, reason="flip-evaluator has no wheel here")


def lpips_vgg(test, reference):
    return lpips(test, reference, "vgg")


@pytest.fixture
def light():
    """72 x 88 x 3 float32, 1 to 1000 cd/m2 or so: a ramp with texture."""
    rng = np.random.default_rng(5)
    down, across = np.linspace(0, 2, 72)[:, None, None], np.linspace(0, 1, 88)[None, :, None]
    return np.float32(10 ** (down + across * [0.2, 0.5, 0.8] + rng.normal(0, 0.1, (72, 88, 3))))


@pytest.mark.slow  # whichever asks first for the weights waits for them
@pytest.mark.parametrize(
    ("function", "best"),
    [
        (lpips, 0),
        (lpips_vgg, 0),
        (dists, 0),
        pytest.param(color_video_vdp, 10, marks=needs_cvvdp),
        pytest.param(hdr_flip, 0, marks=needs_flip),
    ],
)
def test_equal_pictures_score_best_and_worse_ones_worse(function, best, light, metric_weights):
    assert function(light, light.copy()) == best
    sign = -1 if best else 1
    near, far = light * np.float32([1.1, 1, 1]), light[::-1]
    assert 0 < sign * (function(near, light) - best) < sign * (function(far, light) - best)
    grey = light[..., 1]
    assert function(grey, light[..., 0]) == pytest.approx(
        function(np.repeat(grey[..., None], 3, 2), np.repeat(light[..., :1], 3, 2)), abs=2e-5
    )


def test_dists_forgives_texture_elsewhere_and_lpips_does_not(metric_weights):
    noise = np.float32(10 ** np.random.default_rng(1).normal(1, 0.3, (96, 96, 1))) * np.ones(3, np.float32)
    moved = np.roll(noise, (5, 7), (0, 1))
    assert dists(moved, noise) < 0.6 * dists(np.full_like(noise, noise.mean()), noise)
    assert lpips(moved, noise) > 0.1


def test_tone_mapping_is_the_formula_of_its_source():
    light = np.float32([[[200, 200, 200], [50, 50, 50]]])
    scale = 100 / 0.18
    wanted = [round(255 * (x / (1 + x)) ** (1 / 2.2)) / 255 for x in (200 / scale, 50 / scale)]
    found, same = tone_mapped(light, light)
    np.testing.assert_array_equal(found[0, :, 0], wanted)
    np.testing.assert_array_equal(found, same)
    brighter, _ = tone_mapped(2 * light, light)
    assert (brighter > found).all()
    assert (tone_mapped(-light, light)[0] == 0).all()


@pytest.mark.parametrize("function", [lpips, dists, color_video_vdp, hdr_flip])
def test_what_cannot_be_compared_is_refused(function, light, metric_weights):
    if (function is color_video_vdp and not find_spec("pycvvdp")) or (
        function is hdr_flip and not find_spec("flip_evaluator")
    ):
        pytest.skip("its package is not installed")
    with pytest.raises(MetricError, match="is 88 x 72, the reference 87 x 72"):
        function(light, light[:, 1:])
    holed = light.copy()
    holed[3, 4] = np.nan
    with pytest.raises(MetricError, match="reference picture: holds NaN or infinity"):
        function(light, holed)


def test_pictures_too_small_for_a_network_are_refused(light, metric_weights):
    with pytest.raises(MetricError, match="smaller than 31 pixels, too small for alexnet"):
        lpips(light[:30], light[:30])
    with pytest.raises(MetricError, match="smaller than 16 pixels, too small for vgg16"):
        lpips(light[:, :15], light[:, :15], "vgg")
    assert lpips(light[:31, :31], light[1:32, 1:32]) > 0
    assert lpips(light[:16, :16], light[1:17, 1:17], "vgg") > 0
    assert dists(light[:1, :1], light[:1, :1]) == 0


def test_missing_weights_name_the_command(light, tmp_path, monkeypatch):
    monkeypatch.setenv("HDRNODES_CACHE", str(tmp_path))
    for function, file in ((lpips, "alexnet"), (dists, "vgg16")):
        with pytest.raises(
            ModelError, match=rf"{file}\.safetensors: is missing; bring it with `hdrnodes metric-weights`"
        ):
            function(light, light)


@needs_flip
def test_flip_of_a_black_reference_is_an_error_and_not_the_end_of_the_process(light):
    with pytest.raises(MetricError, match="is black, and HDR-FLIP exposes by it"):
        hdr_flip(light, 0 * light)
    assert hdr_flip(0 * light, light) > 0.5
    assert hdr_flip(-light, light) == hdr_flip(0 * light, light)


@needs_cvvdp
def test_displays_differ_and_a_gain_is_adapted_to(light):
    far = light[::-1]
    found = {display: color_video_vdp(far, light, display) for display in get_args(Display)}
    assert len(set(found.values())) == len(found) == 4
    assert found["standard_hdr_pq"] == pytest.approx(found["standard_hdr_linear"], abs=0.02)
    assert color_video_vdp(2 * light, light, "peak10000_dark.ppd30") == pytest.approx(10, abs=0.01)


@needs_cvvdp
def test_color_video_vdp_is_silent_on_dark_pictures_and_refuses_a_single_row(light, caplog):
    with caplog.at_level(logging.WARNING):
        assert color_video_vdp(light / 10000, light / 10000) == 10
    assert not caplog.records
    with pytest.raises(MetricError, match="one pixel high or wide"):
        color_video_vdp(light[:1], light[:1])


@pytest.mark.slow
@needs_cvvdp
def test_color_video_vdp_leaves_no_trace_of_its_stand_ins():
    code = """
import sys
from hdrnodes.metrics.color_video_vdp import import_cvvdp
before = list(sys.path), {name for name in ("torchvision", "huggingface_hub") if name in sys.modules}
assert import_cvvdp().cvvdp
after = list(sys.path), {name for name in ("torchvision", "huggingface_hub") if name in sys.modules}
from importlib.util import find_spec
from typing import get_args
installed = {name for name in ("torchvision", "huggingface_hub") if find_spec(name)}
assert before[0] == after[0] and after[1] == installed, (before, after, installed)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@needs_cvvdp
def test_a_torchvision_that_does_not_fit_is_one_line(tmp_path):
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from hdrnodes.metrics.color_video_vdp import import_cvvdp
import_cvvdp()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    said = "cvvdp cannot be imported (operator torchvision::nms does not exist); install a torchvision that fits torch"
    assert done.returncode == 1 and said in done.stderr.splitlines()[-1]


def test_the_gaussian_in_torchvisions_place_is_one():
    from scipy.ndimage import gaussian_filter

    picture = np.random.default_rng(2).random((1, 1, 40, 50), np.float32)
    found = GaussianBlur(13, 3.0)(torch.from_numpy(picture)).numpy()[0, 0]
    np.testing.assert_allclose(found, gaussian_filter(picture[0, 0], 3.0, mode="mirror", radius=6), atol=1e-6)
