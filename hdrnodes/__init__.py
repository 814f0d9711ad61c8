"""hdrnodes: one photograph in, scene-linear high dynamic range out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hdrnodes.curve import Curve
    from hdrnodes.graph import Graph
    from hdrnodes.hookspecs import hookimpl
    from hdrnodes.image import Image
    from hdrnodes.io import read, write
    from hdrnodes.nodes.base import Context, Knob, Node
    from hdrnodes.pipeline import reconstruct

__version__ = "0.1.0"
__all__ = [
    "Context",
    "Curve",
    "Graph",
    "Image",
    "Knob",
    "Node",
    "hookimpl",
    "read",
    "reconstruct",
    "write",
]

# Imported at first use, so that `import hdrnodes` takes milliseconds.
_HOMES = {
    "Context": "hdrnodes.nodes.base",
    "Curve": "hdrnodes.curve",
    "Graph": "hdrnodes.graph",
    "Image": "hdrnodes.image",
    "Knob": "hdrnodes.nodes.base",
    "Node": "hdrnodes.nodes.base",
    "hookimpl": "hdrnodes.hookspecs",
    "read": "hdrnodes.io",
    "reconstruct": "hdrnodes.pipeline",
    "write": "hdrnodes.io",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hdrnodes' has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
