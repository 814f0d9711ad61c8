"""Sizes that pooling cannot halve: continue a picture to the right and below."""

from torch import Tensor
from torch.nn import functional as F


def continue_edges(picture: Tensor, multiple: int) -> Tensor:
    """Repeat the last column and row until width and height are multiples of `multiple`; N x C x H x W."""
    height, width = picture.shape[-2:]
    return F.pad(picture, (0, -width % multiple, 0, -height % multiple), mode="replicate")
