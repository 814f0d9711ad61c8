"""Write: the picture to a file, whole or not at all."""

from __future__ import annotations

from typing import Literal

from hdrnodes.errors import KnobError
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context, Knob, Node
from hdrnodes.nodes.color_space import convert
from hdrnodes.nodes.read import frame_path


class Write(Node):
    """Write the picture to a file, and hand it on. An EXR's header says what made it."""

    path: str = Knob("", file=True, doc="The file; `####` or `%04d` stands for the frame's number.")
    colorspace: str = Knob("", doc="Convert to this OCIO colour space first; empty writes it as it is.")
    pixel_type: Literal["half", "float", "uint8", "uint10", "uint12", "uint16"] = Knob(
        "half", doc="Of the samples; `half`, where the format has none, is the nearest that it has."
    )
    compression: str = Knob("zip", doc="As the format knows it: `zip`, `piz`, `dwaa:45`, `none` for EXR; `jpeg:95`.")
    overwrite: bool = Knob(False, doc="Whether a file that is there already may be replaced.")

    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        from hdrnodes import io

        if not self.path:
            raise KnobError("Write.path", "is empty", "give the path of the file to write")
        image = inputs["image"]
        io.write(
            convert(image, self.colorspace) if self.colorspace else image,
            frame_path(self.path, context.frame),
            pixel_type=self.pixel_type,
            compression=self.compression,
            overwrite=self.overwrite,
            record=context.record,
        )
        return image
