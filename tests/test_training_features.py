"""The perceptual loss takes the VGG16 that `hdrnodes metric-weights` brought; without it, the record says so too."""

import json
import tomllib

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'hdrnodes[train]'")

from click.testing import CliRunner
from safetensors.torch import save_file
from tiny_material import write_material

from hdrnodes.cli import main
from hdrnodes.metrics.weights import VGG16, weights_path


@pytest.mark.parametrize("brought", [True, False])
def test_vgg16_is_used_where_it_was_brought(brought, tmp_path, monkeypatch):
    monkeypatch.setenv("HDRNODES_CACHE", str(tmp_path / "cache"))
    if brought:
        (file := weights_path("vgg16")).parent.mkdir(parents=True)
        random = torch.Generator().manual_seed(1)
        save_file({k: torch.randn(shape, generator=random) * 0.02 for k, shape in VGG16.shapes().items()}, file)
    (tmp_path / "material").mkdir()
    material = write_material(tmp_path / "material")
    arguments = ["train", "hallucinate", "--scenes", material / "train", "--validation", material / "validation"]
    arguments += ["--responses", material / "responses.npz", "--config", material / "tiny.toml", "--runs", tmp_path]
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.stderr
    assert ("the perceptual loss is left out" in done.stderr) is not brought
    run = tmp_path / "default" / "hallucinate"
    assert ("perceptual" in json.loads((run / "losses.jsonl").read_text().splitlines()[0])) is brought
    weights = tomllib.loads((run / "run.toml").read_text())["recipe"]["hallucinate"]["weights"]
    assert (weights["perceptual"] > 0) is brought
