"""HDR-VDP-2.2.2 and HDR-VDP-3.0.7: what the published programs say, and what holds for any pair."""

import subprocess
import sys

import numpy as np
import pytest
from metric_values import expected, pair, pictures

pytest.importorskip("scipy", reason="HDR-VDP needs scipy: pip install 'hdrnodes[metrics]'")

from golden_pictures import golden_pictures
from scipy.ndimage import gaussian_filter

from hdrnodes.errors import MetricError
from hdrnodes.metrics.base import luminance
from hdrnodes.metrics.hdr_vdp_2 import hdr_vdp_2
from hdrnodes.metrics.hdr_vdp_3 import HdrVdp3, hdr_vdp_3
from hdrnodes.metrics.protocols import pre_mapped

# What 2.2.2 says, under GNU Octave, of pictures that anybody can make; zenmetrics published the same.
# Name, pixels per degree, Q, P_det, C_max.
GOLDEN_2 = [
    ("blur", 30, 58.62318787, 1.0, 33059.24442),
    ("dark", 30, 96.03591184, 0.002199205742, 0.003176277143),
    ("bright", 30, 82.80093529, 0.7792506609, 2.179518976),
    ("contrast", 30, 59.67843816, 1.0, 6817.44325),
    ("blur", 60, 41.65873106, 1.0, 298.4052564),
    ("dark", 60, 94.58061497, 0.005244424511, 0.007586014808),
    ("bright", 60, 73.49381256, 0.02474686139, 0.03615135867),
    ("contrast", 60, 40.22744764, 1.0, 407.7439192),
]
# What HDR-VDP 3.0.7 says of them: name, pixels per degree, Q, JOD.
GOLDEN_3 = [
    ("blur", 30, 6.296858398, 7.217368889),
    ("dark", 30, 9.999737865, 9.99998659),
    ("bright", 30, 9.966807169, 9.993375314),
    ("contrast", 60, 7.439399704, 8.265513809),
]

# How the ids of the values say what was compared, and how.
VARIANTS_2 = [
    "bt709.ppd30",
    "luminance.ppd30",
    "bt709.ppd60",
    "luminance.ppd60",
    "bt709.ppd30.premap",
    "bt709.ppd30.crf",
    "bt709.ppd30.crop500x437",
    "bt709.ppd30.surround_mean",
]
VARIANTS_3 = [
    "bt709.ppd30",
    "luminance.ppd30",
    "bt709.ppd60",
    "luminance.ppd60",
    "native.ppd30",
    "bt709.ppd24",
    "bt709.ppd30.crf",
    "bt709.ppd30.crop500x437",
]
ENCODINGS = {"bt709": "rgb-bt.709", "native": "rgb-native", "luminance": "luminance"}


@pytest.fixture
def light():
    """A scene of 60 to 400 cd/m2, odd in size, 83 x 101 x 3."""
    rng = np.random.default_rng(5)
    smooth = gaussian_filter(rng.normal(0, 12, (83, 101, 3)), (3, 3, 0))
    return 150 * np.exp(smooth.clip(-1, 1))


def compared(variant, name):
    """The pair that an id of the values means, and the keywords."""
    encoding, ppd, *change = variant.split(".")
    test, reference = pair(name)
    if change == ["crf"]:
        test = pictures()[f"{name}_crf"]
    if change == ["crop500x437"]:
        test, reference = test[:500, :437], reference[:500, :437]
    if change == ["premap"]:
        test, reference = pre_mapped(test), pre_mapped(reference)
    if encoding == "luminance":
        test, reference = luminance(test.astype(np.float64)), luminance(reference.astype(np.float64))
    keywords = {"encoding": ENCODINGS[encoding], "ppd": float(ppd.removeprefix("ppd"))}
    return test, reference, keywords | ({"surround": "mean"} if change == ["surround_mean"] else {})


@pytest.mark.parametrize("variant", VARIANTS_2)
def test_hdr_vdp_2_says_what_the_published_program_says(variant):
    for name, q in expected(f"hdr_vdp_2.q.{variant}").items():
        test, reference, keywords = compared(variant, name)
        found = hdr_vdp_2(test, reference, **keywords)
        assert found.q == pytest.approx(q, abs=1e-6), name
        assert found.p_det == pytest.approx(expected(f"hdr_vdp_2.p_det.{variant}")[name], abs=1e-6), name
        assert found.c_max == pytest.approx(expected(f"hdr_vdp_2.c_max.{variant}")[name], rel=1e-6), name
        assert found.p_map.mean() == pytest.approx(expected(f"hdr_vdp_2.p_map_mean.{variant}")[name], abs=1e-6), name


@pytest.mark.parametrize("variant", VARIANTS_3)
def test_hdr_vdp_3_says_what_the_published_program_says(variant):
    for name, q in expected(f"hdr_vdp_3.q.{variant}").items():
        test, reference, keywords = compared(variant, name)
        found = hdr_vdp_3(test, reference, **keywords)
        assert found.q == pytest.approx(q, abs=1e-6), name
        assert found.jod == pytest.approx(expected(f"hdr_vdp_3.jod.{variant}")[name], abs=1e-6), name


@pytest.mark.parametrize("name, ppd, q, p_det, c_max", GOLDEN_2)
def test_hdr_vdp_2_of_pictures_that_anybody_can_make(name, ppd, q, p_det, c_max):
    pictures = golden_pictures()
    found = hdr_vdp_2(pictures[name], pictures["ref"], encoding="luminance", ppd=ppd)
    assert found.q == pytest.approx(q, abs=1e-6)
    assert found.p_det == pytest.approx(p_det, rel=1e-6)
    assert found.c_max == pytest.approx(c_max, rel=1e-6)


@pytest.mark.parametrize("name, ppd, q, jod", GOLDEN_3)
def test_hdr_vdp_3_of_pictures_that_anybody_can_make(name, ppd, q, jod):
    pictures = golden_pictures()
    found = hdr_vdp_3(pictures[name], pictures["ref"], encoding="luminance", ppd=ppd)
    assert (found.q, found.jod) == pytest.approx((q, jod), abs=1e-6)


def test_the_golden_pictures_are_those_of_the_values():
    for name, picture in golden_pictures().items():
        np.testing.assert_allclose(picture, pictures()[f"gold_{name}"], atol=1e-9)


# What holds for any pair.


def test_identical_pictures_lose_nothing(light):
    found = hdr_vdp_2(light, light)
    assert (found.q, found.p_det, found.c_max, found.p_map.max()) == (100, 0, 0, 0)
    assert hdr_vdp_3(light, light) == HdrVdp3(10, 10)


@pytest.mark.parametrize("metric, best", [(hdr_vdp_2, 100), (hdr_vdp_3, 10)])
def test_more_blur_is_worse(light, metric, best):
    scores = [metric(gaussian_filter(light, (sigma, sigma, 0)), light).q for sigma in (0.7, 1.5, 3)]
    assert best > scores[0] > scores[1] > scores[2]


def test_the_dark_hides_differences(light):
    test = gaussian_filter(light, (1, 1, 0))
    bright, dark = hdr_vdp_2(test, light), hdr_vdp_2(test / 10_000, light / 10_000)
    assert dark.q > bright.q + 5
    assert dark.p_map.mean() < bright.p_map.mean()
    assert hdr_vdp_3(test / 10_000, light / 10_000).jod > hdr_vdp_3(test, light).jod + 0.1


def test_a_difference_is_seen_where_it_is(light):
    test = light.copy()
    test[60:66, 20:26] *= 2
    found = hdr_vdp_2(test, light)
    assert found.p_map.shape == (83, 101)
    assert found.p_map[60:66, 20:26].min() > 0.9
    assert found.p_map[:30, 60:].max() < 0.01


@pytest.mark.parametrize("shape", [(82, 100), (83, 99), (65, 97), (17, 40)])
def test_any_size_will_do_and_says_about_the_same(light, shape):
    """The scene's own blur: a row or column less changes little."""
    reference = light[: shape[0], : shape[1]]
    test = gaussian_filter(light, (1, 1, 0))[: shape[0], : shape[1]]
    found = hdr_vdp_2(test, reference)
    assert found.p_map.shape == shape
    assert 0 <= found.p_map.min() and found.p_det == found.p_map.max() <= 1
    assert hdr_vdp_3(test, reference).jod == pytest.approx(
        hdr_vdp_3(gaussian_filter(light, (1, 1, 0)), light).jod, abs=0.5
    )


def test_black_and_negative_light_have_a_score(light):
    black = light.copy()
    black[:20] = 0
    negative = black.copy()
    negative[:20] = -1
    assert hdr_vdp_2(black, light).q == hdr_vdp_2(negative, light).q < 100
    assert hdr_vdp_3(black, light).jod == hdr_vdp_3(negative, light).jod < 10
    assert np.isfinite(hdr_vdp_2(light, black, surround="mean").q)
    assert hdr_vdp_2(black, negative).q == 100


def test_a_brighter_surround_scatters_into_the_picture(light):
    test = gaussian_filter(light, (1, 1, 0))
    scores = {hdr_vdp_2(test, light, surround=surround).q for surround in (1e-5, 100.0, "mean")}
    assert len(scores) == 3
    fill = float(np.exp(np.log(luminance(light)).mean()))
    keywords = {"encoding": "luminance"}
    told, own = (hdr_vdp_2(luminance(test), luminance(light), surround=s, **keywords).q for s in (fill, "mean"))
    assert told == pytest.approx(own, abs=1e-9)


@pytest.mark.parametrize("metric, smallest", [(hdr_vdp_2, 17), (hdr_vdp_3, 13)])
def test_bad_input_is_said_in_one_line(light, metric, smallest):
    spoilt = light.copy()
    spoilt[3, 4, 1] = np.nan
    small = light[: smallest - 1]
    for test, reference, keywords, problem in [
        (light[:-1], light, {}, "101 x 82, the reference 101 x 83"),
        (spoilt, light, {}, "NaN"),
        (light, spoilt, {}, "NaN"),
        (small, small, {}, f"101 x {smallest - 1} pixels; give {smallest} or more"),
        (light, light, {"encoding": "luminance"}, r"\(83, 101, 3\); give H x W, or another encoding"),
        (luminance(light), luminance(light), {}, r"\(83, 101\); give H x W x 3, or another encoding"),
        (light, light, {"encoding": "srgb"}, "encoding 'srgb'; choose rgb-bt.709"),
        (light, light, {"ppd": 0}, "0 pixels per degree"),
        (light, light, {"ppd": np.nan}, "nan pixels per degree"),
    ]:
        with pytest.raises(MetricError, match=problem):
            metric(test, reference, **keywords)
    assert metric(light[:smallest], light[:smallest]).q in (10, 100)
    with pytest.raises(MetricError, match="surround of -1"):
        hdr_vdp_2(light, light, surround=-1)


def test_input_is_left_as_it_was(light):
    test, before = gaussian_filter(light, (1, 1, 0)), light.copy()
    test_before = test.copy()
    hdr_vdp_2(test, light)
    hdr_vdp_3(test, light)
    np.testing.assert_array_equal(light, before)
    np.testing.assert_array_equal(test, test_before)


@pytest.mark.slow
def test_two_megapixels_take_less_than_two_gigabytes():
    """In a process of its own, whose peak is what the metric needs; the time is the process's own."""
    pytest.importorskip("resource", reason="needs a system that tells a process's peak memory")
    program = """
import resource, time
import numpy as np
from hdrnodes.metrics.hdr_vdp_2 import hdr_vdp_2
y, x = np.mgrid[0:1080, 0:1920]
reference = np.float32(np.exp(3 * np.sin(x / 31) * np.cos(y / 17)) * 100)[..., None] * np.float32([1, 0.8, 0.6])
test = np.minimum(reference, 600)
begun = time.process_time()
assert hdr_vdp_2(test, reference).q < 100
print(time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seconds, kibibytes = map(float, answer.stdout.split())
    assert kibibytes < 2 * 1024**2
    assert seconds < 30  # on two cores no more than 15
