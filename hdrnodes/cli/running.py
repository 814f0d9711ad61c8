"""What every command needs that runs networks: the options of the runtime, and the surroundings for nodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal

import rich_click as click

from hdrnodes.hookspecs import hookimpl
from hdrnodes.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hdrnodes.cli.telling import Teller
    from hdrnodes.nodes.base import Context
    from hdrnodes.plugins import Plugins
    from hdrnodes.runtime import Settings


def executor_options(command: Any) -> Any:
    """`--executor` and how it is to run; they arrive as one `Executing`, named `executing`."""

    @wraps(command)
    def together(*arguments: Any, **options: Any) -> Any:
        told = {each.name: options.pop(each.name) for each in fields(Executing)}
        return command(*arguments, executing=Executing(**told), **options)

    for option in reversed(_OPTIONS):
        together = option(together)
    return together


@dataclass(frozen=True)
class Executing:
    """What the options of `executor_options` were given: the arguments of `Runtime` and of `Settings`."""

    executor: str
    tile: int | None
    memory: int | None
    precision: Literal["auto", "float32", "fp16", "bf16"]
    threads: int | None
    hint: Literal["latency", "throughput"]

    def settings(self) -> Settings:
        from hdrnodes.runtime import Settings

        return Settings(precision=self.precision, threads=self.threads, hint=self.hint, memory=self.memory)


LEAST_MEMORY = 256_000_000  # bytes


def _bytes(ctx: click.Context, param: click.Parameter, given: str | None) -> int | None:
    """A number of bytes as people write it: 6G, 512M, 1.5GiB."""
    from pydantic import ByteSize, TypeAdapter, ValidationError

    if given is None:
        return None
    try:
        size = int(TypeAdapter(ByteSize).validate_python(given))
    except (ValidationError, OverflowError):
        raise click.BadParameter(f"{given} is no size; write 6G, 512M or 1.5GiB") from None
    if size < LEAST_MEMORY:
        raise click.BadParameter(f"{given} is too little; give {LEAST_MEMORY // 10**6}M or more")
    return size


_OPTIONS = (
    click.option(
        "--executor",
        default="auto",
        metavar="auto|NAME",
        help="What runs the networks, as `hdrnodes doctor` lists them; -v says which was taken.",
    ),
    click.option(
        "--tile",
        type=click.IntRange(64, 65536),
        metavar="PIXELS",
        help="Longest side of the tiles that a large picture is cut into; smaller ones take less memory.",
    ),
    click.option(
        "--memory",
        callback=_bytes,
        metavar="SIZE",
        help="How much memory may be taken: 6G, 512M. Most of what is free if not given.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["auto", "float32", "fp16", "bf16"]),
        default="auto",
        help="Of the networks' insides; auto is fp16 on a GPU, float32 on a CPU. bf16, where a CPU has it, is faster, "
        "and off by 0.004 stops RMS, by 0.026 where the plate clipped (of default in openvino, means over 24 plates).",
    ),
    click.option("--threads", type=click.IntRange(1, 1024), metavar="NUMBER", help="Of a CPU; all if not given."),
    click.option(
        "--hint",
        type=click.Choice(["latency", "throughput"]),
        default="latency",
        help="Whether one frame should be ready soon, or, by openvino, many an hour (which takes more memory).",
    ),
)
EXECUTOR_OPTIONS = ("--executor", "--tile", "--memory", "--precision", "--threads", "--hint")  # for panels of the help


def make_context(executing: Executing, models: Iterable[str], teller: Teller) -> Context:
    """Surroundings with a runtime; says which executor that has.

    Raises:
        click.UsageError: there is no such executor, or no such model.
        ExecutorError: the executor cannot run here.
    """
    from hdrnodes.nodes.base import Context
    from hdrnodes.plugins import installed_plugins
    from hdrnodes.runtime import Runtime

    plugins = installed_plugins()
    executor = executing.executor
    if executor not in ("auto", *plugins.executors):
        raise click.UsageError(
            f"there is no executor {executor}; {did_you_mean(executor, ['auto', *plugins.executors])}"
        )
    take_model_folders(models, plugins)
    runtime = Runtime(executor, tile=executing.tile, plugins=plugins, settings=executing.settings())
    teller.detail(f"executor: {runtime.reason}")
    return Context(runtime=runtime, plugins=plugins)


class ModelFolder:
    """A model folder given on the command line, as a plugin: it registers under what it was called there."""

    def __init__(self, given: str) -> None:
        self._given = given

    @hookimpl
    def register_models(self) -> Mapping[str, Path]:
        from pathlib import Path

        return {self._given: Path(self._given)}


def take_model_folders(names: Iterable[str], plugins: Plugins) -> None:
    """Make models known that are given as folders.

    Raises:
        click.UsageError: one is neither a name nor a folder.
    """
    from pathlib import Path

    for name in names:
        if name in plugins.models:
            continue
        if not Path(name).is_dir():
            raise click.UsageError(f"there is no model {name}, nor a folder; {did_you_mean(name, plugins.models)}")
        plugins.register(ModelFolder(name), f"model {name}", "the command line")
