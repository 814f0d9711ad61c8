"""ClipMask: where the plate clipped, softly. The mask that Hallucinate works under.

    mask = clip((max over RGB of B - threshold) / (1 - threshold), 0, 1)

Source: Liu et al., CVPR 2020 (their threshold is 0.88).
"""

from __future__ import annotations

from array_api_compat import array_namespace

from hdrnodes.camera.clipping import THRESHOLD, clip_mask
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context, Knob, Node
from hdrnodes.pixelwise import pixelwise


class ClipMask(Node):
    """A mask of the clipped highlights: 0 where the plate saw the light, 1 where it clipped."""

    on_device = True

    threshold: float = Knob(THRESHOLD, ge=0, lt=1, unit="of clip level", doc="Where the mask fades in.")

    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        image = inputs["image"]
        mask = pixelwise(lambda rgb: clip_mask(rgb, self.threshold), image.rgb)  # H x W x 1
        return image.with_rgb(array_namespace(mask).broadcast_to(mask, image.rgb.shape))
