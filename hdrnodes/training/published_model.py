"""How the stages of `published` are made to be trained anew, and exported. Source: Liu et al., CVPR 2020."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from hdrnodes.camera.basis import response_basis
from hdrnodes.metrics.weights import MEAN, STD, VGG16, read_tensors
from hdrnodes.networks.export import StageExport
from hdrnodes.networks.import_checkpoint import OVERVIEW, published_stages
from hdrnodes.networks.published import NETWORKS, Published
from hdrnodes.networks.published.hallucinate import VGG_MEAN, Hallucinate
from hdrnodes.networks.published.linearize import Linearize
from hdrnodes.training.trainable import Trainable
from hdrnodes.training.whole import ReducedFrame


def _make(stage: str) -> nn.Module:
    network = NETWORKS[stage]()
    if isinstance(network, Linearize):
        basis = response_basis()
        network.mean.copy_(torch.from_numpy(basis.mean))
        network.directions.copy_(torch.from_numpy(basis.directions))
        return ReducedFrame(network, OVERVIEW)
    if isinstance(network, Hallucinate):
        _initialise(network)
    return network


@torch.no_grad()
def _initialise(network: Hallucinate) -> None:
    """The skips start as sums, as published; the rest so that light keeps its size (He et al., ICCV 2015)."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            assert part.bias is not None
            nn.init.zeros_(part.bias)
    for fuse in (*network.fuse, network.fuse_picture):
        assert isinstance(fuse, nn.Conv2d)
        fuse.weight.copy_(torch.eye(fuse.out_channels).repeat(1, 2)[:, :, None, None])


@torch.no_grad()
def start_from_vgg16(network: Hallucinate, file: Path) -> None:
    """Give the encoder the weights of VGG16 that the perceptual loss has too (`hdrnodes.training.vgg`).

    Theirs take RGB in 0..1, less a mean, in units of its spread; the encoder takes BGR in 0..255 less a mean, and its
    skips are divided by 255. The first layer is rewritten for that, and all are scaled so that the features are as
    large as those of the network that the published code started from.

    Raises:
        ModelError: the file is missing, or does not hold conv1_1 to conv5_3.
    """
    wanted = {name: shape for name, shape in VGG16.shapes().items() if name.startswith("conv")}
    weights = {name: torch.from_numpy(value) for name, value in read_tensors(file, wanted).items()}
    convs = [part for part in network.encoder.modules() if isinstance(part, nn.Conv2d)]
    spread, mean = torch.tensor(STD), torch.tensor(MEAN)
    larger = 255 * float(spread.mean())
    first = weights["conv1_1.weight"] / spread[:, None, None]
    # Through a ReLU, what is larger by a factor stays so: of the layers after the first only the bias must follow.
    weights["conv1_1.bias"] += (first.sum(dim=(2, 3)) * (torch.tensor(VGG_MEAN[::-1]) / 255 - mean)).sum(dim=1)
    weights["conv1_1.weight"] = first.flip(1) * (larger / 255)
    for name, conv in zip(VGG16.convs, convs, strict=True):
        assert conv.bias is not None
        conv.weight.copy_(weights[f"{name}.weight"])
        conv.bias.copy_(weights[f"{name}.bias"] * larger)


def _export(stage: str, network: nn.Module) -> StageExport:
    with torch.device("meta"):  # what is not exported needs no memory
        whole = Published()
    setattr(whole, stage, network.network if isinstance(network, ReducedFrame) else network)
    exports: Mapping[str, StageExport] = published_stages(whole)
    return exports[stage]


MODEL = Trainable(
    name="published",
    version="trained anew",
    licence="That of whoever trained it.",
    description="The networks of Liu et al., CVPR 2020, with weights that hdrnodes trained.",
    make=_make,
    export=_export,
)
