"""`hdrnodes compile`: TensorRT plans ahead of time, for the card here or for others."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.exceptions import Exit

from hdrnodes.cli.running import take_model_folders
from hdrnodes.cli.telling import Teller, json_option, print_json, print_table, verbose_option

if TYPE_CHECKING:
    from hdrnodes.models import Network
    from hdrnodes.runtime.tensorrt.library import Library
    from hdrnodes.runtime.tensorrt.plans import Card


@click.command("compile")
@click.option(
    "--model", "models", multiple=True, metavar="NAME|FOLDER", help="May be repeated; `default` if not given."
)
@click.option(
    "--target",
    "targets",
    default="current",
    show_default=True,
    metavar="current|SM89,...",
    help="The card here, or the compute capabilities of others, for which TensorRT-RTX builds without a card.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp16", "float32"]),
    default="auto",
    show_default=True,
    help="Of the networks' insides; auto is fp16 where the model has that.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="A cache folder to fill; the one that hdrnodes uses here if not given.",
)
@json_option
@verbose_option
def compile_plans(models: tuple[str, ...], targets: str, precision: str, output: Path | None, as_json: bool) -> None:
    """Build TensorRT's plans ahead of time, for this card or others.

    They go to the cache, where the `tensorrt` executor finds them. For another machine, give -o FOLDER, and copy what
    is in it into the cache there ($HDRNODES_CACHE): it has to have a card of that --target, and the same version of
    TensorRT-RTX. Plans of TensorRT are for the card that built them.
    """
    from hdrnodes.errors import HdrnodesError
    from hdrnodes.models import load_model
    from hdrnodes.plugins import installed_plugins

    plugins = installed_plugins()
    names = list(dict.fromkeys(models)) or ["default"]
    take_model_folders(names, plugins)
    library, cards = _wanted(targets)
    cache = output or _cache()
    teller = Teller()
    networks = [network for name in names for network in load_model(name, plugins.models).networks()]
    built: list[dict[str, Any]] = []
    total = len(networks) * len(cards)
    failed = 0
    with teller.progress(total):
        for card in cards:
            for network in networks:
                label = f"{network.folder.name} {network.name} for {card.target}"
                teller.start(label)
                start = time.perf_counter()
                try:
                    row = _build(network, precision, library, card, cache)
                except HdrnodesError as error:
                    failed += 1
                    teller.failed(str(error))
                    continue
                seconds = time.perf_counter() - start
                built.append({**row, "seconds": round(seconds, 2)})
                teller.done(len(built) + failed, total, label, seconds)
    if as_json:
        print_json(built)
    elif built:
        _print(built)
    if failed:
        raise Exit(1)


def _wanted(targets: str) -> tuple[Library, list[Card]]:
    """What builds, and for which cards.

    Raises:
        click.UsageError: a target is none, or nothing builds for it here.
        ExecutorError: there is no TensorRT, or no card where the one here is asked for.
    """
    from hdrnodes.errors import ExecutorError
    from hdrnodes.runtime.tensorrt.device import give_back, take_device
    from hdrnodes.runtime.tensorrt.executor import TensorRT
    from hdrnodes.runtime.tensorrt.library import INSTALL_RTX, library_for, tensorrt_rtx, why_no_library
    from hdrnodes.runtime.tensorrt.plans import Card

    if reason := why_no_library():
        raise ExecutorError("TensorRT", reason, "then compile again")
    names = list(dict.fromkeys(name.strip() for name in targets.split(",")))
    if names == ["current"]:
        if reason := TensorRT.why_not():
            raise ExecutorError("--target current", reason, "give another, such as --target SM86,SM89")
        device = take_device()
        give_back(device)
        return library_for(device.card.target), [device.card]
    for name in names:
        if not re.fullmatch(r"SM\d{2,3}", name):
            raise click.UsageError(f"there is no target {name}; give current, or compute capabilities: SM86,SM89")
    library = tensorrt_rtx()
    if library is None:
        raise ExecutorError("TensorRT-RTX", "is not installed, which builds for other cards", INSTALL_RTX)
    for name in names:
        if name not in library.targets:
            problem = f"TensorRT-RTX {library.version} builds for {', '.join(library.targets)}, not for {name}"
            raise click.UsageError(f"{problem}; compile there, with TensorRT and --target current")
    return library, [Card(name) for name in names]


def _cache() -> Path:
    from hdrnodes.errors import WriteError
    from hdrnodes.runtime.executor import cache_folder

    folder = cache_folder()
    if folder is None:
        raise WriteError("the cache", "cannot be written", "set $HDRNODES_CACHE, or give -o FOLDER")
    return folder


def _build(network: Network, precision: str, library: Library, card: Card, cache: Path) -> dict[str, Any]:
    """Build one plan, write it, and say what it is; its size in bytes.

    Raises:
        ExecutorError: it cannot be built, or not be found again.
        ModelError: its ONNX is not what model.toml says.
        WriteError: it cannot be written.
    """
    from hdrnodes.errors import ExecutorError
    from hdrnodes.runtime.kept import write
    from hdrnodes.runtime.tensorrt.plans import UNKNOWN_DRIVER, Plan, onnx_of

    onnx, sha256, found = onnx_of(network, precision)
    plan = Plan(network, onnx, sha256, found, library, card, cache)
    if plan.path is None:
        problem = f"its plans are each for one driver, and {UNKNOWN_DRIVER}"
        raise ExecutorError(library.name, problem, "have it on $PATH: it comes with the driver")
    data = plan.build()
    write(plan.path, data)
    return {
        "model": network.folder.name,
        "network": network.name,
        "target": card.target,
        "precision": found,
        "size": len(data),
        "file": str(plan.path),
    }


def _print(built: Sequence[dict[str, Any]]) -> None:
    heads = ("model", "network", "target", "precision", "MB", "seconds", "file")
    rows = [
        (
            row["model"],
            row["network"],
            row["target"],
            row["precision"],
            f"{row['size'] / 1e6:.1f}",
            f"{row['seconds']:.1f}",
            row["file"],
        )
        for row in built
    ]
    print_table(heads, rows)
