"""One command's training: what a stage is fitted with, from the command's options and the recipe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hdrnodes.errors import ModelError, TrainingError
from hdrnodes.networks.default.linearize import Linearize
from hdrnodes.training.dequantize import DequantizeStage
from hdrnodes.training.distributed import Workers
from hdrnodes.training.hallucinate import HallucinateStage
from hdrnodes.training.joint import JointStage
from hdrnodes.training.linearize import LinearizeStage
from hdrnodes.training.linearize_kept import KeptNumbersStage
from hdrnodes.training.loop import TrainingStage, train
from hdrnodes.training.plates import PlateMaker
from hdrnodes.training.recipe import Recipe, StageRecipe
from hdrnodes.training.refine import RefineStage
from hdrnodes.training.responses import Responses, measured_responses
from hdrnodes.training.runs import Runs
from hdrnodes.training.scenes import Scenes
from hdrnodes.training.start import start_from
from hdrnodes.training.system import System
from hdrnodes.training.trainable import FIRST_THREE, STAGES, Trainable
from hdrnodes.training.validation_plates import ValidationSet, validation_set
from hdrnodes.training.vgg import VGGFeatures
from hdrnodes.training.whole import ReducedFrame


@dataclass(frozen=True)
class Material:
    """Where what is trained with lies.

    Attributes:
        scenes, validation: folders of float pictures, or packed files: to train with, and others to score with.
        responses: of measured responses.
        features: VGG16, for the perceptual loss; without it that is left out.
        pairs: a folder of photographs with their light, for refine.
    """

    scenes: Sequence[Path]
    validation: Sequence[Path]
    responses: Path
    features: Path | None = None
    pairs: Path | None = None


class Session:
    """The training of a stage.

    Args:
        stage: its name, or `joint`.
        model, recipe, material: what is trained, how, and on what.
        runs: where runs are.
        start: weights to begin with, if not those of the stages' own runs, or none.
        seed: 0 or more.
        workers: those that train together.
        say: takes a line for the user.
    """

    def __init__(
        self,
        stage: str,
        model: Trainable,
        recipe: Recipe,
        material: Material,
        runs: Path,
        start: Path | None,
        seed: int,
        workers: Workers,
        say: Callable[[str], None],
    ) -> None:
        self.stage, self.model, self.material, self.start, self.seed = stage, model, material, start, seed
        self.workers, self.say, self.runs = workers, say if workers.leads else _say_nothing, Runs(model, runs)
        self.recipe = self._without_missing_features(recipe)
        self.own: StageRecipe = getattr(self.recipe, stage)
        self.features = self._features()
        measured, held_out = measured_responses(material.responses)
        scenes = Scenes.read(material.scenes, workers.device)
        self.maker = PlateMaker(scenes, Responses(measured, workers.device), self.own.plates)
        options = recipe.validation
        shown = Scenes.read(material.validation)
        plates = validation_set(shown, held_out, options.views, options.size, options.collages)
        self.validation: ValidationSet = plates.to(workers.device)

    def fit(self, *, compiled: bool) -> Path:
        """Train, and return the path of the best weights. Raises TrainingError, ModelError, WriteError."""
        record = self._record()
        begun = self.runs.begun(self.stage)
        if self.workers.leads:
            self.runs.begin(self.stage, record)
        self.workers.wait()
        torch.manual_seed(self.seed)
        network = self.network(begun).to(self.workers.device)
        # The convolutions of a CPU and of tensor cores want the channels last.
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # for modules torch forgets it
        return train(
            network,
            self.training_stage(network),
            self.own.schedule(self.seed),
            self.runs.folder(self.stage),
            compiled=compiled,
            precision=self.own.precision,
            workers=self.workers,
            about=record,
        )

    def network(self, begun: bool) -> nn.Module:
        """With the weights that it starts from, unless its checkpoint has them."""
        names = {"joint": FIRST_THREE, "refine": STAGES}.get(self.stage, (self.stage,))
        networks = {name: self.model.make(name) for name in names}
        if not begun:
            self._start(networks)
        if self.stage not in ("joint", "refine"):
            return networks[self.stage]
        end_to_end = self.stage == "joint" or self.recipe.refine.end_to_end
        return System(networks, fixed=() if end_to_end else FIRST_THREE)

    def _start(self, networks: dict[str, nn.Module]) -> None:
        if self.start is not None:
            start_from(self.start, self.model, networks)
        elif self.stage in ("joint", "refine"):
            networks.update(self.runs.first_three(stagewise=self.stage == "joint"))
        elif self.stage == "hallucinate" and self.model.name == "published":
            self._start_encoder(networks["hallucinate"])

    def _start_encoder(self, network: Any) -> None:
        from hdrnodes.training.published_model import start_from_vgg16

        if self.material.features is None:
            self.say("hallucinate: its encoder starts from noise; --features lets it start from VGG16")
            return
        try:
            start_from_vgg16(network, self.material.features)
        except ModelError as error:
            self.say(f"hallucinate: its encoder starts from noise, not from VGG16 ({error})")

    def training_stage(self, network: nn.Module) -> TrainingStage:
        recipe = self.recipe
        if self.stage == "dequantize":
            return DequantizeStage(self.maker, self.validation, recipe.dequantize)
        if self.stage == "linearize":
            return self._linearize(network)
        if self.stage == "hallucinate":
            return HallucinateStage(self.maker, self.validation, recipe.hallucinate, self.features)
        if self.stage == "joint":
            return JointStage(self.maker, self.validation, recipe, self.features)
        real = None
        if self.material.pairs is not None:
            from hdrnodes.training.pairs import PairMaker, load_pairs  # needs OpenImageIO

            real = PairMaker(load_pairs(self.material.pairs), recipe.refine.plates.size, self.workers.device)
        return RefineStage(self.maker, self.validation, recipe.refine, real)

    def _linearize(self, network: nn.Module) -> TrainingStage:
        own = self.recipe.linearize
        if not own.kept:
            return LinearizeStage(self.maker, self.validation, own)
        if not (isinstance(network, ReducedFrame) and isinstance(network.network, Linearize)):
            problem = f"linearize of {self.model.name} sees pixels, of which no numbers can be kept"
            raise TrainingError("recipe", problem, "set linearize.kept = 0")
        folder = self.runs.folder(self.stage)
        return KeptNumbersStage(
            network, self.maker, self.validation, own, folder, self.seed, self.workers.rank, self.say
        )

    def _record(self) -> dict[str, Any]:
        """What the run is made with, as TOML can hold it."""
        parts = {self.stage, "validation", *(FIRST_THREE if self.stage == "joint" else ())}
        record: dict[str, Any] = {
            "model": self.model.name,
            "stage": self.stage,
            "seed": self.seed,
            "scenes": len(self.maker.scenes),
            "processes": self.workers.count,
            "recipe": self.recipe.model_dump(mode="json", include=parts),
        }
        if self.start is not None:
            record["start"] = str(self.start)
        return record

    def _without_missing_features(self, recipe: Recipe) -> Recipe:
        """The recipe as it can be followed: no perceptual loss where there are no features for it."""
        weights = recipe.hallucinate.weights
        if self.stage not in ("hallucinate", "joint") or self.material.features is not None or not weights.perceptual:
            return recipe
        self.say(f"{self.stage}: the perceptual loss is left out; --features brings it (`hdrnodes metric-weights`)")
        without = recipe.hallucinate.model_copy(update={"weights": weights.model_copy(update={"perceptual": 0.0})})
        return recipe.model_copy(update={"hallucinate": without})

    def _features(self) -> VGGFeatures | None:
        wanted = self.stage in ("hallucinate", "joint") and self.recipe.hallucinate.weights.perceptual
        if not wanted or self.material.features is None:
            return None
        return VGGFeatures.load(self.material.features).to(self.workers.device)


def _say_nothing(text: str) -> None:
    """The first of several processes has said it."""
