"""What is trained and validated with: views, responses, plates; the same seed gives the same ones."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'hdrnodes[train]'")

from tiny_material import write_material  # noqa: E402  (after the skip)

from hdrnodes.training.plates import PlateMaker, PlateOptions  # noqa: E402
from hdrnodes.training.responses import HELD_OUT, Responses, measured_responses, transfer_functions  # noqa: E402
from hdrnodes.training.scenes import Scenes  # noqa: E402
from hdrnodes.training.validate import table, validate  # noqa: E402
from hdrnodes.training.validation_plates import CLIPPED, validation_set  # noqa: E402
from hdrnodes.training.views import views  # noqa: E402


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Folders of panoramas to train and to validate with, and a file of responses."""
    return write_material(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="module")
def scenes(material):
    return Scenes.read(material / "train")


@pytest.fixture(scope="module")
def responses(material):
    return measured_responses(material / "responses.npz")


def test_a_view_straight_ahead_shows_what_stands_there(scenes):
    seen = views(
        scenes,
        torch.tensor([0]),
        (33, 33),
        centre=scenes.bright[:1, 0],
        roll=torch.zeros(1),
        field_of_view=torch.full((1,), math.radians(20)),
        mirror=torch.zeros(1, dtype=torch.bool),
        widest=20,
    )
    assert seen[0, :, 16, 16].min() > 0.9 * scenes.light[0].amax()


def test_held_out_responses_are_not_trained_on(responses):
    training, held_out = responses
    assert len(held_out) == HELD_OUT
    assert torch.cdist(training, held_out).min() > 1e-3


def test_drawn_responses_rise_from_0_to_1(responses):
    random = torch.Generator().manual_seed(1)
    for curves in (Responses(responses[0]).draw(200, random, channels=3), transfer_functions(200, random)):
        assert (curves[..., 0] == 0).all() and (curves[..., -1] == 1).all()
        assert (curves.diff(dim=-1) >= 0).all()


def test_one_seed_makes_one_set_of_plates(scenes, responses):
    options = PlateOptions(size=(24, 32), per_view=2, odd=0.5, lens=0, resized=0)
    maker = PlateMaker(scenes, Responses(responses[0]), options)
    one, same, other = (maker.draw(4, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(one.codes, same.codes) and not torch.equal(one.codes, other.codes)
    assert torch.equal(torch.round(one.codes * 255), (one.codes * 255).round())
    scale = one.light[0].amax() / one.light[1].amax()  # one view, two exposures
    torch.testing.assert_close(one.light[0], one.light[1] * scale, rtol=1e-4, atol=1e-6)


def test_validation_plates_clip_as_much_as_they_say(material, responses):
    plates = validation_set(Scenes.read(material / "validation"), responses[1], views=2, size=(48, 64)).plates
    for number, each in enumerate(plates):
        clipped = float((each.light.amax(dim=1) >= 1).float().mean())
        assert clipped == pytest.approx(CLIPPED[number % len(CLIPPED)], abs=0.02)


def test_a_perfect_method_scores_nothing(material, responses):
    plates = validation_set(Scenes.read(material / "validation"), responses[1], views=1, size=(48, 64))
    truths = iter([each.light[0].permute(1, 2, 0).numpy() for each in plates.plates])
    # A gain is no error: it is fitted.
    scores = validate(lambda codes, truth: (next(truths) * 3, truth[None]), plates)
    for name in ("inside", "outside", "peak", "curve"):
        assert np.abs(getattr(scores, name)).max() < 2e-2, name
    assert [row[0] for row in table({"perfect": scores})] == ["perfect"]
