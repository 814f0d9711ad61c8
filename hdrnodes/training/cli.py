"""`hdrnodes train ...`: one command a stage, then `export`, then `validate`."""

from pathlib import Path
from typing import Any

import rich_click as click
import torch
from torch import nn

from hdrnodes.networks.base import StageNetwork
from hdrnodes.training.default_model import (
    LINEARIZE_OVERVIEW,
    RECIPES,
    Recipe,
    dequantize_network,
    export_default,
    first_three,
    hallucinate_network,
    linearize_network,
    refine_network,
)
from hdrnodes.training.loop import Schedule
from hdrnodes.training.loop import train as fit
from hdrnodes.training.plates import PlateMaker, PlateOptions
from hdrnodes.training.responses import Responses, measured_responses
from hdrnodes.training.scenes import Scenes
from hdrnodes.training.validation_plates import ValidationSet, validation_set

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def train() -> None:
    """Train the stages of `default`, one command each, and write the model folder."""


def _stage_options(command: Any) -> Any:
    for option in (
        click.option("--scenes", type=FOLDER, required=True, help="Folder of HDR panoramas (.exr) to train with."),
        click.option("--validation", type=FOLDER, required=True, help="Folder of other panoramas, to score with."),
        click.option("--responses", type=FILE, required=True, help="Measured responses: dorf_*.npz, key `inverse`."),
        click.option("--runs", type=FOLDER, default=Path("runs"), show_default=True, help="Where checkpoints go."),
        click.option("--steps", type=click.IntRange(1), help="Instead of the recipe's."),
        click.option("--batch", type=click.IntRange(1), help="Plates in a step, instead of the recipe's."),
        click.option("--seed", type=int, default=0, show_default=True),
        click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1 ..."),
        click.option("--compiled/--eager", default=False, help="Through torch.compile."),
    ):
        command = option(command)
    return command


@train.command()
@_stage_options
def dequantize(**options: Any) -> None:
    """Undo rounding and JPEG: L2."""
    from hdrnodes.training.dequantize import DequantizeStage

    network, setup = dequantize_network(), _Setup("dequantize", **options)
    setup.fit(network, DequantizeStage(setup.maker, setup.validation, setup.batch))


@train.command()
@_stage_options
def linearize(**options: Any) -> None:
    """Undo the response: L2 of the curve and of the linear picture, and stops in the shadows."""
    from hdrnodes.training.linearize import LinearizeStage

    setup = _Setup("linearize", **options)
    network = linearize_network(setup.measured)
    setup.fit(network, LinearizeStage(setup.maker, setup.validation, setup.batch, LINEARIZE_OVERVIEW))


@train.command()
@_stage_options
@click.option("--features", type=FILE, help="VGG16 features (see hdrnodes.training.vgg): adds the perceptual loss.")
def hallucinate(features: Path | None, **options: Any) -> None:
    """Radiance for what clipped: L1 in the log domain, L2 in stops, TV, perceptual."""
    from hdrnodes.training.hallucinate import HallucinateStage
    from hdrnodes.training.vgg import VGGFeatures

    network, setup = hallucinate_network(), _Setup("hallucinate", **options)
    vgg = None if features is None else VGGFeatures.load(features).to(setup.device)
    setup.fit(network, HallucinateStage(setup.maker, setup.validation, setup.batch, vgg))


@train.command()
@_stage_options
def refine(**options: Any) -> None:
    """The rest, end to end, on what the best of the other three make of plates."""
    from hdrnodes.training.refine import RefineStage

    network, setup = refine_network(), _Setup("refine", **options)
    before = first_three(setup.runs).to(setup.device)
    setup.fit(network, RefineStage(setup.maker, setup.validation, setup.batch, before))


@train.command()
@click.option("--runs", type=FOLDER, default=Path("runs"), show_default=True)
@click.option("-o", "--output", type=FOLDER, default=Path("engines/default"), show_default=True)
@click.option("--version", default="0.1.0", show_default=True)
@click.option("--overwrite", is_flag=True)
def export(runs: Path, output: Path, version: str, overwrite: bool) -> None:
    """Write the best weights of each stage as a model folder."""
    click.echo(export_default(runs, output, version, overwrite=overwrite).folder)


@train.command()
@click.option("--validation", type=FOLDER, required=True, help="Folder of panoramas that no training saw.")
@click.option("--responses", type=FILE, required=True, help="Measured responses: dorf_*.npz, key `inverse`.")
@click.option("--model", default="default", show_default=True, help="A name that `hdrnodes doctor` lists.")
@click.option("--executor", default="auto", show_default=True)
@click.option("--views", type=click.IntRange(1), default=10, show_default=True, help="Plates of each scene.")
def validate(validation: Path, responses: Path, model: str, executor: str, views: int) -> None:
    """How good a model is, beside the linearised plate: means over plates, with paired intervals."""
    from rich.console import Console
    from rich.table import Table

    from hdrnodes.training.validate import methods, table
    from hdrnodes.training.validate import validate as score

    plates = validation_set(Scenes(validation), measured_responses(responses)[1], views)
    scores = {name: score(method, plates) for name, method in methods(model, executor).items()}
    columns = ("inside, stops", "outside, stops", "peak, stops", "curve RMSE")
    shown = Table("method", *columns, title=f"{len(plates.plates)} plates of {len(set(plates.scenes))} scenes")
    for row in table(scores):
        shown.add_row(*row)
    Console(width=160).print(shown)


class _Setup:
    """What every stage's training needs, from its options."""

    def __init__(
        self,
        stage: str,
        scenes: Path,
        validation: Path,
        responses: Path,
        runs: Path,
        steps: int | None,
        batch: int | None,
        seed: int,
        device: str,
        compiled: bool,
    ) -> None:
        self.stage, self.runs, self.seed, self.compiled = stage, runs, seed, compiled
        self.device = torch.device(device)
        self.recipe: Recipe = RECIPES[stage]
        self.steps, self.batch = steps or self.recipe.steps, batch or self.recipe.batch
        self.measured, held_out = measured_responses(responses)
        self.maker = PlateMaker(
            Scenes(scenes, self.device),
            Responses(self.measured),
            PlateOptions(
                size=self.recipe.size,
                per_view=self.recipe.per_view,
                odd=self.recipe.odd,
                one_curve=self.recipe.one_curve,
                clipped=self.recipe.clipped,
            ),
        )
        self.validation: ValidationSet = validation_set(Scenes(validation, self.device), held_out, views=3)

    def fit(self, network: StageNetwork | nn.Module, stage: Any) -> None:
        schedule = Schedule(
            steps=self.steps, rate=self.recipe.rate, validate_every=self.recipe.validate_every, seed=self.seed
        )
        # The convolutions of a CPU and of tensor cores want the channels last.
        network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # for modules torch forgets it
        best = fit(network, stage, schedule, self.runs / self.stage, compiled=self.compiled)
        click.echo(best)
