"""What a plugin may do. Implementations take only the arguments they want; last registered, first called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pluggy import HookimplMarker, HookspecMarker

if TYPE_CHECKING:
    from pathlib import Path

    from hdrnodes.image import Image
    from hdrnodes.nodes.base import Context, Node
    from hdrnodes.runtime import Executor

hookspec, hookimpl = HookspecMarker("hdrnodes"), HookimplMarker("hdrnodes")


@hookspec
def register_nodes() -> Sequence[type[Node]]:
    """Give node classes. Called once, when plugins are loaded; importing them must not import torch."""


@hookspec
def register_executors() -> Sequence[type[Executor]]:
    """Give executor classes: ways to run a network. Called once; import their libraries only in use."""


@hookspec
def register_models() -> Mapping[str, Path]:
    """Give model folders by the names under which nodes know them. Called once; each holds a `model.toml`."""


@hookspec
def before_node(node: Node, inputs: dict[str, Image], context: Context) -> None:
    """Watch a node about to run: log, time, tell the farm. An `HdrnodesError` stops the graph.

    Frames are made side by side: it is called from several threads.
    """


@hookspec
def after_node(node: Node, inputs: dict[str, Image], output: Image, context: Context) -> None:
    """Watch a node that has run. An `HdrnodesError` stops the graph."""
