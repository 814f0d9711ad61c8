"""What validation says of methods whose mistakes are known."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'hdrnodes[train]'")

from tiny_material import write_material

from hdrnodes.camera.response import invert_response
from hdrnodes.metrics.registry import find_metrics
from hdrnodes.training.responses import measured_responses
from hdrnodes.training.scenes import Scenes
from hdrnodes.training.validate import COLUMNS, cell, summaries, validate
from hdrnodes.training.validation_plates import CLIPPED, validation_set


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return write_material(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="module")
def responses(material):
    return measured_responses(material / "responses.npz")


@pytest.fixture(scope="module")
def plates(material, responses):
    return validation_set(Scenes.read(material / "validation"), responses[1], views=3, size=(48, 64))


def test_a_perfect_method_scores_nothing(plates):
    truths = iter([each.light[0].permute(1, 2, 0).numpy() for each in plates.plates])
    # A gain is no error: it is fitted.
    scores = validate(lambda codes, truth: (next(truths) * 3, truth[None]), plates, find_metrics(list(COLUMNS)))
    assert len(scores) == 6
    for each in scores:
        assert not each.undefined and each.values["pu21.psnr_rgb"] > 100
        for name in ("log_rmse.log2_y.inside", "log_rmse.log2_y.outside", "peak.log2_y", "curve.rmse"):
            assert each.values[name] == pytest.approx(0, abs=1e-5), name


def test_a_method_that_invents_nothing_is_too_dark_and_that_is_told_group_by_group(plates):
    def clipped(codes, truth):
        return invert_response(codes.astype(np.float32) / np.float32(255), truth), truth[None]

    def brighter(codes, truth):
        light, curve = clipped(codes, truth)
        return np.where(light >= 0.999, light * 2, light), curve

    metrics = find_metrics(["peak.log2_y", "log_rmse.log2_y.inside"])
    scores = {"clipped": validate(clipped, plates, metrics), "brighter": validate(brighter, plates, metrics)}
    rows = {(group, method): found for group, method, found in summaries(scores, plates)}
    assert list(dict.fromkeys(group for group, _ in rows)) == [
        "all",
        *(f"{each:.0%} clipped" for each in CLIPPED),
        "JPEG",
        "PNG",
    ]
    assert [rows[group, "clipped"]["peak.log2_y"].count for group in ("all", "PNG", "3% clipped")] == [6, 4, 2]
    assert rows["all", "clipped"]["peak.log2_y"].mean < -2
    gained = rows["all", "brighter"]["peak.log2_y"].against
    assert 0.5 < gained.low <= gained.mean <= gained.high <= 1.01
    assert "(" in cell(rows["all", "brighter"]["peak.log2_y"]) and "(" not in cell(
        rows["all", "clipped"]["peak.log2_y"]
    )
