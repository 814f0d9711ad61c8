"""What each stage is worth: a model without it, or with the truth in its place (Liu et al., CVPR 2020, section 4.3)."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from hdrnodes.curve import Curve
from hdrnodes.graph import Graph
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context
from hdrnodes.nodes.dequantize import Dequantize
from hdrnodes.nodes.hallucinate import Hallucinate
from hdrnodes.nodes.inverse_crf import InverseCRF
from hdrnodes.nodes.refine import Refine
from hdrnodes.training.validate import Array, Method, ours

# What the table calls it -> what is left out, and which curve is undone.
ABLATIONS: Mapping[str, tuple[str, str]] = {
    "without dequantize": ("dequantize", "estimate"),
    "with sRGB's curve": ("", "srgb"),
    "with the true curve": ("", "true"),
    "without hallucinate": ("hallucinate", "estimate"),
    "without refine": ("refine", "estimate"),
}


def ablations(model: str, context: Context) -> dict[str, Method]:
    """The whole model, to compare with, then each of `ABLATIONS`."""
    ablated = {name: _ablated(model, context, *what) for name, what in ABLATIONS.items()}
    return {"all stages": ours(model, context), **ablated}


def _ablated(model: str, context: Context, left_out: str, curve: str) -> Method:
    def method(codes: npt.NDArray[np.uint8], truth: Array) -> tuple[Array, Array]:
        with TemporaryDirectory() as folder:
            file = Path(folder, "true.csv")
            if curve == "true":
                Curve(truth[None], source="the truth").save(file)
            graph = _graph(model, left_out, str(file) if curve == "true" else curve)
            made = graph.run(context, {"image": Image.from_array(codes)})[graph.outputs[0]]
        assert made.curves is not None
        return made.rgb, made.curves

    return method


def _graph(model: str, left_out: str, curve: str) -> Graph:
    graph = Graph(inputs=["image"])
    dequantized = last = "image"
    if left_out != "dequantize":
        dequantized = last = graph.add(Dequantize(model=model), image=last)
    linear = last = graph.add(InverseCRF(model=model, curve=curve), image=last, plate="image")
    if left_out != "hallucinate":
        last = graph.add(Hallucinate(model=model), image=last)
    if left_out != "refine":
        last = graph.add(Refine(model=model), image=last, linear=linear, dequantized=dequantized)
    graph.outputs = (last,)
    return graph
