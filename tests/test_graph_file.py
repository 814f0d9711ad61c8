"""Graph files: what is saved is loaded, what is wrong is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdrnodes.errors import GraphError, KnobError, ReadError, WriteError
from hdrnodes.graph import Graph
from hdrnodes.graph_file import from_toml, to_toml
from hdrnodes.hookspecs import hookimpl
from hdrnodes.nodes.base import Knob, Node
from hdrnodes.nodes.clip_mask import ClipMask
from hdrnodes.nodes.exposure import Exposure
from hdrnodes.nodes.read import Read
from hdrnodes.plugins import Plugins


class Label(Node):
    """One knob of each kind."""

    text: str = Knob("", doc="Any.")
    size: float = Knob(1.0, ge=-1e30, le=1e30, doc="Any.")
    lines: int = Knob(1, ge=-(2**62), le=2**62, doc="Any.")
    bold: bool = Knob(False, doc="Any.")
    seed: int | None = Knob(None, ge=0, le=9, doc="Any.")

    def process(self, inputs, context):
        return inputs["image"]


class OurNodes:
    @hookimpl
    def register_nodes(self):
        return [Exposure, ClipMask, Read, Label]


PLUGINS = Plugins()
PLUGINS.register(OurNodes(), "ours")


def example():
    graph = Graph(outputs=["mask", "exposure"])
    plate = graph.add(Read(path='C:\\plates\\"a" b.jpg', colorspace="sRGB - Texture"))
    dark = graph.add(Exposure(stops=-1 / 3), image=plate)
    graph.add(ClipMask(), "mask", image=dark)
    return graph


def same(one, other):
    return (one.inputs, one.outputs, one.steps) == (other.inputs, other.outputs, other.steps)


def test_a_saved_graph_is_loaded_the_same(tmp_path):
    path = tmp_path / "graph.toml"
    example().save(path)
    assert same(Graph.load(path, PLUGINS), example())
    assert [file.name for file in tmp_path.iterdir()] == ["graph.toml"]


@given(
    text=st.text(),
    size=st.floats(-1e30, 1e30),
    lines=st.integers(-(2**62), 2**62),
    bold=st.booleans(),
    seed=st.none() | st.integers(0, 9),
)
def test_any_value_of_any_knob_survives(text, size, lines, bold, seed):
    graph = Graph.chain(Label(text=text, size=size, lines=lines, bold=bold, seed=seed))
    assert same(from_toml(to_toml(graph), PLUGINS), graph)


def test_a_file_written_by_hand_is_understood():
    graph = from_toml(
        """
        format = 1

        [nodes.read]
        node = "Read"
        knobs = {path = "plate.jpg"}

        [nodes.darker]
        node = "Exposure"
        sources = {image = "read"}
        knobs.stops = -3
        """,
        PLUGINS,
    )
    expected = Graph()
    expected.add(Exposure(stops=-3), "darker", image=expected.add(Read(path="plate.jpg")))
    assert sorted(graph.steps.items()) == sorted(expected.steps.items())


READ = '\n[nodes.read]\nnode = "Read"\n'


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", GraphError, "graph: has the format None; write format = 1"),
        ("format = 2", GraphError, "graph: has the format 2; write format = 1"),
        ("format = 1\nnode = 3", GraphError, "graph: has an unknown key node; did you mean nodes"),
        ("format = 1\nnodes = 3", GraphError, "graph: nodes is 3; give a table"),
        ("format = 1\noutputs = [3]", GraphError, r"graph: outputs has \[3\]; give names"),
        ("format = 1\n[nodes]\na = 3", GraphError, "node a: is 3, not a table"),
        ("format = 1\n[nodes.a]", GraphError, "node a: does not say which node it is"),
        (
            "format = 1\n[nodes.a]\nnode = 'Exposre'",
            GraphError,
            "node a: there is no node Exposre; did you mean Exposure",
        ),
        ("format = 1\n[nodes.a]\nnode = 'Exposure'\nknob = {}", GraphError, "unknown key knob; did you mean knobs"),
        ("format = 1\n[nodes.a]\nnode = 'Exposure'", GraphError, "input a.image: is fed by nothing"),
        (
            "format = 1" + READ + "knobs = {subimage = -1}",
            KnobError,
            "node read: Read.subimage: -1 is not allowed; give a whole number from 0 to 65535",
        ),
        ("format = 1\n[nodes.a]\nnode = 'Exposure'\nsources.image = 'a'", GraphError, "has a cycle: a -> a"),
        ("format: 1", ReadError, "is no TOML"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_name(text, error, message, tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(error, match=message) as raised:
        Graph.load(path, PLUGINS)
    assert str(raised.value).startswith(str(path))


def test_a_plugin_that_was_skipped_is_mentioned_where_a_node_is_missing(tmp_path):
    plugins = Plugins()
    (tmp_path / "grain.py").write_text("raise RuntimeError('no licence')")
    plugins.load_folders([tmp_path])
    with pytest.raises(GraphError, match=r"there is no node Grain; .*\(plugins skipped: grain\)"):
        from_toml("format = 1\n[nodes.a]\nnode = 'Grain'", plugins)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ReadError, match="none.toml: no such file or directory; give the path of a graph file"):
        Graph.load(tmp_path / "none.toml", PLUGINS)


def test_a_file_is_replaced_only_when_allowed(tmp_path):
    path = tmp_path / "graph.toml"
    path.write_text("mine")
    with pytest.raises(WriteError, match="exists already"):
        example().save(path)
    assert path.read_text() == "mine"
    example().save(path, overwrite=True)
    assert same(Graph.load(path, PLUGINS), example())


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(WriteError, match="none: does not exist, and is to be written to"):
        example().save(tmp_path / "none" / "graph.toml")
