"""Read: a picture from a file, or a frame of a sequence."""

from __future__ import annotations

from hdrnodes.errors import KnobError
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context, Knob, Node


class Read(Node):
    """Read a picture: JPEG, PNG, TIFF, EXR, HDR, DPX, WebP; `plate.####.jpg` is a frame of a sequence."""

    inputs = ()

    path: str = Knob("", file=True, doc="The file; `####` or `%04d` stands for the frame's number.")
    colorspace: str = Knob("", doc="What its colours are, as OCIO names it; empty goes by the file.")
    subimage: int = Knob(0, ge=0, le=65535, doc="Which picture of a file that holds several.")

    max_megapixels: float = Knob(
        300.0, gt=0, le=100_000, unit="megapixels", doc="Refuse files that say they are larger."
    )

    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        from hdrnodes import io

        if not self.path:
            raise KnobError("Read.path", "is empty", "give the path of a picture")
        path = frame_path(self.path, context.frame)
        # Codes go where the networks are at once, if that is known: they are a fourth of what they become.
        device = context.device_of_networks() if context.runtime else context.device
        image = io.read(path, subimage=self.subimage, max_pixels=round(self.max_megapixels * 1e6), device=device)
        return image.altered(colorspace=self.colorspace) if self.colorspace else image


def frame_path(path: str, frame: int | None) -> str:
    """The file of one frame; a path without a pattern, or without a frame, is itself."""
    if frame is None:
        return path
    from hdrnodes import sequences

    return str(sequences.frame_path(path, frame)) if sequences.is_pattern(path) else path
