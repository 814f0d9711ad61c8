"""Fixtures, and a compliance kit: what every node owes, asked of a plugin's too.

    def test_my_node_keeps_the_contract(hdrnodes_context):
        check_node(MyNode, hdrnodes_context, amount=0.5)

    def test_my_plugin_loads():
        check_plugin_file("my_plugin.py")

pytest loads this file wherever hdrnodes is installed, so it imports nothing of weight before it is used.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hdrnodes.image import Image
    from hdrnodes.nodes.base import Context, Node
    from hdrnodes.plugins import Plugins

SHAPES = [(1, 1, 3), (1, 7, 3), (33, 31, 4), (16, 16, 6), (5, 4, 1), (4, 5, 2)]


@pytest.fixture
def hdrnodes_plugins() -> Plugins:
    """A registry with the built-ins in it and nothing else; register a plugin into it to test it."""
    from hdrnodes.plugins import Plugins

    plugins = Plugins()
    plugins.load_builtins()
    return plugins


@pytest.fixture
def hdrnodes_said() -> list[str]:
    """What nodes said in `hdrnodes_context`, line by line."""
    return []


@pytest.fixture
def hdrnodes_context(hdrnodes_plugins: Plugins, hdrnodes_said: list[str]) -> Context:
    """Surroundings to run a node in, with the plugins of `hdrnodes_plugins`."""
    from hdrnodes.nodes.base import Context

    return Context(say=hdrnodes_said.append, plugins=hdrnodes_plugins)


def check_node(node_class: type[Node], context: Context, **knobs: Any) -> None:
    """Ask of a node what the contract asks of all.

    It is documented, its knobs survive a graph file and the way to another process, and for pictures of several
    sizes and channels, display-referred and scene-linear, its result has their size, their alpha and other
    channels, metadata and windows, is finite, is the same the second time, and leaves the inputs as they were. Of one
    that says `on_device`, where torch is installed, also that torch tensors give it the same.

    Args:
        node_class: what to check.
        context: to run it in: the fixture `hdrnodes_context`.
        knobs: to set, where its defaults do not run (a path, say).

    Raises:
        AssertionError: it breaks the contract; the message says how.
    """
    _require(node_class.__dict__.get("__doc__"), node_class, "has no docstring; it is the node's help")
    node = node_class(**knobs)
    _require(pickle.loads(pickle.dumps(node)) == node, node_class, "changes on its way to another process")
    _check_graph_file(node)
    if not node.inputs:
        _check_pictures_alike(node, {}, context)
        return
    for plate in _plates():
        _check_result(node, dict.fromkeys(node.inputs, plate), context)
        if node.optional_inputs:
            _check_result(node, dict.fromkeys((*node.inputs, *node.optional_inputs), plate), context)


def check_plugin_file(path: str | os.PathLike[str]) -> None:
    """Ask of a plugin's file, or package folder, that it loads from $HDRNODES_PLUGIN_PATH, and loads no torch.

    Raises:
        AssertionError: it does not; the message says why.
    """
    path = Path(path).resolve()
    script = (
        "import sys; from hdrnodes.plugins import installed_plugins; plugins = installed_plugins(); "
        f"error = plugins.skipped.get({path.stem!r}); sys.exit(f'is skipped: {{error!r}}') if error else None; "
        f"{path.stem!r} in plugins.sources or sys.exit('is not found'); "
        "'torch' in sys.modules and sys.exit('imports torch; import it in the function that needs it')"
    )
    surroundings = {**os.environ, "HDRNODES_PLUGIN_PATH": str(path.parent)}
    ran = subprocess.run([sys.executable, "-c", script], env=surroundings, capture_output=True, text=True)
    problem = ran.stderr.strip().splitlines()[-1:] or ["fails"]
    _require(ran.returncode == 0, path.name, problem[0])


def _plates() -> list[Image]:
    """Pictures of odd shapes, some clipped, in a display's and a scene's colour space."""
    import numpy as np

    from hdrnodes.image import LINEAR, SRGB, Image, Window

    random = np.random.default_rng(1)
    plates = [
        Image(
            np.minimum(random.random(shape, np.float32) * np.float32(1.2), 1),
            colorspace=colorspace,
            metadata={"Exif:ISOSpeedRatings": 200},
            data_window=Window(3, -2, shape[1], shape[0]),
            display_window=Window(0, 0, 64, 64),
        )
        for shape in SHAPES
        for colorspace in (SRGB, LINEAR)
    ]
    black = np.zeros((8, 9, 3), np.float32)
    return [*plates, Image(black), Image(black + 1), Image(black + 1, colorspace=LINEAR)]


def _check_result(node: Node, inputs: dict[str, Image], context: Context) -> None:
    import numpy as np

    before = {name: image.pixels.copy() for name, image in inputs.items()}
    result = _check_pictures_alike(node, inputs, context)
    plate = inputs[node.inputs[0]]
    with_ = f"{plate.height} x {plate.width} with {', '.join(plate.channels)}: "
    for name, image in inputs.items():
        _require(np.array_equal(image.pixels, before[name]), node, with_ + f"writes into its input {name}")
    size = (result.height, result.width)
    _require(size == (plate.height, plate.width), node, with_ + f"gives {size[0]} x {size[1]}")
    _require(np.isfinite(result.pixels).all(), node, with_ + "gives NaN or infinite values")
    if node.on_device and find_spec("torch"):
        there = node.process({name: image.to_device("cpu") for name, image in inputs.items()}, context)
        alike = np.allclose(np.asarray(there), result.pixels, rtol=1e-4, atol=1e-5)
        _require(alike, node, with_ + "computes torch tensors otherwise than numpy arrays")
    for about in ("metadata", "data_window", "display_window", "bits"):
        kept = getattr(result, about) == getattr(plate, about)
        _require(kept, node, with_ + f"gives another {about}: {getattr(result, about)}")
    for index, channel in enumerate(plate.channels):
        if channel not in ("R", "G", "B", "Y"):
            kept = channel in result.channels and np.array_equal(
                result.pixels[..., result.channels.index(channel)], plate.pixels[..., index]
            )
            _require(kept, node, with_ + f"changes the channel {channel}")


def _check_pictures_alike(node: Node, inputs: dict[str, Image], context: Context) -> Image:
    """Run it twice: the result is an Image, and the same one."""
    import numpy as np

    from hdrnodes.image import Image

    first = node.process(dict(inputs), context)
    second = node.process(dict(inputs), context)
    _require(isinstance(first, Image), node, f"gives {type(first).__name__}, not an Image")
    _require(np.array_equal(first.pixels, second.pixels, equal_nan=True), node, "gives another picture the second time")
    return first


def _check_graph_file(node: Node) -> None:
    from hdrnodes.graph import Graph
    from hdrnodes.graph_file import from_toml, to_toml
    from hdrnodes.hookspecs import hookimpl
    from hdrnodes.plugins import Plugins

    class OnlyThis:
        @hookimpl
        def register_nodes(self) -> list[type[Node]]:
            return [type(node)]

    plugins = Plugins()
    plugins.register(OnlyThis(), "only this")
    graph = Graph(inputs=["plate"])
    graph.add(node, "it", **dict.fromkeys(node.inputs, "plate"))
    loaded = from_toml(to_toml(graph), plugins).steps["it"].node
    _require(loaded == node, node, f"comes back from a graph file as {loaded!r}")


def _require(kept: Any, who: object, problem: str) -> None:
    if not kept:
        name = getattr(who, "name", who)
        raise AssertionError(f"{name}: {problem}")
