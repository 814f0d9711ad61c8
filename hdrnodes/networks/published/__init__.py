"""The published system, exactly, written from its description and its numbers; its code has no licence.

    C     = dequantize(codes)                          what 8-bit rounding and JPEG took
    curve = linearize(C)                               the inverse camera response
    B     = C through the curve
    alpha = clip((max over RGB of B - 0.88) / 0.12, 0, 1)
    A     = B + alpha * hallucinate(B)                 what clipped
    out   = refine(A, B, C)

The four networks stand alone as stages of a model. They take any size: an edge that is not a multiple of what
their pooling needs is continued by its last pixel, and cut off again; at multiples of 32 nothing is.

Source: Liu et al., "Single-Image HDR Reconstruction by Learning to Reverse the Camera Pipeline", CVPR 2020.
"""

from hdrnodes.networks.base import StageNetwork
from hdrnodes.networks.published.hallucinate import Hallucinate
from hdrnodes.networks.published.linearize import Linearize
from hdrnodes.networks.published.system import Published, Reconstruction
from hdrnodes.networks.published.unet import Dequantize, Refine
from hdrnodes.networks.published.weights import from_tensorflow

NETWORKS: dict[str, type[StageNetwork]] = {
    "dequantize": Dequantize,
    "linearize": Linearize,
    "hallucinate": Hallucinate,
    "refine": Refine,
}

__all__ = ["NETWORKS", "Published", "Reconstruction", "from_tensorflow"]
