"""Writes README.md beside this file: every built-in node and knob, from their declarations.

python -m hdrnodes.nodes.docs
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

from hdrnodes.nodes.base import Node
from hdrnodes.nodes.knob_info import KnobInfo
from hdrnodes.plugins import Plugins

PAGE = Path(__file__).with_name("README.md")
OPENING = """\
# Nodes and their knobs

<!-- Written by `python -m hdrnodes.nodes.docs` from the declarations; change those. -->

`hdrnodes nodes NAME` says the same on the command line. Every node keeps a picture's size, its alpha and other
channels, metadata, and data window. Scene-linear pictures are relative: 1.0 is the radiance at which the plate clips.
"""


def nodes_page() -> str:
    """The whole page, Markdown."""
    plugins = Plugins()
    plugins.load_builtins()
    table = [f"| [{name}](#{name.lower()}) | {_help(node)} |" for name, node in plugins.nodes.items()]
    parts = [OPENING, "\n".join(["| node | does |", "|---|---|", *table, ""])]
    return "\n".join([*parts, *(_section(node) for node in plugins.nodes.values())])


def _section(node: type[Node]) -> str:
    lines = [f"## {node.name}", "", _help(node), "", f"Inputs: {_inputs(node)}.", ""]
    if knobs := node.knobs():
        lines += ["| knob | takes | default | |", "|---|---|---|---|"]
        lines += [_row(info) for info in knobs.values()]
        lines.append("")
    computes = (inspect.getdoc(sys.modules[node.__module__]) or "").removeprefix(f"{node.name}: ")
    return "\n".join([*lines, computes[:1].upper() + computes[1:], ""])


def _row(knob: KnobInfo) -> str:
    takes = f"{knob.allowed}, {knob.unit}" if knob.unit else knob.allowed
    return f"| `{knob.name}` | {takes} | {_default(knob.default)} | {knob.doc} |"


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value in ("", None) else f"`{value}`"


def _inputs(node: type[Node]) -> str:
    optional = [f"{name} (optional)" for name in node.optional_inputs]
    return ", ".join([*node.inputs, *optional]) or "none"


def _help(node: type[Node]) -> str:
    return " ".join((inspect.getdoc(node) or "").split())


if __name__ == "__main__":
    PAGE.write_text(nodes_page(), encoding="utf-8")
