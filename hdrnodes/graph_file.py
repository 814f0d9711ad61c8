"""Graph files: a graph as TOML, to be read, changed and kept by people.

    format = 1
    outputs = ["write"]                  # optional, as in `Graph`; so is inputs

    [nodes.read]
    node = "Read"
    knobs = {path = "plate.jpg"}         # those that are not said stand at their defaults

    [nodes.write]
    node = "Write"
    sources = {image = "read"}           # for each input of the node: the name of what feeds it
    knobs = {path = "plate.exr"}

Saved files say every knob, so that a later version with other defaults makes the same picture.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hdrnodes.errors import GraphError, KnobError, ReadError
from hdrnodes.graph import Graph
from hdrnodes.spelling import did_you_mean
from hdrnodes.whole_file import whole_file

if TYPE_CHECKING:
    from hdrnodes.plugins import Plugins

FORMAT = 1


def load(path: str | Path, plugins: Plugins | None = None) -> Graph:
    """The graph of a file, whole and checked.

    Raises:
        ReadError: the file is missing, or is no TOML.
        GraphError: it is no graph: an unknown node (near names are given), a cycle, an input left open.
        KnobError: a node has no such knob, or its value is not allowed.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        return from_toml(text, plugins)
    except OSError as error:
        raise ReadError(path, (error.strerror or str(error)).lower(), "give the path of a graph file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReadError(path, f"is no TOML: {error}", "correct it there") from error
    except (GraphError, KnobError) as error:
        raise type(error)(f"{path}: {error.subject}", error.problem, error.remedy) from error


def save(graph: Graph, path: str | Path, overwrite: bool = False) -> None:
    """Write a graph file, whole or not at all.

    Raises:
        WriteError: the file exists, or cannot be written.
        GraphError: the graph is not whole.
    """
    graph.validate()
    with whole_file(Path(path), overwrite) as temporary:
        temporary.write_text(to_toml(graph), encoding="utf-8")


def from_toml(text: str, plugins: Plugins | None = None) -> Graph:
    """The graph that a text describes, checked. Errors as of `load`, and tomllib.TOMLDecodeError."""
    if plugins is None:
        from hdrnodes.plugins import installed_plugins

        plugins = installed_plugins()
    described = tomllib.loads(text)
    _only(described, {"format": int, "inputs": list, "outputs": list, "nodes": dict}, "graph")
    if described.get("format") != FORMAT:
        remedy = f"write format = {FORMAT}, or take the version of hdrnodes that wrote it"
        raise GraphError("graph", f"has the format {described.get('format')}", remedy)
    graph = Graph(described.get("inputs", ()), described.get("outputs", ()))
    for name, step in described.get("nodes", {}).items():
        _add(graph, name, step, plugins)
    graph.validate()
    return graph


def _add(graph: Graph, name: str, step: Any, plugins: Plugins) -> None:
    _only(step, {"node": str, "sources": dict, "knobs": dict}, f"node {name}")
    if "node" not in step:
        raise GraphError(f"node {name}", "does not say which node it is", 'write node = "Exposure", say')
    if step["node"] not in plugins.nodes:
        remedy = did_you_mean(step["node"], plugins.nodes)
        if plugins.skipped:
            remedy += f" (plugins skipped: {', '.join(plugins.skipped)})"
        raise GraphError(f"node {name}", f"there is no node {step['node']}", remedy)
    try:
        node = plugins.nodes[step["node"]](**step.get("knobs", {}))
    except KnobError as error:
        raise KnobError(f"node {name}: {error.subject}", error.problem, error.remedy) from error
    graph.add(node, name, **step.get("sources", {}))


def _only(table: Any, keys: Mapping[str, type], where: str) -> None:
    """Refuse what is no table, keys that are not known, and values of another type."""
    if not isinstance(table, dict):
        raise GraphError(where, f"is {table!r}, not a table", f"write its {', '.join(keys)}")
    for key, value in table.items():
        if key not in keys:
            raise GraphError(where, f"has an unknown key {key}", did_you_mean(key, keys))
        if not isinstance(value, keys[key]):
            kind = {int: "a number", list: "a list of names", dict: "a table", str: "a text"}[keys[key]]
            raise GraphError(where, f"{key} is {value!r}", f"give {kind}")
        if key in ("inputs", "outputs", "sources") and not _are_names(value):
            raise GraphError(where, f"{key} has {value!r}", "give names")


def _are_names(value: Any) -> bool:
    return all(isinstance(name, str) for name in (value.values() if isinstance(value, dict) else value))


def to_toml(graph: Graph) -> str:
    """The text of a graph file."""
    lines = [f"format = {FORMAT}"]
    lines += [f"{key} = {_value(names)}" for key in ("inputs", "outputs") if (names := getattr(graph, key))]
    for name, step in graph.steps.items():
        lines += ["", f"[nodes.{_key(name)}]", f"node = {_value(step.node.name)}"]
        if step.sources:
            lines.append(f"sources = {_value(step.sources)}")
        knobs = {knob: value for knob, value in step.node.model_dump().items() if value is not None}
        if knobs:
            lines += [f"[nodes.{_key(name)}.knobs]", *(f"{_key(k)} = {_value(v)}" for k, v in knobs.items())]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    """A TOML value. JSON's texts and numbers are TOML's too, but for DEL, which TOML wants escaped."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(key)} = {_value(each)}' for key, each in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return repr(float(value))  # shortest text that gives the same number back
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
