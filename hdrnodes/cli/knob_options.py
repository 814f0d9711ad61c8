"""Command-line options made from the knobs of nodes: names, ranges, help and defaults are said there, never here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import rich_click as click

from hdrnodes.nodes.dequantize import Dequantize
from hdrnodes.nodes.knob_info import KnobInfo
from hdrnodes.nodes.read import Read
from hdrnodes.nodes.write import Write
from hdrnodes.pipeline import stage_knobs

# Options of plumbing nodes that a command offers, by the name of the option.
READ_OPTIONS = {"read_colorspace": "colorspace", "subimage": "subimage", "max_megapixels": "max_megapixels"}
WRITE_OPTIONS = {name: name for name in ("colorspace", "pixel_type", "compression", "overwrite")}

# Stage knobs whose name means something else on a command line.
RENAMED = {"output": "hallucinate_output"}


def stage_options() -> dict[str, KnobInfo]:
    """The knobs of the four stages, by the names of their options; `model` is that of all four."""
    knobs = {RENAMED.get(name, name): info for name, info in stage_knobs().items()}
    return {"model": Dequantize.knobs()["model"], **knobs}


def read_options() -> dict[str, KnobInfo]:
    return {option: Read.knobs()[knob] for option, knob in READ_OPTIONS.items()}


def write_options() -> dict[str, KnobInfo]:
    return {option: Write.knobs()[knob] for option, knob in WRITE_OPTIONS.items()}


def knob_options(knobs: Mapping[str, KnobInfo]) -> Callable[[Any], Any]:
    """A decorator that gives a command an option for each knob; those that are not given come as None."""

    def decorate(command: Any) -> Any:
        for option, info in reversed(list(knobs.items())):
            command = knob_option(option, info)(command)
        return command

    return decorate


def knob_option(option: str, info: KnobInfo) -> Callable[[Any], Any]:
    """A decorator for one."""
    flag = f"--{option.replace('_', '-')}"
    if info.kind == "bool":
        both = f"{flag}/--no-{flag[2:]}" if info.default else flag
        return click.option(both, option, is_flag=True, default=None, help=_help(info))
    return click.option(flag, option, type=_type(info), metavar=_metavar(info), default=None, help=_help(info))


def _type(info: KnobInfo) -> Any:
    if info.kind == "choice":
        return click.Choice([str(choice) for choice in info.choices])
    ends = {"min_open": not info.minimum_allowed, "max_open": not info.maximum_allowed}
    if info.kind == "float":
        return click.FloatRange(info.minimum, info.maximum, **ends)
    if info.kind == "int":
        low, high = (None if end is None else int(end) for end in (info.minimum, info.maximum))
        return click.IntRange(low, high, **ends)
    return str


def _metavar(info: KnobInfo) -> str | None:
    if info.kind == "choice":
        return None
    if info.kind == "file":
        return "|".join([*map(str, info.choices), "FILE"])
    return {"float": "NUMBER", "int": "WHOLE NUMBER", "str": "TEXT"}[info.kind]


def _help(info: KnobInfo) -> str:
    """
    >>> _help(KnobInfo("ceiling", "float", 6.0, "Top.", "stops", minimum=0, minimum_allowed=False, maximum=16))
    'Top. (6.0 stops if not given)'
    """
    if info.kind == "bool" or info.default in ("", None):
        return info.doc
    return f"{info.doc} ({info.default}{f' {info.unit}' if info.unit else ''} if not given)"
