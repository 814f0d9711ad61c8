"""Graph: wiring, order, errors, memory."""

import gc
import weakref

import numpy as np
import pytest

from hdrnodes.errors import GraphError, KnobError, PluginError
from hdrnodes.graph import Graph
from hdrnodes.hookspecs import hookimpl
from hdrnodes.image import LINEAR, Image
from hdrnodes.nodes.base import Context, Knob, Node
from hdrnodes.nodes.clip_mask import ClipMask
from hdrnodes.nodes.exposure import Exposure
from hdrnodes.plugins import Plugins


class Sum(Node):
    """Add two pictures, the second weighted; without a second, the first."""

    inputs = ("image",)
    optional_inputs = ("other",)
    weight: float = Knob(1.0, ge=0, le=10, doc="Of the second.")

    def process(self, inputs, context):
        image = inputs["image"]
        return image.with_rgb(image.rgb + inputs["other"].rgb * self.weight) if "other" in inputs else image


@pytest.fixture
def plugins():
    return Plugins()


@pytest.fixture
def context(plugins):
    return Context(plugins=plugins)


@pytest.fixture
def plate():
    return Image(np.full((2, 3, 3), 0.5, np.float32), colorspace=LINEAR)


def test_images_flow_along_the_wires(plate, context):
    graph = Graph(inputs=["plate"])
    brighter = graph.add(Exposure(stops=1), image="plate")
    both = graph.add(Sum(weight=2), image=brighter, other="plate")
    results = graph.run(context, {"plate": plate})
    assert list(results) == [both]
    np.testing.assert_array_equal(results[both].pixels, 1 + 2 * plate.pixels)


def test_a_chain_takes_each_nodes_image_to_the_next(plate, context):
    graph = Graph.chain(Exposure(stops=1), Exposure(stops=2), ClipMask(threshold=0.5))
    assert list(graph.steps) == ["exposure", "exposure2", "clip_mask"]
    assert graph.run(context, {"image": plate})["clip_mask"].pixels.max() == 1


def test_an_optional_input_may_stay_open(plate, context):
    graph = Graph(inputs=["plate"])
    name = graph.add(Sum(), image="plate")
    assert graph.run(context, {"plate": plate})[name] is plate


def test_named_outputs_are_made_and_nothing_besides(plate, context):
    graph = Graph(inputs=["plate"], outputs=["dark"])
    graph.add(Exposure(stops=-1), "dark", image="plate")
    graph.add(Exposure(stops=1), "bright", image="plate")
    assert graph.order() == ["dark"]
    assert list(graph.run(context, {"plate": plate})) == ["dark"]


def test_an_output_that_feeds_another_step_is_kept(plate, context):
    graph = Graph(inputs=["plate"], outputs=["first", "second"])
    graph.add(Exposure(stops=1), "first", image="plate")
    graph.add(Exposure(stops=1), "second", image="first")
    results = graph.run(context, {"plate": plate})
    assert [float(image.pixels.max()) for image in results.values()] == [1, 2]


def test_steps_added_in_any_order_run_after_what_feeds_them(plate, context):
    graph = Graph(inputs=["plate"])
    graph.add(Sum(), "end", image="b", other="a")
    graph.add(Exposure(stops=1), "b", image="a")
    graph.add(Exposure(stops=1), "a", image="plate")
    assert graph.order() == ["a", "b", "end"]


def test_a_result_is_let_go_as_soon_as_nothing_needs_it(plate, plugins, context):
    alive, born = [], []

    class Census:
        @hookimpl
        def after_node(self, output):
            born.append(weakref.ref(output))
            gc.collect()
            alive.append(sum(ref() is not None for ref in born))

    plugins.register(Census(), "census")
    graph = Graph.chain(*[Exposure(stops=1)] * 6)
    graph.run(context, {"image": plate})
    assert len(alive) == 6
    assert max(alive) == 2  # the one that was just made, and the one that it was made of


def wired(**sources):
    graph = Graph(inputs=["plate"])
    for name, source in sources.items():
        graph.add(Exposure(), name, image=source)
    return graph


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (wired(a="b", b="a"), r"graph: has a cycle: (a -> b -> a|b -> a -> b); take one wire out"),
        (wired(a="a"), "graph: has a cycle: a -> a; take one wire out"),
        (wired(a="plat"), "input a.image: is fed by plat, which is not in the graph; did you mean plate"),
        (Graph.chain(Sum(), Sum()), None),
    ],
    ids=["cycle", "own tail", "unknown source", "whole"],
)
def test_wires_are_checked_before_anything_runs(graph, message):
    if message is None:
        assert graph.validate() == ["sum", "sum2"]
        return
    with pytest.raises(GraphError, match=f"^{message}"):
        graph.validate()


def test_an_input_that_nothing_feeds_is_named():
    graph = Graph()
    graph.add(Exposure(), "dark")
    with pytest.raises(GraphError, match="input dark.image: is fed by nothing; there are no nodes"):
        graph.validate()


def test_an_input_that_the_node_does_not_have_is_named():
    graph = wired(a="plate")
    graph.connect("a", mask="plate")
    with pytest.raises(GraphError, match="input a.mask: Exposure has no such input; there are image"):
        graph.validate()


def test_an_output_that_is_not_there_is_named():
    graph = wired(bright="plate")
    graph.outputs = ("brigt",)
    with pytest.raises(GraphError, match="output brigt: is not in the graph; did you mean bright"):
        graph.validate()


def test_an_input_of_the_graph_without_an_image_is_named(context):
    with pytest.raises(GraphError, match="input plate: has no image; give one to Graph.run"):
        wired(a="plate").run(context)


@pytest.mark.parametrize("name", ["a", "plate"])
def test_a_name_is_given_once(name):
    with pytest.raises(GraphError, match=f"node {name}: is in the graph already; give another name"):
        wired(a="plate").add(Exposure(), name, image="plate")


@pytest.mark.parametrize("name", ["a.b", "a b", "-", "é!"])
def test_a_name_is_a_word(name):
    with pytest.raises(GraphError, match="is no name"):
        Graph().add(Exposure(), name)


def test_set_turns_one_knob():
    graph = wired(dark="plate", bright="plate")
    graph.set("dark.stops", "-3")
    assert graph.steps["dark"].node == Exposure(stops=-3)
    assert graph.steps["bright"].node == Exposure()


@pytest.mark.parametrize(
    ("knob", "error", "message"),
    [
        ("drak.stops", GraphError, "node drak: is not in the graph; did you mean dark"),
        ("dark", GraphError, "dark: names no knob; write node.knob"),
        ("dark.stop", KnobError, "Exposure.stop: there is no such knob; did you mean stops"),
        ("dark.stops", KnobError, "Exposure.stops: 99 is not allowed; give a value from -20 to 20"),
    ],
)
def test_set_refuses_what_is_not_there_or_not_allowed(knob, error, message):
    with pytest.raises(error, match=message):
        wired(dark="plate").set(knob, 99)


class Breaks(Node):
    """Fail as a plugin's node may."""

    def process(self, inputs, context):
        raise ZeroDivisionError("no light")


class Nothing(Node):
    """Forget to return."""

    def process(self, inputs, context):
        pass


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (Breaks(), r"node it \(Breaks of plugin .*\): raised ZeroDivisionError\('no light'\)"),
        (Nothing(), r"node it \(Nothing\): gave NoneType, not an Image"),
    ],
)
def test_a_plugins_node_that_fails_is_named(node, message, plate, context):
    graph = Graph(inputs=["plate"])
    graph.add(node, "it", image="plate")
    with pytest.raises(PluginError, match=message):
        graph.run(context, {"plate": plate})


def test_watchers_hear_of_the_nodes_of_a_graph_in_order(plate, plugins, context):
    heard = []

    class Log:
        @hookimpl
        def before_node(self, node, inputs):
            heard.append((node.name, sorted(inputs)))

    plugins.register(Log(), "log")
    graph = Graph(inputs=["plate"])
    graph.add(Sum(), image=graph.add(Exposure(), image="plate"), other="plate")
    graph.run(context, {"plate": plate})
    assert heard == [("Exposure", ["image"]), ("Sum", ["image", "other"])]
