"""What networks are fed: which pictures, what is told of them beside their pixels, and how these lie in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from hdrnodes import frames
from hdrnodes.camera.areas import areas
from hdrnodes.camera.evidence import EVIDENCE
from hdrnodes.reduce import reduce

Array = Any  # numpy's, or a torch tensor

# What each stage is fed, in order. Its networks name those of them that they take; linearize's may ask for what
# `hdrnodes.camera.evidence` finds in the plate, too.
STAGE_INPUTS = {
    "dequantize": ("codes",),
    "linearize": ("display", "plate"),
    "hallucinate": ("linear",),
    "refine": ("hallucinated", "linear", "dequantized"),
}


def reduced(frame: Mapping[str, Array], longer_side: int) -> dict[str, Array]:
    """The whole frame, made small, as networks take it: H x W x C each -> 1 x C x h x w."""
    return {name: planar([reduce(image, longer_side)]) for name, image in frame.items()}


def told_at_full_size(display: Array, wanted: Collection[str]) -> dict[str, Array]:
    """The evidence that is wanted, of the pixels that are looked at; found where these are."""
    tellers = {name: tell for name, tell in EVIDENCE.items() if name in wanted}
    if not tellers:
        return {}
    looked_at = areas(array_namespace(display).permute_dims(display, (2, 0, 1)))[None]
    told = {name: tell(looked_at) for name, tell in tellers.items()}
    frames.release(display)
    return told


def planar(pictures: Sequence[Array]) -> Array:
    """H x W x C each -> N x C x H x W; numpy's contiguous, torch's as pictures lie in memory: channels last."""
    xp = array_namespace(*pictures)
    batch = pictures[0][None] if len(pictures) == 1 else xp.stack(pictures)
    batch = xp.permute_dims(batch, (0, 3, 1, 2))
    return batch if is_torch_array(batch) else np.ascontiguousarray(batch, np.float32)
