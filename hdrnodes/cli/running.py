"""What every command needs that runs networks: the options of the runtime, and the surroundings for nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import rich_click as click

from hdrnodes.hookspecs import hookimpl
from hdrnodes.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hdrnodes.cli.telling import Teller
    from hdrnodes.nodes.base import Context
    from hdrnodes.plugins import Plugins


def executor_options(command: Any) -> Any:
    """`--executor` and `--tile`."""
    tile = click.option(
        "--tile",
        type=click.IntRange(64, 65536),
        metavar="PIXELS",
        help="Longest side of the tiles that a large picture is cut into; smaller ones take less memory.",
    )
    executor = click.option(
        "--executor",
        default="auto",
        metavar="auto|NAME",
        help="What runs the networks, as `hdrnodes doctor` lists them; -v says which was taken.",
    )
    return executor(tile(command))


def make_context(executor: str, tile: int | None, models: Iterable[str], teller: Teller) -> Context:
    """Surroundings with a runtime; says which executor that has.

    Raises:
        click.UsageError: there is no such executor, or no such model.
        ExecutorError: the executor cannot run here.
    """
    from hdrnodes.nodes.base import Context
    from hdrnodes.plugins import installed_plugins
    from hdrnodes.runtime import Runtime

    plugins = installed_plugins()
    if executor not in ("auto", *plugins.executors):
        raise click.UsageError(
            f"there is no executor {executor}; {did_you_mean(executor, ['auto', *plugins.executors])}"
        )
    take_model_folders(models, plugins)
    runtime = Runtime(executor, tile=tile, plugins=plugins)
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
