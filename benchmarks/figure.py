"""The README's picture: a plate, and what hdrnodes makes of it at three exposures, side by side.

python benchmarks/figure.py engines/default/plate.jpg engines/default/example.jpg
"""

import argparse
from pathlib import Path

import numpy as np

import hdrnodes
from hdrnodes.image import SRGB, Image
from hdrnodes.nodes.base import Context
from hdrnodes.nodes.tone_map import ToneMap
from hdrnodes.reduce import reduce

STOPS = (2, 0, -3)


def side_by_side(plate: Image, stops: tuple[float, ...] = STOPS, width: int = 480) -> Image:
    """The plate and its reconstruction at each exposure, clipped as a display clips; each `width` pixels wide."""
    context = Context()
    light = hdrnodes.reconstruct(plate, context=context)
    shown = [plate]
    for exposure in stops:
        node = ToneMap(operator="clip", exposure=exposure)
        shown.append(node.process({"image": light}, context))
    longer = round(width * max(plate.width, plate.height) / plate.width)
    small = [reduce(np.ascontiguousarray(each.rgb), longer) for each in shown]
    return Image(np.concatenate(small, axis=1), colorspace=SRGB)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plate", type=Path)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    hdrnodes.write(side_by_side(hdrnodes.read(options.plate)), options.picture, compression="jpeg:90", overwrite=True)
