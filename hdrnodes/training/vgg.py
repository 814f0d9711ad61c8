"""VGG16 features (Simonyan and Zisserman, ICLR 2015) for the perceptual loss of Liu et al., CVPR 2020, section 3.3.

The weights are those of the metrics: `hdrnodes metric-weights` writes `vgg16.safetensors`, once. They are not Oxford's
(CC BY 4.0) but torchvision's, so RGB in 0..1 is normalised by `MEAN` and `STD`; `hdrnodes.metrics.weight_archives` says
what their licence is, and why they are never passed on with hdrnodes.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrnodes.metrics.weights import MEAN, STD, VGG16, read_tensors
from hdrnodes.training.losses import log_light

LAYERS = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3")
POOLED = ("conv1_2", "conv2_2", "conv3_3")  # pool1, pool2, pool3 come after these
HEADROOM = 2.0  # the loss still tells apart what is up to this many times brighter than all of the target


class VGGFeatures(nn.Module):
    """VGG16 up to pool3, frozen: gradients pass through it, and stop at nothing but its weights."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        convs = {name: VGG16.convs[name] for name in LAYERS}
        self.convs = nn.ModuleDict(
            {name: nn.Conv2d(conv.inputs, conv.outputs, 3, padding=1) for name, conv in convs.items()}
        )
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)
        self.requires_grad_(False)

    @classmethod
    def load(cls, path: str | Path) -> "VGGFeatures":
        """Read `vgg16.safetensors`, as `hdrnodes metric-weights` writes it.

        Raises:
            ModelError: the file is missing, or another.
        """
        features = cls()
        names = features.convs.state_dict()
        weights = read_tensors(Path(path), {name: shape for name, shape in VGG16.shapes().items() if name in names})
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
