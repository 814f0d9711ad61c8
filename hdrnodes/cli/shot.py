"""One response curve for a shot, the same at every run: from a few frames spread over all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Lock

from hdrnodes.cli.fingerprint import fingerprint
from hdrnodes.cli.tasks import Say
from hdrnodes.curve import Curve
from hdrnodes.errors import ReadError
from hdrnodes.graph import Graph
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context
from hdrnodes.nodes.inverse_crf import InverseCRF, estimate_shot_curve
from hdrnodes.nodes.read import Read, frame_path

SAMPLES = 5  # frames


@dataclass
class Shot:
    """All frames of a shot, made already or not: the graph of each, and its number. They share the curves."""

    frames: list[tuple[Graph, int | None]] = field(default_factory=list)
    curves: dict[str, Curve] | None = None  # None until somebody needs them
    _estimating: Lock = field(default_factory=Lock, repr=False)

    @cached_property
    def fingerprint(self) -> list[dict[str, str | None]]:
        """Of the plates that its curves are estimated from. For when all frames are known."""
        return [fingerprints_of_plates(*self.frames[index]) for index in spread(len(self.frames))]

    def context(self, base: Context, frame: int | None, say: Say) -> Context:
        """The surroundings of one frame; the first that asks has the curves of the shot estimated."""
        with self._estimating:
            if self.curves is None:
                self.curves = {}
                self._estimate(replace(base, say=say, shot_curves=self.curves))
        return replace(base.at_frame(frame), say=say, shot_curves=self.curves)

    def _estimate(self, context: Context) -> None:
        """Each frame is seen as the node would see it, so that a shot of one frame has that frame's own curve."""
        for name, step in self.frames[0][0].steps.items():
            node = step.node
            if isinstance(node, InverseCRF) and node.scope == "shot" and node.curve == "estimate":
                frames = self._inputs_of(name, context)
                context.shot_curves[node.shot_key] = estimate_shot_curve(frames, context, node.model, node.per_channel)

    def _inputs_of(self, name: str, context: Context) -> Iterator[dict[str, Image]]:
        for index in spread(len(self.frames)):
            graph, frame = self.frames[index]
            try:
                inputs = inputs_of(graph, name, context.at_frame(frame))
            except ReadError:
                continue  # it is named when its turn comes
            if not inputs["image"].is_linear:
                yield inputs


def fingerprints_of_plates(graph: Graph, frame: int | None) -> dict[str, str | None]:
    """Of the file that each Read would read."""
    return {
        name: fingerprint(Path(frame_path(step.node.path, frame)))
        for name, step in graph.steps.items()
        if isinstance(step.node, Read)
    }


def spread(count: int) -> list[int]:
    """Up to `SAMPLES` of `count` frames, evenly, the first and the last among them.

    >>> spread(3), spread(100)
    ([0, 1, 2], [0, 25, 50, 74, 99])
    """
    if count <= SAMPLES:
        return list(range(count))
    return [round(each * (count - 1) / (SAMPLES - 1)) for each in range(SAMPLES)]


def inputs_of(graph: Graph, name: str, context: Context) -> dict[str, Image]:
    """The pictures that a step of a graph would be given, by the names of its inputs."""
    sources = graph.steps[name].sources
    upstream = Graph(graph.inputs, list(dict.fromkeys(sources.values())))
    upstream.steps = graph.steps
    made = upstream.run(context)
    return {input_name: made[source] for input_name, source in sources.items()}
