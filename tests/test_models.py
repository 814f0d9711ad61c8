"""Model folders: what is exported is what is loaded, and what is broken is refused by name."""

import os
import re
import shutil
import tomllib
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hdrnodes import models
from hdrnodes.errors import ModelError
from hdrnodes.models import Model, find_models, load_model

torch = pytest.importorskip("torch", reason="needs torch: pip install 'hdrnodes[train]'")
tomli_w = pytest.importorskip("tomli_w")

from torch import Tensor, nn
from torch.nn import functional as F

from hdrnodes import networks
from hdrnodes.networks.base import StageNetwork, in_float32
from hdrnodes.networks.export import StageExport, export_again, export_model
from hdrnodes.runtime.openvino import core


class Tinted(StageNetwork):
    """Two pictures of one size and a smaller one of its own, the shapes of inputs that stages have."""

    output = "invented"
    same_size = ("linear", "window")
    half_parts = ("trunk",)

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.width = width
        self.trunk = nn.Conv2d(6, width, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.head = nn.Conv2d(width, 3, 1)

    @property
    def config(self) -> dict[str, object]:
        return {"width": self.width}

    def example_inputs(self) -> dict[str, Tensor]:
        return {
            "linear": torch.zeros(1, 3, 32, 48),
            "window": torch.zeros(1, 3, 32, 48),
            "context": torch.zeros(1, 3, 8, 9),
        }

    def forward(self, linear: Tensor, window: Tensor, context: Tensor) -> Tensor:
        height, width = linear.shape[-2:]
        x = F.pad(torch.cat([linear, window], dim=1), (0, -width % 8, 0, -height % 8), mode="replicate")
        x = in_float32(self.trunk(self.as_trunk(x)))
        x = F.interpolate(torch.relu(self.norm(x)), scale_factor=2.0, mode="bilinear")
        return linear + self.head(x)[..., :height, :width] * context.mean(dim=(2, 3), keepdim=True)


NETWORKS = {"hallucinate": Tinted}  # this file is an architecture


@pytest.fixture(scope="module")
def tinted() -> Tinted:
    torch.manual_seed(2)
    network = Tinted(width=5)
    network.norm.running_mean.normal_()
    return network.train()


@pytest.fixture(scope="module")
def exported(tinted, tmp_path_factory) -> Path:
    stages = {"hallucinate": StageExport("tinted", {"hallucinate": tinted}, multiple=8, halo=2)}
    folder = tmp_path_factory.mktemp("models") / "tinted"
    export_model(folder, "tinted", "1.2", "CC0-1.0", "For tests.", {"steps": 3, "loss": "L2"}, stages)
    return folder


@pytest.fixture
def folder(exported, tmp_path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(exported, tmp_path / "tinted"))


def test_a_loaded_model_is_what_was_exported(exported):
    model = Model.load(exported)
    stage = model.stage("hallucinate")
    network = stage.networks["hallucinate"]
    assert (model.name, model.version, model.licence) == ("tinted", "1.2", "CC0-1.0")
    assert model.training == {"steps": 3, "loss": "L2"}
    assert (stage.architecture, stage.multiple, stage.halo, stage.overview) == ("tinted", 8, 2, 0)
    assert (network.inputs, network.output) == (("linear", "window", "context"), "invented")
    assert network.config == {"width": 5}
    assert network.verified_onnx() == exported / "hallucinate.onnx"
    assert network.verified_onnx("fp16") == exported / "hallucinate.fp16.onnx"
    assert network.batched and network.fp16.largest_in == "trunk: convolution"


def test_weights_come_back_bit_for_bit_and_the_module_stays_in_training(exported, tinted, monkeypatch):
    monkeypatch.setitem(networks.ARCHITECTURES, "tinted", __name__)
    loaded = networks.load(Model.load(exported).stage("hallucinate").networks["hallucinate"])
    assert tinted.training and not loaded.training
    assert loaded.state_dict().keys() == tinted.state_dict().keys()
    for key, value in tinted.state_dict().items():
        np.testing.assert_array_equal(loaded.state_dict()[key].numpy(), value.numpy(), strict=True)


@pytest.mark.parametrize("precision", ["float32", "fp16"])
@pytest.mark.parametrize("size", [(1, 32, 48), (2, 37, 61), (3, 1, 3)], ids=str)
def test_onnx_computes_what_torch_does_at_any_size_and_batch(exported, tinted, size, precision):
    pytest.importorskip("openvino")
    network = Model.load(exported).stage("hallucinate").networks["hallucinate"]
    compiled = core().compile_model(
        network.verified_onnx(precision), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    )
    count, height, width = size
    inputs = {
        "linear": torch.rand(count, 3, height, width),
        "window": torch.rand(count, 3, height, width),
        "context": torch.rand(count, 3, 5, 7),
    }
    result = compiled({name: value.numpy() for name, value in inputs.items()})[network.output]
    was_training = tinted.training
    with torch.no_grad():
        expected = tinted.eval()(*inputs.values()).numpy()
    tinted.train(was_training)
    difference = np.abs(result - expected).max()
    # Half's weights differ from float32's by 5e-4 of themselves, so the answers must differ, too.
    assert difference < 1e-5 if precision == "float32" else 1e-5 < difference < 2e-3


def test_onnx_names_its_free_axes_and_says_nothing_of_the_machine_it_was_made_on(exported):
    import onnx

    content = (exported / "hallucinate.onnx").read_bytes()
    axes = [
        [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in onnx.load_from_string(content).graph.input
    ]
    assert axes[0] == axes[1] == ["batch", 3, "height_linear", "width_linear"]
    assert axes[2] == ["batch", 3, "height_context", "width_context"]
    assert str(Path(__file__).parent).encode() not in content
    assert b"stack_trace" not in content


def test_a_second_export_replaces_only_when_allowed(folder, tinted):
    stages = {"hallucinate": StageExport("tinted", {"hallucinate": tinted})}
    with pytest.raises(ModelError, match="exists already"):
        export_model(folder, "tinted", "2", "CC0-1.0", "", {}, stages)
    assert Model.load(folder).version == "1.2"
    (folder / "README.md").write_text("a model card")
    (folder / "left_over.onnx").touch()
    export_model(folder, "tinted", "2", "CC0-1.0", "", {}, stages, overwrite=True)
    assert Model.load(folder).version == "2"
    assert (folder / "README.md").read_text() == "a model card" and not (folder / "left_over.onnx").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["tinted"]


def test_an_export_that_is_no_model_leaves_nothing_behind(tinted, tmp_path):
    stages = {"dequantize": StageExport("tinted", {"hallucinate": tinted})}
    with pytest.raises(ModelError, match="stage dequantize needs a network dequantize"):
        export_model(tmp_path / "wrong", "wrong", "1", "CC0-1.0", "", {}, stages)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def older(folder) -> Path:
    """As a version without FP16 and batches wrote it."""
    described = tomllib.loads((folder / "model.toml").read_text())
    network = described["stages"]["hallucinate"]["networks"]["hallucinate"]
    del network["fp16"], network["batched"], network["bytes_per_pixel"]
    (folder / "hallucinate.fp16.onnx").unlink()
    (folder / "model.toml").write_text(tomli_w.dumps(described))
    return folder


def test_an_older_folder_is_read_and_says_how_to_get_what_it_lacks(older):
    network = Model.load(older).stage("hallucinate").networks["hallucinate"]
    assert network.verified_onnx() == older / "hallucinate.onnx"
    assert not network.batched
    with pytest.raises(ModelError, match=f"has no FP16 graph of network hallucinate.*train export --from {older} --ov"):
        network.verified_onnx("fp16")


def test_an_older_folder_exported_anew_has_the_same_weights_and_record_and_what_is_new(older, exported, monkeypatch):
    monkeypatch.setitem(networks.ARCHITECTURES, "tinted", __name__)
    with pytest.raises(ModelError, match="exists already"):
        export_again(older)
    again = export_again(older, overwrite=True)
    assert again.model_dump(exclude={"folder", "stages"}) == Model.load(exported).model_dump(
        exclude={"folder", "stages"}
    )
    assert (older / "hallucinate.safetensors").read_bytes() == (exported / "hallucinate.safetensors").read_bytes()
    network = again.stage("hallucinate").networks["hallucinate"]
    assert network.batched and network.verified_onnx("fp16").is_file()
    assert again.stage("hallucinate").halo == 2


@pytest.mark.parametrize("file", ["hallucinate.onnx", "hallucinate.fp16.onnx", "hallucinate.safetensors"])
def test_a_changed_file_is_refused_with_its_name_and_both_hashes(folder, file):
    content = bytearray((folder / file).read_bytes())
    content[-5] ^= 1
    (folder / file).write_bytes(content)
    network = Model.load(folder).stage("hallucinate").networks["hallucinate"]
    check, sha256 = {
        "hallucinate.onnx": (network.verified_onnx, network.onnx_sha256),
        "hallucinate.fp16.onnx": (partial(network.verified_onnx, "fp16"), network.fp16.onnx_sha256),
        "hallucinate.safetensors": (network.verified_safetensors, network.safetensors_sha256),
    }[file]
    with pytest.raises(ModelError, match=f"{re.escape(str(folder / file))}: .* expected {sha256}"):
        check()


@pytest.mark.parametrize("file", ["hallucinate.onnx", "hallucinate.fp16.onnx", "hallucinate.safetensors"])
def test_a_missing_file_is_named(folder, file):
    (folder / file).unlink()
    with pytest.raises(ModelError, match=f"{re.escape(str(folder / file))}: is missing"):
        Model.load(folder)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('version = "1.2"\n', "", "version: Field required"),
        ("multiple = 8", "multiple = 0", "stages.hallucinate.multiple: Input should be greater"),
        ("multiple = 8", "multiples = 8", "stages.hallucinate.multiples: Extra inputs"),
        (
            'onnx = "hallucinate.onnx"',
            'onnx = "../hallucinate.onnx"',
            "hallucinate.onnx: String should match",
        ),
        ("[stages.hallucinate]", "[stages.sharpen]", "stages"),
        ("[stages", "[stages[", "cannot be read"),
    ],
    ids=["no version", "bad number", "unknown key", "file outside", "foreign stage", "not TOML"],
)
def test_a_broken_description_is_refused_with_its_place(folder, old, new, problem):
    path = folder / "model.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ModelError, match=f"{re.escape(str(path))}: .*{re.escape(problem)}"):
        Model.load(folder)


def test_folders_that_are_no_models(tmp_path):
    with pytest.raises(ModelError, match="nowhere: no such model folder"):
        Model.load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="has no model.toml"):
        Model.load(tmp_path)
    (tmp_path / "model.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="model.toml: cannot be read"):
        Model.load(tmp_path)


def test_weights_of_another_network_are_refused(exported, monkeypatch):
    monkeypatch.setitem(networks.ARCHITECTURES, "tinted", __name__)
    network = Model.load(exported).stage("hallucinate").networks["hallucinate"]
    with pytest.raises(ModelError, match="not weights of tinted/hallucinate: .*size mismatch for trunk.weight"):
        networks.load(network.model_copy(update={"config": {"width": 6}}))
    with pytest.raises(ModelError, match="cannot be built: .*depth"):
        networks.load(network.model_copy(update={"config": {"depth": 6}}))
    with pytest.raises(ModelError, match="network refine: not in architecture tinted; it has: hallucinate"):
        networks.build("tinted", "refine", {})
    with pytest.raises(ModelError, match="architecture other: unknown"):
        networks.build("other", "refine", {})


def test_models_are_found_by_folder_name_and_two_of_one_name_are_an_error(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "engines_folder", lambda: tmp_path / "none")
    assert find_models([folder]) == find_models([folder.parent]) == {"tinted": folder}
    assert load_model("tinted", find_models([folder])).name == "tinted"
    with pytest.raises(ModelError, match="model best: not found; give one of: tinted"):
        load_model("best", find_models([folder]))
    shutil.copytree(folder, tmp_path / "other" / "tinted")
    with pytest.raises(ModelError, match=f"a model tinted is in {re.escape(str(folder))} too"):
        find_models([folder, tmp_path / "other"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="files have no such modes here")
def test_whoever_may_read_one_file_of_a_model_may_read_all(tinted, tmp_path):
    before = os.umask(0o027)
    try:
        stages = {"hallucinate": StageExport("tinted", {"hallucinate": tinted})}
        export_model(tmp_path / "tinted", "tinted", "1", "CC0-1.0", "", {}, stages)
    finally:
        os.umask(before)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "tinted").iterdir()}
    assert modes == dict.fromkeys(
        ["model.toml", "hallucinate.onnx", "hallucinate.fp16.onnx", "hallucinate.safetensors"], "0o640"
    )


def test_training_record_is_plain_toml(exported):
    record = tomllib.loads((exported / "model.toml").read_text(encoding="utf-8"))
    assert list(record) == ["name", "version", "licence", "description", "training", "stages"]
    assert "folder" not in record["stages"]["hallucinate"]["networks"]["hallucinate"]
