"""`hdrnodes train`: each stage of both models by one command, on from where it stopped, to a model folder."""

import json
import math
import shutil
import subprocess
import sys
import tomllib

import numpy as np
import OpenImageIO as oiio
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'hdrnodes[train]'")

from click.testing import CliRunner
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_material import panorama, write_material

from hdrnodes.cli import main
from hdrnodes.models import Model, engines_folder
from hdrnodes.training.recipe import RECIPES, load_recipe
from hdrnodes.training.trainable import MODELS

STAGES = ("dequantize", "linearize", "hallucinate", "refine")
RUNS = ("dequantize", "linearize", "hallucinate", "joint", "refine")
SHOWN = {  # in TensorBoard
    "dequantize": {"plate", "left of the error"},
    "linearize": {"plate", "curve"},
    "hallucinate": {"plate", "light"},
    "joint": {"plate", "light", "curve"},
    "refine": {"plate", "light", "curve"},
}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return write_material(tmp_path_factory.mktemp("material"))


@pytest.fixture
def train(material, tmp_path):
    """Call `hdrnodes train STAGE` in this process, with the tiny material; returns its exit code and standard error."""

    def train(stage, *options, config=None):
        arguments = ["train", stage, "--scenes", material / "train", "--validation", material / "validation"]
        arguments += ["--responses", material / "responses.npz", "--runs", tmp_path / "runs"]
        arguments += ["--config", config or material / "tiny.toml", *options]
        done = CliRunner().invoke(main, list(map(str, arguments)))
        return done.exit_code, done.stderr

    return train


def log_of(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_every_stage_trains_goes_on_and_comes_out_as_a_model(model, train, tmp_path):
    pytest.importorskip("tensorboard", reason="needs tensorboard: pip install 'hdrnodes[train]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for run in RUNS:
        assert train(run, "--model", model)[0] == 0
        folder = tmp_path / "runs" / model / run
        last = log_of(folder)[-1]
        assert last["step"] == 2
        assert all(math.isfinite(value) for value in last.values())
        seen = EventAccumulator(str(folder / "board")).Reload().Tags()["images"]
        assert set(seen) == SHOWN[run]
        if model == "default":
            before = load_file(folder / "last.safetensors")
            code, said = train(run, "--model", model, "--steps", "3")
            assert code == 0 and "goes on from step 2" in said
            assert log_of(folder)[-1]["step"] == 3
            after = load_file(folder / "last.safetensors")
            assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith("network."))
    output = tmp_path / "exported"
    options = ["--model", model, "--runs", tmp_path / "runs", "-o", output]
    assert CliRunner().invoke(main, ["train", "export", *map(str, options)]).exit_code == 0
    exported = Model.load(output)
    assert set(exported.stages) == set(STAGES) and exported.name == model
    assert set(exported.training["runs"]) == set(RUNS)
    # Joint training comes after the stages' own, and training end to end after that.
    last = "refine" if model == "published" else "joint"
    whole = load_file(tmp_path / "runs" / model / last / "best.safetensors")
    weights = load_file(output / "dequantize.safetensors")
    assert all(torch.equal(value, whole[f"stages.dequantize.{name}"]) for name, value in weights.items())


def test_a_run_says_what_it_was_made_with(train, material, tmp_path):
    assert train("dequantize", "--batch", "3", "--precision", "float32")[0] == 0
    run = tmp_path / "runs" / "default" / "dequantize"
    record = tomllib.loads((run / "run.toml").read_text())
    own = record["recipe"]["dequantize"]
    assert (own["batch"], own["precision"], own["plates"]["size"]) == (3, "float32", [32, 48])
    with safe_open(run / "last.safetensors", "pt") as checkpoint:
        assert json.loads(checkpoint.metadata()["run"])["recipe"] == record["recipe"]


def test_a_run_is_not_continued_with_another_recipe(train, material, tmp_path):
    assert train("dequantize")[0] == 0
    code, said = train("dequantize", "--batch", "3")
    assert code == 1
    assert "was begun with another recipe.dequantize.batch: 2, not 3; give it the same" in said
    other = tmp_path / "other.toml"
    other.write_text((material / "tiny.toml").read_text() + "\n[dequantize.weights]\nsquared = 1.0\n")
    code, said = train("dequantize", config=other)
    assert code == 1 and "recipe.dequantize.weights.squared: 0.0, not 1.0" in said


def test_a_run_of_an_older_version_is_continued(train, tmp_path):
    assert train("dequantize")[0] == 0
    record = tmp_path / "runs" / "default" / "dequantize" / "run.toml"
    told = record.read_text()
    record.write_text(told.replace("shallow = 0.0\n", ""))  # a key that came since
    assert record.read_text() != told
    assert train("dequantize", "--steps", "3")[0] == 0
    record.write_text(told.replace("shallow = 0.0\n", "shallow = 0.5\n"))
    code, said = train("dequantize", "--steps", "4")
    assert code == 1 and "recipe.dequantize.plates.shallow: 0.5, not 0.0" in said


def test_numbers_of_plates_are_drawn_once_and_trained_on(train, material, tmp_path, monkeypatch):
    monkeypatch.setattr("hdrnodes.training.linearize_kept.DRAWS_IN_A_FILE", 1)
    keeping = tmp_path / "keeping.toml"
    keeping.write_text((material / "tiny.toml").read_text().replace("kept = 0", "kept = 6\ndrawn_at_once = 4"))
    run = tmp_path / "runs" / "default" / "linearize"
    assert train("linearize", config=keeping)[0] == 0
    files = [run / "numbers-0-0000000.safetensors", run / "numbers-0-0000004.safetensors"]
    assert sorted(run.glob("numbers-*")) == files
    numbers = torch.cat([load_file(each)["numbers"] for each in files])[:6]
    assert len(numbers.unique(dim=0)) == 6
    trained = load_file(run / "best.safetensors")
    torch.testing.assert_close(trained["network.normalise.running_mean"], numbers.mean(dim=0))
    written = files[0].stat().st_mtime_ns
    assert train("linearize", "--steps", "3", config=keeping)[0] == 0
    assert files[0].stat().st_mtime_ns == written
    assert [line["step"] for line in log_of(run)] == [0, 2, 3]
    (run / "last.safetensors").unlink()  # stopped before the first checkpoint, while it drew the second file
    files[1].unlink()
    assert train("linearize", config=keeping)[0] == 0
    assert files[0].stat().st_mtime_ns == written
    assert torch.equal(load_file(files[1])["numbers"][:2], numbers[4:])
    (run / "last.safetensors").unlink()
    assert train("linearize", "--scenes", material / "validation", config=keeping)[0] == 0
    assert files[0].stat().st_mtime_ns > written
    assert not torch.equal(torch.cat([load_file(each)["numbers"] for each in files])[:6], numbers)
    keeping.write_text(keeping.read_text() + "\n[linearize.weights]\npicture = 0.0\nstops = 0.0\n")
    code, said = train("linearize", "--model", "published", config=keeping)
    assert code == 1 and "linearize of published sees pixels" in said and "linearize.kept = 0" in said


def test_a_run_starts_from_a_model_folder_or_a_checkpoint(train, tmp_path):
    engine = engines_folder() / "default"
    assert train("dequantize", "--start", engine)[0] == 0
    run = tmp_path / "runs" / "default" / "dequantize"
    # Two steps with a rate that has hardly risen: the weights are those it started from, but for a little.
    given, found = load_file(engine / "dequantize.safetensors"), load_file(run / "last.safetensors")
    for name, value in given.items():
        torch.testing.assert_close(found[f"network.{name}"], value, atol=1e-4, rtol=0)
    best = tmp_path / "best.safetensors"
    shutil.move(run / "best.safetensors", best)
    shutil.rmtree(run)
    assert train("dequantize", "--start", best)[0] == 0
    # The same again after a kill, where the start is long gone, goes on.
    best.unlink()
    assert train("dequantize", "--start", best, "--steps", "3")[0] == 0
    assert log_of(run)[-1]["step"] == 3


def test_weights_of_another_network_are_no_start(train, tmp_path):
    engine = engines_folder() / "default"
    code, said = train("dequantize", "--start", engine / "linearize.safetensors")
    assert code == 1 and "linearize.safetensors: is of another network" in said
    code, said = train("dequantize", "--start", engine, "--model", "published")
    assert code == 1 and "dequantize.safetensors: is of another network" in said
    shapes = load_file(engine / "dequantize.safetensors")
    shapes["head.weight"] = shapes["head.weight"][:, :3].contiguous()
    save_file(shapes, tmp_path / "narrow.safetensors")
    code, said = train("dequantize", "--start", tmp_path / "narrow.safetensors")
    assert code == 1 and "head.weight: 12 x 3 x 3 x 3 there, 12 x 24 x 3 x 3 here" in said
    code, said = train("joint", "--start", engine / "dequantize.safetensors")
    assert code == 1 and "does not hold dequantize among others" in said
    code, said = train("joint", "--start", tmp_path / "none.safetensors")
    assert code == 1 and len(said.splitlines()) == 2 and "holds no weights that can be read" in said


@pytest.mark.slow
def test_joint_and_refine_start_from_a_model_and_refine_takes_photographs(train, tmp_path):
    for folder in ("ldr", "hdr"):
        (tmp_path / "pairs" / folder).mkdir(parents=True)
    for number in range(2):
        light = np.kron(panorama(number), np.ones((2, 2, 1), np.float32))
        assert oiio.ImageBuf(light).write(str(tmp_path / "pairs" / "hdr" / f"{number}.exr"))
        codes = np.uint8(np.round(np.clip(light, 0, 1) ** (1 / 2.2) * 255))
        assert oiio.ImageBuf(codes).write(str(tmp_path / "pairs" / "ldr" / f"{number}.png"))
    engine = engines_folder() / "default"
    code, said = train("joint", "--start", engine)
    assert code == 0, said
    code, said = train("refine", "--end-to-end", "--pairs", tmp_path / "pairs", "--start", engine)
    assert code == 0, said
    runs = tmp_path / "runs" / "default"
    assert tomllib.loads((runs / "refine" / "run.toml").read_text())["recipe"]["refine"]["end_to_end"]
    trained, given = load_file(runs / "refine" / "last.safetensors"), load_file(engine / "dequantize.safetensors")
    moved = [name for name in given if not torch.equal(trained[f"network.stages.dequantize.{name}"], given[name])]
    assert moved
    # One stage goes on from what was trained together.
    best = runs / "joint" / "best.safetensors"
    assert train("hallucinate", "--start", best)[0] == 0


def test_without_the_stages_before_it_a_command_says_what_to_run(train):
    code, said = train("joint")
    assert code == 1
    assert "dequantize/best.safetensors: there is no such checkpoint; run `hdrnodes train dequantize" in said


@pytest.mark.slow
def test_scenes_that_were_packed_train_the_same(train, material, tmp_path):
    arguments = ["train", "pack", "--scenes", material / "train", "-o", tmp_path / "scenes.safetensors"]
    assert CliRunner().invoke(main, list(map(str, arguments))).exit_code == 0
    assert train("dequantize")[0] == 0
    run = tmp_path / "runs" / "default" / "dequantize"
    losses = (run / "losses.jsonl").read_text()
    shutil.rmtree(run)
    both = ["--scenes", tmp_path / "scenes.safetensors", "--runs", tmp_path / "again"]
    plain = ["--validation", material / "validation", "--responses", material / "responses.npz"]
    arguments = ["train", "dequantize", *both, *plain, "--config", material / "tiny.toml"]
    assert CliRunner().invoke(main, list(map(str, arguments))).exit_code == 0
    assert (tmp_path / "again" / "default" / "dequantize" / "losses.jsonl").read_text() == losses
    done = CliRunner().invoke(main, [*map(str, ["train", "pack", "--scenes", material / "train", "-o", "scenes.exr"])])
    assert done.exit_code == 1 and "which end in .safetensors" in done.stderr


@pytest.mark.slow
def test_packed_scenes_train_without_openimageio_and_what_is_not_needed(material, tmp_path):
    plain = []
    for split in ("train", "validation"):
        plain.append(tmp_path / f"{split}.safetensors")
        arguments = ["train", "pack", "--scenes", material / split, "-o", plain[-1]]
        assert CliRunner().invoke(main, list(map(str, arguments))).exit_code == 0
    lacking = "import sys\nfor name in ('OpenImageIO', 'openvino', 'onnx', 'scipy', 'tensorboard'):\n"
    lacking += "    sys.modules[name] = None\nfrom hdrnodes.cli import main\nmain()"
    for stage in ("hallucinate", "linearize"):  # linearize draws plots where it can
        command = [sys.executable, "-c", lacking, "train", stage, "--scenes", plain[0], "--validation", plain[1]]
        command += ["--responses", material / "responses.npz", "--config", material / "tiny.toml", "--runs", tmp_path]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [str(tmp_path / "default" / stage / "best.safetensors")]


@pytest.mark.slow
def test_two_processes_train_by_one_command(material, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "hdrnodes", "train", "dequantize", "--scenes", material / "train", "--runs", tmp_path]
    command += ["--validation", material / "validation", "--responses", material / "responses.npz"]
    command += ["--config", material / "tiny.toml"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "default" / "dequantize" / "best.safetensors")]
    assert tomllib.loads((tmp_path / "default" / "dequantize" / "run.toml").read_text())["processes"] == 2


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("[hallucinate.weights]\npek = 1.0", "hallucinate.weights.pek is no key of a recipe; did you mean peak?"),
        ("[halucinate]\nsteps = 1", "halucinate is no key of a recipe; did you mean hallucinate?"),
        ("[refine.plates]\nsizes = [1, 2]", "refine.plates.sizes is no key of a recipe; did you mean size or resized?"),
        ("[refine.plates]\nclipped = [0.1, 25]", "refine.plates.clipped.1: Input should be less than or equal to 1"),
        ("[dequantize]\nsteps = 0", "dequantize.steps: Input should be greater than or equal to 1"),
        ("[linearize]\nsees = 'nothing'", "linearize.sees: Input should be 'truth' or 'plate'"),
        ("dequantize = 3", "dequantize: Input should be"),
        ("steps = = 3", "cannot be read: Invalid value"),
        (None, "cannot be read: .*No such file"),
    ],
)
def test_a_wrong_recipe_is_one_line_with_file_and_key(config, problem, train, tmp_path):
    file = tmp_path / "my.toml"
    if config is not None:
        file.write_text(config)
    code, said = train("dequantize", config=file)
    assert code == 1 and len(said.splitlines()) == 1
    assert said.startswith(f"{file}: ")
    assert problem.split(".*")[0] in said and problem.split(".*")[-1] in said


def test_a_recipe_changes_what_it_names_and_nothing_else(tmp_path):
    (tmp_path / "my.toml").write_text("[hallucinate.weights]\npeak = 0.5\n[hallucinate.plates]\nodd = 0.1\n")
    shipped, mine = load_recipe("default"), load_recipe("default", tmp_path / "my.toml")
    assert (mine.hallucinate.weights.peak, mine.hallucinate.plates.odd) == (0.5, 0.1)
    assert mine.hallucinate.weights.squared == shipped.hallucinate.weights.squared
    assert mine.hallucinate.plates.size == shipped.hallucinate.plates.size
    assert mine.linearize == shipped.linearize


def test_the_published_recipe_is_what_was_published():
    recipe = load_recipe("published")
    for stage in (recipe.dequantize, recipe.linearize, recipe.hallucinate):
        assert (stage.rate, stage.batch, stage.steps, stage.weight_decay) == (1e-4, 8, 500_000, 0)
        assert stage.plates.size == (256, 256) and stage.extremes == 0.5
    assert recipe.linearize.weights.picture == 10 * recipe.linearize.weights.curve
    weights = recipe.hallucinate.weights
    assert (weights.log, weights.tv) == (1, 0.1) and (weights.squared, weights.peak, weights.texture) == (0, 0, 0)
    assert (recipe.refine.rate, recipe.refine.steps, recipe.refine.end_to_end) == (1e-5, 100_000, True)


def test_each_model_has_a_recipe():
    assert {file.stem for file in RECIPES.glob("*.toml")} == set(MODELS)
