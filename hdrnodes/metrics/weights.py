"""The networks inside LPIPS and DISTS: their layers, and where their weights lie once `hdrnodes metric-weights` ran.

Nothing here downloads. Each file is safetensors; `shapes` has the names and shapes of its tensors, all float32.
Sources: AlexNet, Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014; VGG16, Simonyan
and Zisserman, ICLR 2015; both in torchvision's layout, trained by torchvision on ImageNet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hdrnodes.errors import ModelError

Weights = dict[str, np.ndarray]
REMEDY = "bring it with `hdrnodes metric-weights`"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB 0..1


@dataclass(frozen=True)
class Conv:
    """A convolution and its ReLU."""

    inputs: int
    outputs: int
    size: int = 3
    stride: int = 1
    padding: int = 1
    pooled: bool = False  # its input is


@dataclass(frozen=True)
class Classifier:
    """The convolutions of a network that was trained to classify.

    Attributes:
        convs: in their order.
        stages: after which of them LPIPS and DISTS look.
        pool: side of the max pool's window, whose stride is 2.
        smallest: pixels, the shortest side of which anything is left at the last stage.
    """

    convs: Mapping[str, Conv]
    stages: tuple[str, ...]
    pool: int
    smallest: int

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of all its tensors; `lpips.<stage>` weighs the channels of a stage."""
        shapes: dict[str, tuple[int, ...]] = {}
        for name, conv in self.convs.items():
            shapes[f"{name}.weight"] = (conv.outputs, conv.inputs, conv.size, conv.size)
            shapes[f"{name}.bias"] = (conv.outputs,)
        return shapes | {f"lpips.{stage}": (self.convs[stage].outputs,) for stage in self.stages}


ALEXNET = Classifier(
    {
        "conv1": Conv(3, 64, size=11, stride=4, padding=2),
        "conv2": Conv(64, 192, size=5, padding=2, pooled=True),
        "conv3": Conv(192, 384, pooled=True),
        "conv4": Conv(384, 256),
        "conv5": Conv(256, 256),
    },
    stages=("conv1", "conv2", "conv3", "conv4", "conv5"),
    pool=3,
    smallest=31,
)
VGG16 = Classifier(
    {
        "conv1_1": Conv(3, 64),
        "conv1_2": Conv(64, 64),
        "conv2_1": Conv(64, 128, pooled=True),
        "conv2_2": Conv(128, 128),
        "conv3_1": Conv(128, 256, pooled=True),
        "conv3_2": Conv(256, 256),
        "conv3_3": Conv(256, 256),
        "conv4_1": Conv(256, 512, pooled=True),
        "conv4_2": Conv(512, 512),
        "conv4_3": Conv(512, 512),
        "conv5_1": Conv(512, 512, pooled=True),
        "conv5_2": Conv(512, 512),
        "conv5_3": Conv(512, 512),
    },
    stages=("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3"),
    pool=2,
    smallest=16,
)
CLASSIFIERS = {"alexnet": ALEXNET, "vgg16": VGG16}


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the tensors of "alexnet", "vgg16" or "dists"."""
    if name == "dists":
        channels = 3 + sum(VGG16.convs[stage].outputs for stage in VGG16.stages)  # the picture's own come first
        return {"alpha": (channels,), "beta": (channels,)}
    return CLASSIFIERS[name].shapes()


def weights_folder() -> Path:
    """Where the files lie: `metric-weights` in the cache folder, which `$HDRNODES_CACHE` can move.

    Raises:
        ModelError: there is no cache folder, and none can be made.
    """
    from hdrnodes.runtime.executor import cache_folder

    folder = cache_folder()
    if folder is None:
        raise ModelError("the cache folder", "cannot be made or written to", "name another as $HDRNODES_CACHE")
    return folder / "metric-weights"


def weights_path(name: str) -> Path:
    """The file of "alexnet", "vgg16" or "dists"."""
    return weights_folder() / f"{name}.safetensors"


def read_tensors(path: Path, wanted: Mapping[str, tuple[int, ...]]) -> Weights:
    """Read the tensors that `wanted` names; the file may hold more.

    Raises:
        ModelError: the file is missing, is no safetensors, or has not these names, these shapes and float32.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(path, "is missing", REMEDY)
    try:
        with safe_open(path, framework="numpy") as file:
            weights = {name: file.get_tensor(name) for name in wanted}
    except (OSError, SafetensorError) as error:
        raise ModelError(path, f"cannot be read: {error}", REMEDY) from error
    for name, shape in wanted.items():
        if weights[name].shape != shape or weights[name].dtype != np.float32:
            found = f"{weights[name].dtype} {weights[name].shape}"
            raise ModelError(path, f"its {name} is {found}, not float32 {shape}", REMEDY)
    return weights
