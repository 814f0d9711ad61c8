"""Published TensorFlow 1 checkpoints become a model folder that computes the published numbers."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'hdrnodes[train]'")

import parity

from hdrnodes import networks
from hdrnodes.errors import ModelError
from hdrnodes.networks.checkpoint_reader import read_checkpoints
from hdrnodes.networks.emor import read_emor
from hdrnodes.networks.import_checkpoint import (
    find_checkpoints,
    find_emor,
    import_checkpoint,
    read_variables,
)

# The scope of each network's variables, and of those that Adam trains with it.
SCOPES = {
    "ckpt_deq": ("Dequantization_Net",),
    "ckpt_lin": ("crf_feature_net", "ae_invcrf_decode_net"),
    "ckpt_hal": ("Hallucination_Net",),
    "ckpt_ref": ("Refinement_Net",),
}


def write_invemor(path, mean, directions):
    """In the published text format, four numbers a line."""
    blocks = {"B": np.linspace(0, 1, 1024), "g0": mean}
    blocks |= {f"hinv({k})": direction for k, direction in enumerate(directions.T, start=1)}
    with path.open("w") as file:
        for name, numbers in blocks.items():
            file.write(f"{name} = \n" if "(" not in name else f"{name}=\n")
            for row in numbers.reshape(-1, 4):
                file.write("".join(f"  {number:.9e}" for number in row) + "\n")


@pytest.fixture(scope="module")
def save(tmp_path_factory):
    """Write checkpoints as TensorFlow 1 does; returns the names of what they hold."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("needs tensorflow: pip install 'hdrnodes[tensorflow]'")
    variables_file = tmp_path_factory.mktemp("variables") / "variables.npz"

    def save(variables, prefix, **options):
        np.savez(variables_file, **variables)
        request = {"variables": str(variables_file), "prefix": str(prefix), **options}
        command = [sys.executable, str(Path(__file__).with_name("write_checkpoint.py")), json.dumps(request)]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)

    return save


@pytest.fixture(scope="module")
def checkpoints(save, tmp_path_factory):
    """A folder per network, as published: slots of Adam in one, more scopes before the names of another."""
    folder = tmp_path_factory.mktemp("published")
    weights, reference = parity.weights(), parity.reference()
    for name, scopes in SCOPES.items():
        own = {key: value for key, value in weights.items() if key.startswith(scopes)}
        scope = "tower" if name == "ckpt_lin" else ""
        saved = save(own, folder / name / "model.ckpt", adam=name == "ckpt_deq", scope=scope)
        assert ("Dequantization_Net/conv2d/kernel/Adam_1" in saved) == (name == "ckpt_deq")
        assert all(key.startswith("tower/") for key in saved) == (name == "ckpt_lin")
    write_invemor(folder / "invemor.txt", reference["emor_g0"], reference["emor_hinv"])
    return folder


@pytest.mark.slow
def test_imported_checkpoints_compute_the_published_numbers(checkpoints, tmp_path):
    model = import_checkpoint(checkpoints, tmp_path / "published")
    assert model.name == "published"
    assert model.training["checkpoints"] == [f"{name}/model.ckpt" for name in sorted(SCOPES)]
    reference = parity.reference()
    inputs_and_output = {
        "dequantize": (["input"], "C_pred"),
        "linearize": (["C_pred"], "invcrf"),
        "hallucinate": (["B_pred"], "hal_raw"),
        "refine": (["A_pred", "B_pred", "C_pred"], "ref_out"),
    }
    for name, (inputs, output) in inputs_and_output.items():
        stage = networks.load(model.stage(name).networks[name])
        with torch.no_grad():
            result = stage(*(torch.from_numpy(reference[key]).permute(0, 3, 1, 2) for key in inputs))
        result = result if result.ndim == 2 else result.permute(0, 2, 3, 1)
        assert parity.relative_difference(result.numpy(), reference[output]) < 1e-4, name


def test_a_network_that_is_not_there_is_named(checkpoints, tmp_path):
    with pytest.raises(ModelError, match="Dequantization_Net/conv2d/kernel: is missing"):
        import_checkpoint(checkpoints / "ckpt_ref", tmp_path / "published", checkpoints / "invemor.txt")


def test_the_latest_step_is_taken_and_two_that_differ_are_refused(save, tmp_path):
    bias = np.float32([1, 2, 3])
    save({"Refinement_Net/conv2d_18/bias": bias}, tmp_path / "model.ckpt", steps=(0, 500))
    (latest,) = find_checkpoints(tmp_path)
    assert latest == tmp_path / "model.ckpt-500"
    variables = read_variables(tmp_path, [latest])
    np.testing.assert_array_equal(variables["Refinement_Net/conv2d_18/bias"], 2 * bias)
    (tmp_path / "checkpoint").unlink()  # nothing says which is the latest
    both = find_checkpoints(tmp_path)
    with pytest.raises(
        ModelError, match="different values of Refinement_Net/conv2d_18/bias, the last in model.ckpt-500"
    ):
        read_variables(tmp_path, both)


def test_a_truncated_checkpoint_is_named(save, tmp_path):
    save({"Refinement_Net/conv2d_18/bias": np.zeros(3, np.float32)}, tmp_path / "model.ckpt")
    (tmp_path / "model.ckpt.data-00000-of-00001").write_bytes(b"\0\0")
    with pytest.raises(ModelError, match="model.ckpt: cannot be read: "):
        read_variables(tmp_path, find_checkpoints(tmp_path))
    (tmp_path / "model.ckpt.index").write_bytes(b"no checkpoint" * 9)
    with pytest.raises(ModelError, match="model.ckpt: cannot be read: "):
        read_variables(tmp_path, find_checkpoints(tmp_path))


def test_without_tensorflow_the_error_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "model.ckpt.index").touch()
    (tmp_path / "tensorflow.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelError, match=re.escape("(not here); pip install 'hdrnodes[tensorflow]'")):
        read_variables(tmp_path, find_checkpoints(tmp_path))


def test_a_tensorflow_that_dies_is_told(tmp_path, monkeypatch):
    (tmp_path / "model.ckpt.index").touch()
    (tmp_path / "tensorflow.py").write_text(
        "import os, sys; print('illegal', file=sys.stderr, flush=True); os._exit(9)"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelError, match=re.escape("status 9 while reading (illegal)")):
        read_variables(tmp_path, find_checkpoints(tmp_path))


def test_folders_without_what_is_needed_are_refused(tmp_path):
    with pytest.raises(ModelError, match="no such folder"):
        find_checkpoints(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="holds no TensorFlow checkpoint"):
        find_checkpoints(tmp_path)
    with pytest.raises(ModelError, match="holds no invemor.txt"):
        find_emor(tmp_path)


def test_emor_text_is_read_as_written(tmp_path):
    rng = np.random.default_rng(3)
    mean, directions = rng.random(1024, np.float32), rng.random((1024, 25), np.float32)
    write_invemor(tmp_path / "invemor.txt", mean, directions)
    read_mean, read_directions = read_emor(find_emor(tmp_path))
    np.testing.assert_array_equal(read_mean, mean)
    np.testing.assert_array_equal(read_directions, directions[:, :11])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("E = \n 0.0 1.0\n", "has no block `g0 =`"),
        ("g0 =\n 0.0 0.5 1.0\n", "block g0 has 3 numbers, not 1024"),
        ("g0 =\n 0.0 half 1.0\n", "block g0: could not convert"),
        ("\u00e9", "cannot be read"),
    ],
    ids=["emor.txt", "short", "not a number", "not text"],
)
def test_broken_emor_text_is_refused(tmp_path, text, problem):
    (tmp_path / "invemor.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=re.escape(problem)):
        read_emor(tmp_path / "invemor.txt")


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is not None, reason="tensorflow is installed")
def test_without_tensorflow_the_other_process_says_what_to_install(tmp_path):
    with pytest.raises(ModelError, match=re.escape("pip install 'hdrnodes[tensorflow]'")) as raised:
        read_checkpoints([tmp_path / "model"], ["weights"])
    assert raised.value.subject == str(tmp_path / "model")
