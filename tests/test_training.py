"""Training: the same seed gives the same plates, every stage trains and exports."""

import json
import math

import numpy as np
import OpenImageIO as oiio
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'hdrnodes[train]'")

from click.testing import CliRunner  # noqa: E402  (after the skip)

from hdrnodes.camera.response import SAMPLES  # noqa: E402
from hdrnodes.models import Model  # noqa: E402
from hdrnodes.training.cli import train as command  # noqa: E402
from hdrnodes.training.plates import PlateMaker, PlateOptions  # noqa: E402
from hdrnodes.training.responses import HELD_OUT, Responses, measured_responses, transfer_functions  # noqa: E402
from hdrnodes.training.scenes import Scenes  # noqa: E402
from hdrnodes.training.validate import table, validate  # noqa: E402
from hdrnodes.training.validation_plates import CLIPPED, validation_set  # noqa: E402
from hdrnodes.training.views import views  # noqa: E402


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Folders of panoramas to train and to validate with, and a file of responses."""
    folder = tmp_path_factory.mktemp("material")
    for split in ("train", "validation"):
        (folder / split).mkdir()
        for number in range(2):
            picture = oiio.ImageBuf(_panorama(number))
            assert picture.write(str(folder / split / f"scene_{number}.exr"))
    grid = np.linspace(0, 1, SAMPLES)
    powers = np.linspace(1.2, 3, HELD_OUT + 4)
    np.savez(folder / "responses.npz", inverse=np.float32([grid**power for power in powers]))
    return folder


def _panorama(number):
    """A sky, a ground, a sun that is many stops brighter, and texture; 32 x 64."""
    y, x = np.mgrid[0:32, 0:64]
    light = np.where(y < 16, 1.0, 0.2)[..., None] * [0.8, 0.9, 1.0]
    light = light * (1 + 0.5 * np.sin(x * (number + 1))[..., None] * np.cos(y)[..., None])
    light[8:10, 30:33] = 500
    return np.float32(light)


@pytest.fixture(scope="module")
def scenes(material):
    return Scenes(material / "train")


@pytest.fixture(scope="module")
def responses(material):
    return measured_responses(material / "responses.npz")


def test_a_view_straight_ahead_shows_what_stands_there(scenes):
    zero = torch.zeros(1)
    seen = views(
        scenes,
        torch.tensor([0]),
        (33, 33),
        yaw=scenes.bright[:1, 0, 0],
        pitch=scenes.bright[:1, 0, 1],
        roll=zero,
        field_of_view=torch.full((1,), math.radians(20)),
        mirror=zero.bool(),
    )
    assert seen[0, :, 16, 16].min() > 0.9 * scenes.light[0].amax()


def test_no_panorama_is_an_error_that_names_the_folder(tmp_path):
    with pytest.raises(OSError, match=r"holds no equirectangular"):
        Scenes(tmp_path)


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
    maker = PlateMaker(scenes, Responses(responses[0]), PlateOptions(size=(24, 32), per_view=2, odd=0.5))
    one, same, other = (maker.draw(4, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(one.codes, same.codes) and not torch.equal(one.codes, other.codes)
    assert torch.equal(torch.round(one.codes * 255), (one.codes * 255).round())
    scale = one.light[0].amax() / one.light[1].amax()  # one view, two exposures
    torch.testing.assert_close(one.light[0], one.light[1] * scale, rtol=1e-4, atol=1e-6)


def test_validation_plates_clip_as_much_as_they_say(material, responses):
    plates = validation_set(Scenes(material / "validation"), responses[1], views=2, size=(48, 64)).plates
    for number, each in enumerate(plates):
        clipped = float((each.light.amax(dim=1) >= 1).float().mean())
        assert clipped == pytest.approx(CLIPPED[number % len(CLIPPED)], abs=0.02)


def test_a_perfect_method_scores_nothing(material, responses):
    plates = validation_set(Scenes(material / "validation"), responses[1], views=1, size=(48, 64))
    truths = iter([each.light[0].permute(1, 2, 0).numpy() for each in plates.plates])
    # A gain is no error: it is fitted.
    scores = validate(lambda codes, truth: (next(truths) * 3, truth[None]), plates)
    for name in ("inside", "outside", "peak", "curve"):
        assert np.abs(getattr(scores, name)).max() < 2e-2, name
    assert [row[0] for row in table({"perfect": scores})] == ["perfect"]


@pytest.mark.slow
def test_every_stage_trains_and_the_model_reconstructs(material, tmp_path, monkeypatch):
    import hdrnodes.training.default_model as default_model

    small = {name: default_model.RECIPES[name] for name in default_model.RECIPES}
    for name, recipe in small.items():
        monkeypatch.setitem(
            default_model.RECIPES,
            name,
            default_model.Recipe((32, 48), steps=2, batch=2, rate=recipe.rate, validate_every=2),
        )
    options = ["--scenes", material / "train", "--validation", material / "validation"]
    options += ["--responses", material / "responses.npz", "--runs", tmp_path / "runs"]
    for stage in ("dequantize", "linearize", "hallucinate", "refine"):
        result = CliRunner().invoke(command, [stage, *map(str, options)], catch_exceptions=False)
        assert result.exit_code == 0
        log = json.loads((tmp_path / "runs" / stage / "log.jsonl").read_text().splitlines()[-1])
        assert all(math.isfinite(value) for value in log.values())
    arguments = ["export", "--runs", str(tmp_path / "runs"), "-o", str(tmp_path / "default")]
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    assert set(Model.load(tmp_path / "default").stages) == set(small)
