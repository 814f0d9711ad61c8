"""Sizes that pooling cannot halve: continue a picture to the right and below."""

from torch import Tensor
from torch.nn import functional as F


def continue_edges(picture: Tensor, multiple: int) -> Tensor:
    """Repeat the last column and row until width and height are multiples of `multiple`; N x C x H x W, at least 1 x 1.

    No remainder of a negative number is taken: TensorRT's has another sign than torch's.
    """
    height, width = picture.shape[-2:]
    below, beside = ((size + multiple - 1) // multiple * multiple - size for size in (height, width))
    return F.pad(picture, (0, beside, 0, below), mode="replicate")
