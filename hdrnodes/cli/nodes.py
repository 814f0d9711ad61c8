"""`hdrnodes nodes`: what there is to build graphs of, from the declarations of the nodes."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

import rich_click as click

from hdrnodes.cli.telling import json_option, print_json, print_table, verbose_option
from hdrnodes.plugins import Plugins, installed_plugins
from hdrnodes.spelling import did_you_mean

if TYPE_CHECKING:
    from hdrnodes.nodes.base import Node
    from hdrnodes.nodes.knob_info import KnobInfo


@click.command()
@click.argument("name", required=False)
@json_option
@verbose_option
def nodes(name: str | None, as_json: bool) -> None:
    """List the nodes, or the knobs of one."""
    plugins = installed_plugins()
    if name is None:
        if as_json:
            print_json([_about(node, plugins) for node in plugins.nodes.values()])
        else:
            rows = [(node.name, _help(node), _owner(node, plugins)) for node in plugins.nodes.values()]
            print_table(("node", "does", "plugin"), rows)
        return
    by_lower_case = {known.lower(): node for known, node in plugins.nodes.items()}
    node = plugins.nodes.get(name) or by_lower_case.get(name.lower())
    if node is None:
        raise click.UsageError(f"there is no node {name}; {did_you_mean(name, plugins.nodes)}")
    if as_json:
        print_json({**_about(node, plugins), "knobs": [_knob(info) for info in node.knobs().values()]})
    else:
        _print_node(node, plugins)


def _about(node: type[Node], plugins: Plugins) -> dict[str, Any]:
    return {
        "name": node.name,
        "doc": _help(node),
        "plugin": _owner(node, plugins),
        "inputs": list(node.inputs),
        "optional_inputs": list(node.optional_inputs),
    }


def _knob(info: KnobInfo) -> dict[str, Any]:
    names = ("name", "kind", "default", "choices", "minimum", "maximum", "minimum_allowed", "maximum_allowed")
    return {**{name: getattr(info, name) for name in (*names, "nullable", "unit")}, "doc": info.doc}


def _owner(node: type[Node], plugins: Plugins) -> str:
    return plugins.owner("node", node.name)


def _help(node: type[Node]) -> str:
    return " ".join((inspect.getdoc(node) or "").split())


def _print_node(node: type[Node], plugins: Plugins) -> None:
    optional = [f"{name} (optional)" for name in node.optional_inputs]
    click.echo(f"{node.name}: {_help(node)}")
    click.echo(f"plugin {_owner(node, plugins)}; inputs: {', '.join([*node.inputs, *optional]) or 'none'}\n")
    if node.knobs():
        rows = [
            (info.name, info.kind, _shown(info.default), info.allowed, info.unit, info.doc)
            for info in node.knobs().values()
        ]
        print_table(("knob", "type", "default", "takes", "unit", ""), rows)
    computes = inspect.getdoc(sys.modules[node.__module__])
    if computes:
        click.echo(f"\n{computes}")


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return "true" if default else "false"
    return "" if default is None else str(default)
