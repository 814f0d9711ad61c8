"""Graph: nodes wired together, checked, and run.

    graph = Graph()
    plate = graph.add(Read(path="plate.jpg"))
    linear = graph.add(InverseCRF(curve="srgb"), image=plate)
    graph.add(Write(path="plate.exr"), image=linear)
    graph.run()

A graph file (TOML) says the same; see `hdrnodes.graph_file`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from hdrnodes import frames, pixelwise
from hdrnodes.errors import GraphError, HdrnodesError, PluginError
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context, Node
from hdrnodes.spelling import did_you_mean

if TYPE_CHECKING:
    from hdrnodes.plugins import Plugins

NO_IMAGES: Mapping[str, Image] = MappingProxyType({})


@dataclass(frozen=True)
class Step:
    """A node in a graph, and what feeds each of its inputs: a step's name, or one of the graph's inputs."""

    node: Node
    sources: Mapping[str, str]


class Graph:
    """Nodes and wires.

    Args:
        inputs: names of images that `run` is given, and that nodes may take as a source.
        outputs: names of the steps whose images `run` returns, and all it makes; empty is every step that
            feeds no other.
    """

    def __init__(self, inputs: Sequence[str] = (), outputs: Sequence[str] = ()) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.steps: dict[str, Step] = {}

    @classmethod
    def chain(cls, *nodes: Node) -> Self:
        """Each node's `image` is what the one before it made; the first one's, if it has one, the graph's."""
        graph = cls(inputs=["image"] if nodes and "image" in nodes[0].inputs else [])
        source = "image"
        for node in nodes:
            source = graph.add(node, **({"image": source} if "image" in node.inputs else {}))
        return graph

    def add(self, node: Node, name: str = "", /, **sources: str) -> str:
        """Put a node in; give back its name, for others to take as their source.

        Args:
            node: any.
            name: what to call it; when empty, made of the node's (`inverse_crf`, `inverse_crf2`).
            sources: for each input of the node, the name of what feeds it. What it names may be added later.

        Raises:
            GraphError: the name is taken, or no name.
        """
        name = name or self._free_name(_snake_case(node.name))
        if name in self.steps or name in self.inputs:
            raise GraphError(f"node {name}", "is in the graph already", "give another name")
        if not re.fullmatch(r"\w[\w-]*", name):
            raise GraphError(f"node {name!r}", "is no name", "take letters, digits, _ and -")
        self.steps[name] = Step(node, dict(sources))
        return name

    def _free_name(self, wanted: str) -> str:
        taken, number, name = {*self.steps, *self.inputs}, 1, wanted
        while name in taken:
            number += 1
            name = f"{wanted}{number}"
        return name

    def connect(self, name: str, **sources: str) -> None:
        """Feed inputs of a node that is in the graph, in place of what fed them.

        Raises:
            GraphError: there is no such node.
        """
        step = self._step(name)
        self.steps[name] = Step(step.node, {**step.sources, **sources})

    def set(self, knob: str, value: Any) -> None:
        """Turn a knob, `set("hallucinate.threshold", 0.9)`; text is understood as on a command line.

        Raises:
            GraphError: there is no such node.
            KnobError: the node has no such knob, or the value is not allowed.
        """
        name, dot, knob_name = knob.partition(".")
        if not (dot and knob_name):
            raise GraphError(knob, "names no knob", "write node.knob")
        step = self._step(name)
        self.steps[name] = Step(step.node.with_knobs(**{knob_name: value}), step.sources)

    def _step(self, name: str) -> Step:
        if name not in self.steps:
            raise GraphError(f"node {name}", "is not in the graph", did_you_mean(name, self.steps))
        return self.steps[name]

    def order(self) -> list[str]:
        """The names of the steps, each after all that feed it; only those that the outputs need.

        Raises:
            GraphError: there is a cycle, an input that nothing feeds, a source or output that is not there.
        """
        self._check_wires()
        after = {name: set(step.sources.values()) - set(self.inputs) for name, step in self.steps.items()}
        try:
            order = list(TopologicalSorter(after).static_order())
        except CycleError as error:
            raise GraphError("graph", f"has a cycle: {' -> '.join(error.args[1])}", "take one wire out") from None
        needed = set(self.outputs or self.steps)
        for name in reversed(order):
            if name in needed:
                needed |= after[name]
        return [name for name in order if name in needed]

    validate = order

    def _check_wires(self) -> None:
        there = [*self.inputs, *self.steps]
        for name, step in self.steps.items():
            accepted = (*step.node.inputs, *step.node.optional_inputs)
            for input_name, source in step.sources.items():
                if input_name not in accepted:
                    problem = f"{step.node.name} has no such input"
                    raise GraphError(f"input {name}.{input_name}", problem, did_you_mean(input_name, accepted))
                if source not in there:
                    problem = f"is fed by {source}, which is not in the graph"
                    raise GraphError(f"input {name}.{input_name}", problem, did_you_mean(source, there))
            for missing in set(step.node.inputs) - set(step.sources):
                others = ", ".join(other for other in there if other != name)
                remedy = f"there are {others or 'no nodes'} to feed it"
                raise GraphError(f"input {name}.{missing}", "is fed by nothing", remedy)
        for output in self.outputs:
            if output not in self.steps:
                raise GraphError(f"output {output}", "is not in the graph", did_you_mean(output, self.steps))

    def run(
        self, context: Context | None = None, images: Mapping[str, Image] = NO_IMAGES, keep: Sequence[str] = ()
    ) -> dict[str, Image]:
        """Make the outputs. An image is let go as soon as no step needs it any more.

        Args:
            context: the surroundings; None makes new ones. Its `record` becomes this graph, for headers.
            images: one for each of the graph's inputs.
            keep: steps on the way whose images are wanted too.

        Returns:
            The images of the outputs, by name; and of those to keep. Where networks run on a GPU, their pixels may be
            there, as torch tensors: `Image.to_host` brings them.

        Raises:
            GraphError: the graph is not whole, or an input has no image.
            HdrnodesError: what its nodes raise.
            PluginError: a plugin's node raised something else, or gave no Image.
        """
        order = self.order()
        for name in self.inputs:
            if name not in images:
                raise GraphError(f"input {name}", "has no image", "give one to Graph.run")
        context = context or Context()
        context.record = self.record()
        plugins = context.known_plugins()
        made: dict[str, Image] = dict(images)
        uses = Counter(source for name in order for source in set(self.steps[name].sources.values()))
        outputs = self.outputs or tuple(name for name in order if not uses[name])
        with frames.allowed(context.memory):
            for name in order:
                step = self.steps[name]
                made[name] = _run_node(name, step, made, context, plugins)
                for source in set(step.sources.values()):
                    uses[source] -= 1
                    if not uses[source] and source not in (*outputs, *keep):
                        del made[source]
                for image in made.values():  # whoever needs it next finds it in its scratch file, if it has one
                    frames.release(image.pixels)
        return {name: made[name] for name in (*outputs, *keep)}

    def record(self) -> dict[str, object]:
        """What an EXR's header says of how it was made: the version, and the graph file to make it again."""
        from hdrnodes import __version__
        from hdrnodes.graph_file import to_toml

        return {"version": __version__, "graph": to_toml(self)}

    @classmethod
    def load(cls, path: str | Path, plugins: Plugins | None = None) -> Graph:
        """The graph of a TOML file; see `hdrnodes.graph_file`."""
        from hdrnodes.graph_file import load

        return load(path, plugins)

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write a TOML file that `load` makes the same graph of; see `hdrnodes.graph_file`."""
        from hdrnodes.graph_file import save

        save(self, path, overwrite)


def _run_node(name: str, step: Step, made: Mapping[str, Image], context: Context, plugins: Plugins) -> Image:
    inputs = context.given_to(step.node, {input_name: made[source] for input_name, source in step.sources.items()})
    plugins.before_node(step.node, inputs, context)
    try:
        with pixelwise.threads(context.threads):
            output = step.node.process(inputs, context)
    except HdrnodesError:
        raise
    except Exception as error:
        owner = plugins.owner_of(type(step.node))
        if owner == "hdrnodes":  # a bug of ours: let its traceback be seen
            raise
        problem = f"raised {error!r}"
        raise PluginError(f"node {name} ({step.node.name} of plugin {owner})", problem, "tell its author") from error
    if not isinstance(output, Image):
        problem = f"gave {type(output).__name__}, not an Image"
        raise PluginError(f"node {name} ({step.node.name})", problem, "return an hdrnodes.Image")
    plugins.after_node(step.node, inputs, output, context)
    return output


def _snake_case(name: str) -> str:
    """
    >>> _snake_case("InverseCRF"), _snake_case("ClipMask")
    ('inverse_crf', 'clip_mask')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
