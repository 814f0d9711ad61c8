"""The reduced whole frame, as the runtime makes it."""

import torch.nn.functional as F
from torch import Tensor


def overview(pixels: Tensor, longer_side: int) -> Tensor:
    """Area-average N x 3 x H x W to `longer_side` pixels on the longer side; smaller pictures stay as they are."""
    height, width = pixels.shape[-2:]
    scale = longer_side / max(height, width)
    if scale >= 1:
        return pixels
    return F.interpolate(pixels, (max(1, round(height * scale)), max(1, round(width * scale))), mode="area")
