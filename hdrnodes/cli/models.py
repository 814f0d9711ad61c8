"""The models that a graph is to run: their names, and the hashes that tell one from another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hdrnodes.graph import Graph
    from hdrnodes.plugins import Plugins


def models_of(graph: Graph) -> list[str]:
    """The models that the nodes of a graph are set to."""
    named = (getattr(step.node, "model", None) for step in graph.steps.values())
    return list(dict.fromkeys(name for name in named if isinstance(name, str)))


def model_hashes(names: Iterable[str], plugins: Plugins) -> dict[str, Any]:
    """Name -> the model's own name and version, and the hash of each network: for headers.

    Raises:
        ModelError: a model cannot be loaded.
    """
    from hdrnodes.models import hashes_of, load_model

    return {name: hashes_of(load_model(name, plugins.models)) for name in names}
