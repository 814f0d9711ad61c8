"""What validation says of a method that makes no mistake."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'hdrnodes[train]'")

from tiny_material import write_material  # noqa: E402  (after the skip)

from hdrnodes.training.responses import measured_responses  # noqa: E402
from hdrnodes.training.scenes import Scenes  # noqa: E402
from hdrnodes.training.validate import table, validate  # noqa: E402
from hdrnodes.training.validation_plates import validation_set  # noqa: E402


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return write_material(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="module")
def responses(material):
    return measured_responses(material / "responses.npz")


def test_a_perfect_method_scores_nothing(material, responses):
    plates = validation_set(Scenes.read(material / "validation"), responses[1], views=1, size=(48, 64))
    truths = iter([each.light[0].permute(1, 2, 0).numpy() for each in plates.plates])
    # A gain is no error: it is fitted.
    scores = validate(lambda codes, truth: (next(truths) * 3, truth[None]), plates)
    for name in ("inside", "outside", "peak", "curve"):
        assert np.abs(getattr(scores, name)).max() < 2e-2, name
    assert [row[0] for row in table({"perfect": scores})] == ["perfect"]
