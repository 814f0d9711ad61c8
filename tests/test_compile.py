"""`hdrnodes compile`, with TensorRT-RTX, on a machine that may have no GPU."""

import json
import shutil

import pytest
from cli import hdrnodes

from hdrnodes.models import file_sha256
from hdrnodes.runtime.tensorrt import executor, library

NETWORKS = {"dequantize", "linearize", "hallucinate", "refine"}
needs_rtx = pytest.mark.skipif(
    bool(library.why_no_library("SM89")), reason="needs pip install tensorrt-rtx-cu13-bindings tensorrt-rtx-cu13-libs"
)


@needs_rtx
def test_builds_plans_of_a_model_for_cards_that_are_not_here(tiny_model, tmp_path):
    out = tmp_path / "plans"
    ran = hdrnodes("compile", "--model", tiny_model, "--target", "SM89,SM120", "-o", out, "--json")
    assert ran.exit_code == 0, ran.stderr
    built = json.loads(ran.stdout)
    assert {(row["network"], row["target"]) for row in built} == {(n, t) for n in NETWORKS for t in ("SM89", "SM120")}
    for row in built:
        file = out / "tensorrt" / row["file"].rpartition("/")[2]
        assert file.stat().st_size > row["size"] > 100 and row["seconds"] > 0
    assert len(list((out / "tensorrt").iterdir())) == 8


@needs_rtx
def test_fills_the_cache_and_prints_a_table(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("HDRNODES_CACHE", str(tmp_path))
    ran = hdrnodes("compile", "--model", tiny_model, "--target", "SM86", "--precision", "float32")
    assert ran.exit_code == 0, ran.stderr
    head, *rows = ran.stdout.splitlines()
    assert head.split() == ["model", "network", "target", "precision", "MB", "seconds", "file"]
    assert {row.split()[1] for row in rows} == NETWORKS
    assert {row.split()[-1] for row in rows} == {str(path) for path in (tmp_path / "tensorrt").glob("*.plan")}
    assert "4/4 tiny refine for SM86" in ran.stderr


@needs_rtx
def test_a_network_that_cannot_be_built_is_named_and_the_others_are_built(tiny_model, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(tiny_model, folder)
    (folder / "hallucinate.onnx").write_bytes(b"no graph")
    described = (folder / "model.toml").read_text()
    toml = described.replace(file_sha256(tiny_model / "hallucinate.onnx"), file_sha256(folder / "hallucinate.onnx"))
    (folder / "model.toml").write_text(toml)
    (folder / "refine.onnx").write_bytes(b"somebody else's")
    given = "--model", folder, "--target", "SM89", "--precision", "float32", "-o", tmp_path / "plans", "--json"
    ran = hdrnodes("compile", *given)
    assert ran.exit_code == 1
    assert {row["network"] for row in json.loads(ran.stdout)} == NETWORKS - {"hallucinate", "refine"}
    named = [line for line in ran.stderr.splitlines() if str(folder) in line]
    assert len(named) == 2
    assert "hallucinate.onnx: TensorRT-RTX" in named[0] and "cannot build it" in named[0]
    assert "refine.onnx: is not the file that model.toml describes" in named[1]


@needs_rtx
def test_the_bar_goes_on_where_a_network_fails(tiny_model, tmp_path, monkeypatch):
    folder = tmp_path / "broken"
    shutil.copytree(tiny_model, folder)
    for name in NETWORKS:
        (folder / f"{name}.onnx").write_bytes(b"somebody else's")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich's word for a terminal
    monkeypatch.setenv("TERM", "xterm")
    given = "--model", folder, "--target", "SM89", "--precision", "float32", "-o", tmp_path / "plans", "--json"
    ran = hdrnodes("compile", *given)
    assert ran.exit_code == 1 and json.loads(ran.stdout) == []
    assert "4/4" in ran.stderr


@needs_rtx
def test_a_folder_that_cannot_be_written(tiny_model, tmp_path):
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "tensorrt").write_text("no folder")
    ran = hdrnodes("compile", "--model", tiny_model, "--target", "SM89", "-o", tmp_path / "plans")
    assert ran.exit_code == 1 and "plans/tensorrt: could not be written" in ran.stderr
    assert ran.stdout == ""


@needs_rtx
@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("SM90", "not for SM90"),
        ("SM89,SM61", "not for SM61"),
        ("ada", "there is no target ada"),
        ("current,SM89", "there is no target current"),
        ("", "there is no target"),
    ],
)
def test_targets_that_there_are_not(target, said):
    ran = hdrnodes("compile", "--target", target)
    assert ran.exit_code == 2 and said in " ".join(ran.stderr.replace("│", " ").split())


@needs_rtx
def test_no_card_here(monkeypatch):
    monkeypatch.setattr(executor, "has_driver", lambda: False)
    ran = hdrnodes("compile")
    assert ran.exit_code == 1
    assert ran.stderr == "--target current: no NVIDIA driver here; give another, such as --target SM86,SM89\n"


@needs_rtx
def test_no_such_model():
    ran = hdrnodes("compile", "--model", "defualt", "--target", "SM89")
    assert ran.exit_code == 2 and "did you mean default" in " ".join(ran.stderr.replace("│", " ").split())


def test_no_tensorrt(monkeypatch):
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    for target in ("SM89", "current"):
        ran = hdrnodes("compile", "--target", target)
        assert ran.exit_code == 1 and len(ran.stderr.splitlines()) == 1
        assert "pip install tensorrt-rtx-cu13-bindings tensorrt-rtx-cu13-libs" in ran.stderr
