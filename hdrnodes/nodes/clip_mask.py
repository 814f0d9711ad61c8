"""ClipMask: where the plate clipped, softly. The mask that Hallucinate works under.

    mask = clip((max over RGB of B - threshold) / (1 - threshold), 0, 1)

Source: Liu et al., CVPR 2020 (their threshold is 0.88).
"""

from __future__ import annotations

import numpy as np

from hdrnodes.image import Image, Pixels
from hdrnodes.nodes.base import Context, Knob, Node


class ClipMask(Node):
    """A mask of the clipped highlights: 0 where the plate saw the light, 1 where it clipped."""

    threshold: float = Knob(0.88, ge=0, lt=1, unit="of clip level", doc="Where the mask fades in.")

    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        image = inputs["image"]
        return image.with_rgb(np.broadcast_to(clip_mask(image.rgb, self.threshold), image.rgb.shape))


def clip_mask(linear: Pixels, threshold: float) -> Pixels:
    """How far each pixel has clipped.

    Args:
        linear: H x W x 3, scene-linear, 1.0 where the plate clips.
        threshold: 0..1, where the mask leaves 0; it is 1 from 1.0 on.

    Returns:
        H x W x 1 float32, 0..1.

    >>> clip_mask(np.float32([[[0.1, 0.94, 0.2], [1, 0, 0], [0.5, 0.5, 0.88]]]), 0.88).round(3).ravel()
    array([0.5, 1. , 0. ], dtype=float32)
    """
    brightest = linear.max(axis=-1, keepdims=True)
    mask: Pixels = np.clip((brightest - np.float32(threshold)) / np.float32(1 - threshold), 0, 1)
    return mask
