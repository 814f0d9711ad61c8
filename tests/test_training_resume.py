"""Stages of both models, on real plates: a run that was cut off goes on with the losses it would have had."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'hdrnodes[train]'")

from tiny_material import write_material

from hdrnodes.training.distributed import Workers
from hdrnodes.training.recipe import load_recipe
from hdrnodes.training.session import Material, Session
from hdrnodes.training.trainable import trainable

# The other stages of `published` keep nothing that these do not, and take a minute.
STAGES = {
    "default": ("dequantize", "linearize", "hallucinate", "joint", "refine"),
    "published": ("dequantize", "linearize"),
}


class CutOff(Exception):
    pass


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return write_material(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="module")
def runs(material, tmp_path_factory):
    """Where the stages of both models have been trained without a stop: joint and refine begin with the others."""
    folder = tmp_path_factory.mktemp("whole")
    for model, stages in STAGES.items():
        for stage in stages:
            _session(model, stage, material, folder).fit(compiled=False)
    return folder


def _session(model, stage, material, folder):
    recipe = load_recipe(model, material / "tiny.toml")
    changed = getattr(recipe, stage).model_copy(update={"steps": 4, "validate_every": 2})
    recipe = recipe.model_copy(update={stage: changed})
    given = Material([material / "train"], [material / "validation"], material / "responses.npz")
    return Session(stage, trainable(model), recipe, given, folder, None, 0, Workers(), lambda _: None)


def _until_the_fourth_step(training_stage):
    def made(*arguments):
        stage, taken = training_stage(*arguments), []
        step = stage.step

        def counted(network, random):
            taken.append(1)
            if len(taken) == 4:
                raise CutOff
            return step(network, random)

        stage.step = counted
        return stage

    return made


def _losses(folder):
    return [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "stage"), [(model, stage) for model in STAGES for stage in STAGES[model]])
def test_a_stage_that_was_cut_off_goes_on_with_the_same_losses(model, stage, runs, material, tmp_path):
    for before in ("dequantize", "linearize", "hallucinate", "joint"):
        if before != stage:
            (tmp_path / model).mkdir(exist_ok=True)
            (tmp_path / model / before).symlink_to(runs / model / before)
    cut = _session(model, stage, material, tmp_path)
    cut.training_stage = _until_the_fourth_step(cut.training_stage)
    with pytest.raises(CutOff):
        cut.fit(compiled=False)
    torch.manual_seed(99)
    _session(model, stage, material, tmp_path).fit(compiled=False)
    whole, again = (_losses(folder / model / stage) for folder in (runs, tmp_path))
    assert [line["step"] for line in again] == [1, 2, 3, 4]
    assert len({line["loss"] for line in again}) == 4
    assert again == whole


@pytest.mark.slow
def test_a_killed_command_goes_on_with_the_same_losses(material, tmp_path):
    def command(runs):
        given = ["--scenes", material / "train", "--validation", material / "validation"]
        given += ["--responses", material / "responses.npz", "--config", tmp_path / "long.toml", "--runs", runs]
        return subprocess.Popen(
            [sys.executable, "-m", "hdrnodes", "train", "linearize", *map(str, given)],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    recipe = (material / "tiny.toml").read_text()
    recipe = recipe.replace("steps = 2", "steps = 60").replace("validate_every = 2", "validate_every = 20")
    (tmp_path / "long.toml").write_text(recipe)
    killed, whole = (tmp_path / name / "default" / "linearize" / "losses.jsonl" for name in ("killed", "whole"))
    process = command(tmp_path / "killed")
    deadline = time.monotonic() + 100
    while not killed.exists() or len(killed.read_text().splitlines()) < 21:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    for runs in ("killed", "whole"):
        process = command(tmp_path / runs)
        said = process.communicate(timeout=200)[1]
        assert process.returncode == 0, said
        assert ("goes on from step" in said) == (runs == "killed")
    assert len(killed.read_text().splitlines()) == 60
    assert killed.read_text() == whole.read_text()
