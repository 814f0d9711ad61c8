"""The main job: the camera's steps undone one after the other.

  +------- plate ----------v
plate -> Dequantize -> InverseCRF -> Hallucinate -> Refine
              |             +---------- linear ------^
              +---------------------- dequantized ---^
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from array_api_compat import is_numpy_array

from hdrnodes import frames
from hdrnodes.errors import KnobError
from hdrnodes.graph import Graph
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context, Node
from hdrnodes.nodes.color_space import ColorSpace
from hdrnodes.nodes.dequantize import Dequantize
from hdrnodes.nodes.hallucinate import Hallucinate
from hdrnodes.nodes.inverse_crf import InverseCRF
from hdrnodes.nodes.knob_info import KnobInfo
from hdrnodes.nodes.refine import Refine
from hdrnodes.spelling import did_you_mean

if TYPE_CHECKING:
    from OpenImageIO import ImageBuf

STAGES: dict[str, type[Node]] = {
    "dequantize": Dequantize,
    "inverse_crf": InverseCRF,
    "hallucinate": Hallucinate,
    "refine": Refine,
}


def reconstruct(
    source: str | os.PathLike[str] | Image | ImageBuf | Any,
    *,
    colorspace: str = "",
    executor: str = "auto",
    tile: int | None = None,
    context: Context | None = None,
    **knobs: Any,
) -> Image:
    """A photograph in, scene-linear high dynamic range out.

    Args:
        source: a file, or its pixels: H x W x C, uint8 or uint16 codes, or floats 0..1; display-referred. As an array
            of numpy, torch, or any library with `__dlpack__` or `__cuda_array_interface__`.
            Alpha beside codes is straight, beside floats associated; an Image's metadata says.
        colorspace: an OCIO name to convert the result to; empty keeps it scene-linear with the plate's primaries.
        executor, tile: for the networks; see `hdrnodes.runtime.Runtime`. Not looked at when a context is given.
        context: the surroundings, to share one runtime between many pictures; None makes new ones.
        knobs: of the four stage nodes, as `stage_knobs` names them: `threshold=0.9`, `refine_strength=0`.
            `model` sets that of all four.

    Returns:
        The picture, same size, float32; on the device that the source's pixels are on, if they are a torch tensor or on
        a GPU. 1.0 is the radiance at which the plate clips. Its record says what made it;
        `hdrnodes.write` puts that into an EXR's header.

    Raises:
        KnobError: there is no such knob, or its value is not allowed.
        ReadError, ModelError, ExecutorError: the file, the model, the executor cannot be used.
    """
    graph = Graph(inputs=["image"])
    last = add_stages(graph, "image", **knobs)
    if colorspace:
        last = graph.add(ColorSpace(to=colorspace), image=last)
    graph.outputs = (last,)
    context = context or Context(executor=executor, tile=tile)
    with frames.allowed(context.memory):
        plate, stays = _as_image(source, context)
    made = graph.run(context, {"image": plate})[last]
    made = made.beside(plate) if stays else made.to_host()
    return replace(made, record={**context.record, **_knobs_and_models(graph, context)})


def _knobs_and_models(graph: Graph, context: Context) -> dict[str, object]:
    """What the command line's record says besides the version and the graph."""
    from hdrnodes.models import hashes_of

    knobs = {name: step.node.model_dump() for name, step in graph.steps.items()}
    used = context.record.get("models", {})
    return {
        "knobs": knobs,
        "model_hashes": {name: hashes_of(context.needed_runtime().model(name)) for name in used},
    }


def add_stages(graph: Graph, source: str, **knobs: Any) -> str:
    """Put the four stage nodes into a graph, behind the step or input `source`; give back the last one's name.

    With `output="mask"`, Hallucinate is the last: Refine knows nothing to do with a mask.
    """
    nodes = _stage_nodes(knobs)
    dequantize = graph.add(nodes["dequantize"], image=source)
    inverse_crf = graph.add(nodes["inverse_crf"], image=dequantize, plate=source)
    hallucinate = graph.add(nodes["hallucinate"], image=inverse_crf)
    if getattr(nodes["hallucinate"], "output", "image") == "mask":
        return hallucinate
    return graph.add(nodes["refine"], image=hallucinate, linear=inverse_crf, dequantized=dequantize)


def stage_knobs() -> dict[str, KnobInfo]:
    """The knobs of the stage nodes by the names that `reconstruct` takes: a knob's own where one node alone has it,
    else with its node's before it: `threshold`, `refine_strength`. (With it is right everywhere.)

    >>> [name for name in stage_knobs() if "strength" in name or "threshold" in name]
    ['dequantize_strength', 'threshold', 'refine_strength']
    """
    return {short: info for short, (_, _, info) in _knobs_by_short_name().items()}


def _knobs_by_short_name() -> dict[str, tuple[str, str, KnobInfo]]:
    """Short name -> stage, knob, description."""
    shared = Counter(knob for node in STAGES.values() for knob in node.knobs())
    return {
        knob if shared[knob] == 1 else f"{stage}_{knob}": (stage, knob, info)
        for stage, node in STAGES.items()
        for knob, info in node.knobs().items()
    }


def _stage_nodes(knobs: dict[str, Any]) -> dict[str, Node]:
    """The four nodes, with the knobs that were given, each by any of its names."""
    by_short_name = _knobs_by_short_name()
    places = {short: (stage, knob) for short, (stage, knob, _) in by_short_name.items()}
    places |= {f"{stage}_{knob}": (stage, knob) for stage, knob, _ in by_short_name.values()}
    given = dict(knobs)
    model = given.pop("model", None)
    turned: dict[str, dict[str, Any]] = {stage: {} if model is None else {"model": model} for stage in STAGES}
    for name, value in given.items():
        if name not in places:
            remedy = did_you_mean(name, ["model", *by_short_name])
            raise KnobError(f"reconstruct.{name}", "there is no such knob", remedy)
        stage, knob = places[name]
        turned[stage][knob] = value
    return {stage: node(**turned[stage]) for stage, node in STAGES.items()}


def _as_image(source: Any, context: Context) -> tuple[Image, bool]:
    """The plate, and whether the result should be where that is. Codes go where the networks are at once."""
    if isinstance(source, Image):
        return source, True
    if isinstance(source, (str, os.PathLike)):
        from hdrnodes import io

        return io.read(Path(source), device=context.device_of_networks()), False
    if hasattr(source, "get_pixels"):  # an ImageBuf, told without importing OpenImageIO
        return Image.from_imagebuf(source), True
    from hdrnodes import transfer

    array = transfer.adopted(source)
    if is_numpy_array(array) and transfer.type_of(array) in transfer.CODES:
        return Image.from_array(array, device=context.device_of_networks()), False
    return Image.from_array(array), True
