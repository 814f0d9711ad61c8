"""`hdrnodes train ...`: one command a stage, then `export`, then `validate`.

Several GPUs: `torchrun --nproc-per-node 4 -m hdrnodes train hallucinate ... --device cuda`.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import rich_click as click

from hdrnodes.cli.telling import json_option, print_json, print_table, result, verbose_option
from hdrnodes.training.distributed import together
from hdrnodes.training.recipe import Recipe, load_recipe
from hdrnodes.training.trainable import MODELS, trainable

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
PATH = click.Path(path_type=Path)

_RUNS = click.option("--runs", type=FOLDER, default=Path("runs"), show_default=True, help="Where runs go.")
_MODEL = click.option("--model", type=click.Choice(list(MODELS)), default="default", show_default=True)
_RESPONSES = click.option(
    "--responses", type=FILE, required=True, metavar="NPZ", help="Measured responses: key `inverse`, N x 1024."
)


@click.group()
def train() -> None:
    """Train the stages of a model, one command each, and write the model folder.

    Each goes on from its last checkpoint in RUNS/MODEL/STAGE, where its losses and best weights are too. After
    `joint` and `refine`, which train several stages, the weights of these are taken.
    """


def _stage_options(command: Any) -> Any:
    scenes_help = "Folder of HDR pictures, or a packed file; to be given several times."
    for option in (
        verbose_option,
        click.option("--compiled/--eager", default=False, show_default=True, help="Through torch.compile, or not."),
        click.option("--precision", type=click.Choice(["bf16", "float32"]), help="Instead of the recipe's."),
        click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1 ..."),
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn."),
        click.option("--batch", type=click.IntRange(1), help="Plates in a step of a process, not the recipe's."),
        click.option("--steps", type=click.IntRange(1), help="Instead of the recipe's."),
        click.option("--start", type=PATH, help="Model folder or checkpoint whose weights a new run begins with."),
        _RUNS,
        _RESPONSES,
        click.option("--validation", type=PATH, required=True, multiple=True, help="Others, to score with."),
        click.option("--scenes", type=PATH, required=True, multiple=True, help=scenes_help),
        click.option("--config", type=FILE, metavar="TOML", help="What differs from the model's recipe."),
        _MODEL,
    ):
        command = option(command)
    return command


_FEATURES = click.option(
    "--features",
    type=FILE,
    help="VGG16 for the perceptual loss; if not given, what `hdrnodes metric-weights` wrote. Left out without either.",
)


@train.command()
@_stage_options
def dequantize(**options: Any) -> None:
    """Undo rounding and JPEG."""
    _fit("dequantize", **options)


@train.command()
@_stage_options
def linearize(**options: Any) -> None:
    """Find the camera's response."""
    _fit("linearize", **options)


@train.command()
@_stage_options
@_FEATURES
def hallucinate(**options: Any) -> None:
    """Find light for what clipped."""
    _fit("hallucinate", **options)


@train.command()
@_stage_options
@_FEATURES
def joint(**options: Any) -> None:
    """Train the first three together, each on what the one before it says.

    Begins with the best of their own runs.
    """
    _fit("joint", **options)


@train.command()
@_stage_options
@click.option(
    "--end-to-end/--only-refine", default=None, help="Train the stages before it too, or not. Else as the recipe says."
)
@click.option("--pairs", type=FOLDER, help="Photographs with their light (hdrnodes.training.pair_layouts).")
def refine(**options: Any) -> None:
    """Mend what the first three leave, on plates like a real camera's.

    Begins with the best of `joint`, or where that was not run, of each stage.
    """
    _fit("refine", **options)


def _fit(
    stage: str,
    model: str,
    config: Path | None,
    scenes: tuple[Path, ...],
    validation: tuple[Path, ...],
    responses: Path,
    runs: Path,
    start: Path | None,
    steps: int | None,
    batch: int | None,
    seed: int,
    device: str,
    precision: str | None,
    compiled: bool,
    features: Path | None = None,
    pairs: Path | None = None,
    end_to_end: bool | None = None,
) -> None:
    from hdrnodes.training.session import Material, Session

    changes = {"steps": steps, "batch": batch, "precision": precision, "end_to_end": end_to_end}
    recipe = _changed(load_recipe(model, config), stage, changes)
    material = Material(scenes, validation, responses, features or _brought_features(), pairs)
    with together(device) as workers:
        session = Session(stage, trainable(model), recipe, material, runs, start, seed, workers, _note)
        best = session.fit(compiled=compiled)
        if workers.leads:
            result(best)


def _brought_features() -> Path | None:
    """VGG16, where `hdrnodes metric-weights` was run here."""
    from hdrnodes.errors import ModelError
    from hdrnodes.metrics.weights import weights_path

    try:
        file = weights_path("vgg16")
    except ModelError:  # no cache folder, so nothing in it
        return None
    return file if file.is_file() else None


def _note(text: str) -> None:
    click.echo(text, err=True)


def _changed(recipe: Recipe, stage: str, changes: dict[str, Any]) -> Recipe:
    given = {key: value for key, value in changes.items() if value is not None}
    return recipe.model_copy(update={stage: getattr(recipe, stage).model_copy(update=given)})


@train.command()
@click.option("--scenes", type=PATH, required=True, multiple=True, help="Folder of HDR pictures; several times.")
@click.option("-o", "--output", type=FILE, required=True, metavar="SAFETENSORS", help="The file to write.")
@click.option("--overwrite", is_flag=True, help="Replace it.")
@verbose_option
def pack(scenes: tuple[Path, ...], output: Path, overwrite: bool) -> None:
    """Pack scenes into one file, which other machines read in seconds."""
    from hdrnodes.errors import WriteError
    from hdrnodes.training.scenes import PACKED, Scenes

    if output.suffix != PACKED:
        raise WriteError(output, f"is no name for packed scenes, which end in {PACKED}", f"add {PACKED}")
    Scenes.read(scenes).save(output, overwrite=overwrite)
    result(output)


@train.command()
@_MODEL
@_RUNS
@click.option("-o", "--output", type=FOLDER, help="The model folder; engines/MODEL if not given.")
@click.option("--version", help="Told by `hdrnodes doctor` and in each EXR's header; the model's own if not given.")
@click.option("--licence", help="Of the weights; the model's own if not given.")
@click.option("--material", help="What they were trained on, in words, for the record.")
@click.option("--stagewise", is_flag=True, help="Take each stage from its own run, and not from joint or refine.")
@click.option(
    "--from",
    "source",
    type=FOLDER,
    help="Not from runs: a model folder, to be exported anew from its own weights; in its place if -o is not given.",
)
@click.option(
    "--plate", "plates", type=FILE, multiple=True, help="Audit half precision on this picture; several times."
)
@click.option("--overwrite", is_flag=True, help="Replace the folder.")
@verbose_option
def export(
    model: str, runs: Path, output: Path | None, source: Path | None, plates: tuple[Path, ...], **options: Any
) -> None:
    """Write the best weights of each stage as a model folder.

    Each network as a graph in float32, and one in FP16, for GPUs. Fails where a value in it overflows FP16, on the
    plates given, or on drawn ones.
    """
    from hdrnodes.networks.export import export_again
    from hdrnodes.training.model_export import export_trained
    from hdrnodes.training.runs import Runs

    audited_on = [_plate(path) for path in plates]
    if source is None:
        found = Runs(trainable(model), runs)
        result(export_trained(found, output or Path("engines", model), plates=audited_on, **options).folder)
        return
    if options.pop("stagewise") or options.pop("material"):
        raise click.UsageError("--stagewise and --material are about runs; --from keeps the folder's own record")
    result(export_again(source, output, plates=audited_on, **options).folder)


def _plate(path: Path) -> Any:
    import torch

    from hdrnodes.io import read
    from hdrnodes.networks.audit_plates import as_plate

    return as_plate(torch.from_numpy(read(path).rgb))


@train.command()
@click.option("--validation", type=PATH, required=True, multiple=True, help="Scenes that no training saw.")
@_RESPONSES
@click.option(
    "--model", multiple=True, default=["default"], show_default=True, help="A name, or a model folder; several times."
)
@click.option("--executor", default="auto", show_default=True)
@click.option("--views", type=click.IntRange(0), default=10, show_default=True, help="Plates of each scene.")
@click.option(
    "--collages",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Plates of each scene beside others, as sharp as photographs that were made smaller.",
)
@click.option("--metric", multiple=True, help="One more, by its id in `hdrnodes evaluate --list`; several times.")
@click.option("--ablations", is_flag=True, help="In place of the baselines: the model without each of its stages.")
@json_option
@verbose_option
def validate(
    validation: tuple[Path, ...],
    responses: Path,
    model: tuple[str, ...],
    executor: str,
    views: int,
    collages: int,
    metric: tuple[str, ...],
    ablations: bool,
    as_json: bool,
) -> None:
    """How good models are, beside the linearised plate: means over plates, with paired intervals.

    All plates, then by how much of them clipped, and as what they are written. In brackets: the 95 % interval of the
    difference to the first method.
    """
    from hdrnodes.cli.running import take_model_folders
    from hdrnodes.metrics.registry import find_metrics
    from hdrnodes.nodes.base import Context
    from hdrnodes.training import ablations as parts
    from hdrnodes.training.responses import measured_responses
    from hdrnodes.training.scenes import Scenes
    from hdrnodes.training.validate import COLUMNS, baselines, cell, ours, summaries
    from hdrnodes.training.validate import validate as score
    from hdrnodes.training.validation_plates import validation_set

    if not views + collages:
        raise click.UsageError("there is no plate: give --views or --collages more than 0")
    chosen = find_metrics([*COLUMNS, *metric])
    context = Context(executor=executor)
    take_model_folders(model, context.known_plugins())
    if ablations:
        methods = {f"{name}, {what}": each for name in model for what, each in parts.ablations(name, context).items()}
    else:
        methods = baselines() | {f"hdrnodes, {name}": ours(name, context) for name in model}
    plates = validation_set(Scenes.read(validation), measured_responses(responses)[1], views, collages=collages)
    scores = {name: score(method, plates, chosen) for name, method in methods.items()}
    rows = list(summaries(scores, plates))
    if as_json:
        print_json(
            [
                {"plates": group, "method": name, "metrics": {key: asdict(value) for key, value in found.items()}}
                for group, name, found in rows
            ]
        )
        return
    shown = sorted(chosen, key=lambda each: [*COLUMNS, each.id].index(each.id))
    print_table(
        ("plates", "method", *(COLUMNS.get(each.id, each.id) for each in shown)),
        [(group, name, *(cell(found[each.id]) for each in shown)) for group, name, found in rows],
    )
