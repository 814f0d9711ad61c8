"""Every metric against what the published programs say of two test pairs."""

import numpy as np
import pytest
from metric_values import VALUES, expected, pair

pytest.importorskip("scipy", reason="some metrics need scipy: pip install 'hdrnodes[metrics]'")

from hdrnodes.metrics.base import Pair
from hdrnodes.metrics.registry import metrics, missing

CROP = ".crop500x437"
# How far off we may be, by the beginning of an id; where a number is in the hundreds, as a part of it.
TOLERANCES = {"hdr_vdp": 1e-3, "pu21.psnr": 1e-3, "pu21": 1e-6, "log_rmse": 1e-6, "mu_law": 1e-5, "tone_mapped": 1e-3}
TOLERANCES |= {"cvvdp": 1e-3, "hdr_flip": 1e-3}
LEARNT = ("cvvdp", "hdr_flip", "tone_mapped.lpips", "tone_mapped.dists")

PAIRS: dict[str, Pair] = {}


def compared(name: str, cropped: bool) -> Pair:
    """One pair for all ids, which share what they compute."""
    key = f"{name}{CROP if cropped else ''}"
    if key not in PAIRS:
        test, reference = (each[:500, :437] for each in pair(name)) if cropped else pair(name)
        PAIRS[key] = Pair(test, reference)
    return PAIRS[key]


def marked(metric: str):
    slow = metric.startswith(("hdr_vdp", "cvvdp", "hdr_flip", "tone_mapped.lpips", "tone_mapped.dists"))
    return pytest.param(metric, marks=pytest.mark.slow if slow else ())


@pytest.mark.parametrize("metric", [marked(metric) for metric in VALUES] or ["none are here"])
def test_a_metric_is_what_its_program_says(metric, request):
    values = expected(metric)
    ours = metrics()[metric.removesuffix(CROP)]
    if ours.weights:
        request.getfixturevalue("metric_weights")
    if reason := missing(ours):
        pytest.skip(reason)
    tolerance = next(each for start, each in TOLERANCES.items() if metric.startswith(start))
    for name, value in values.items():
        found = ours.function(compared(name, metric.endswith(CROP)))
        assert found == pytest.approx(value, abs=tolerance, rel=1e-4 if "c_max" in metric else 0), name


def test_all_published_values_are_compared():
    assert {metric.removesuffix(CROP) for metric in VALUES} <= set(metrics())


@pytest.mark.parametrize("metric", metrics().values(), ids=lambda metric: metric.id)
def test_the_table_of_metrics_says_all_of_each(metric):
    assert metric.title and metric.range and metric.source
    assert metric.better in ("higher", "lower", "zero")
    assert (metric.needs is None) == (metric.packages == ())


@pytest.mark.slow
def test_numbers_move_the_way_that_the_table_says():
    """Of pictures ever worse, each metric that runs here goes where `better` says it should not."""
    rng = np.random.default_rng(2)
    light = np.float32(10 ** np.clip(np.add.outer(np.linspace(-1, 3, 192), rng.normal(0, 0.3, 200)), -2, 3.5))
    light = light[..., None] * np.float32([1.0, 0.8, 0.6])
    noise = rng.normal(0, 1, light.shape).astype(np.float32)
    near, far = (Pair(light * np.exp(amount * noise), light, light.max(axis=2) > 100) for amount in (0.03, 0.5))
    for metric in metrics().values():
        if metric.id.startswith(LEARNT) or metric.better == "zero" or metric.id == "curve.rmse" or "p_det" in metric.id:
            continue
        better, worse = metric.function(near), metric.function(far)
        assert (better > worse) == (metric.better == "higher"), metric.id
