"""Runtime: what nodes ask for a network's answer. It loads models at first use and keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from hdrnodes.camera.edges import edge_evidence
from hdrnodes.camera.response import SAMPLES
from hdrnodes.errors import ExecutorError, ModelError
from hdrnodes.models import MODEL_FILE, Model, Network, Stage, load_model
from hdrnodes.runtime.choose import Choice
from hdrnodes.runtime.executor import Array, Executor, Settings
from hdrnodes.runtime.reduce import reduce
from hdrnodes.runtime.tiles import Span, join, tile_grid

if TYPE_CHECKING:
    from hdrnodes.plugins import Plugins

TILE = 1536  # pixels; what a stage of `default` then needs is under 1 GB

# What each stage is fed, in order. Its networks name those of them that they take; linearize's may ask for `edges` too,
# what `hdrnodes.camera.edges` finds in the whole frame.
STAGE_INPUTS = {
    "dequantize": ("codes",),
    "linearize": ("display",),
    "hallucinate": ("linear",),
    "refine": ("hallucinated", "linear", "dequantized"),
}


class Runtime:
    """Runs the stages of models, in tiles where a frame is large.

    Args:
        executor: "auto", or the name of one.
        tile: longest side of a tile, pixels; None for a size that fits most machines.
        settings: how networks are run; None for what is best as a rule.
        plugins: where models and executors come from; None for all that are installed.

    Raises:
        ExecutorError: no such executor, or it cannot run here.
    """

    def __init__(
        self,
        executor: str = "auto",
        tile: int | None = None,
        plugins: Plugins | None = None,
        settings: Settings | None = None,
    ) -> None:
        if plugins is None:
            from hdrnodes.plugins import installed_plugins

            plugins = installed_plugins()
        self._models: Mapping[str, Path] = plugins.models
        self._choice = Choice(executor, plugins.executors)
        self.tile = tile or TILE
        self.settings = settings or Settings()
        self._loaded: dict[str, Model] = {}
        self._networks: dict[tuple[str, str], Executor] = {}
        self._lock = Lock()

    @property
    def executor(self) -> type[Executor]:
        """The class of the executor that was taken; another one once `auto` finds that it cannot load a network."""
        return self._choice.executor

    @property
    def reason(self) -> str:
        """Why it and not a better one; one line."""
        return self._choice.reason

    def run(self, stage: str, model: str, *pixels: Array, where: Array | None = None) -> Array:
        """The answer of a stage of a model.

        Args:
            stage: a key of `STAGE_INPUTS`.
            model: a name that `hdrnodes doctor` lists.
            pixels: H x W x 3 float32 each, all of one size; display-referred 0..1 or scene-linear, as the stage has it.
            where: H x W x 1; tiles in which it is 0 everywhere are not computed, and answer 0.

        Returns:
            H x W x 3 float32; of "linearize", the curve, 1024 samples.

        Raises:
            ModelError: no such model or stage; its files are not what their hashes say, or its networks not what
                model.toml says.
            ExecutorError: a network cannot be run here, or not in the memory that there is.
        """
        description = self.model(model).stage(stage)
        frame = dict(zip(STAGE_INPUTS[stage], pixels, strict=True))
        if stage == "linearize":
            network, given = description.networks[stage], _reduced(frame, description.overview)
            if "edges" in network.inputs:
                given["edges"] = edge_evidence(_planar(frame["display"]))
            curve: Array = self._ask(model, network, given, (1, SAMPLES))[0]
            return curve
        context = {}
        if overview := description.networks.get(f"{stage}_overview"):
            context = {"context": self._ask(model, overview, _reduced(frame, description.overview))}
        return self._tiled(model, description, description.networks[stage], frame, context, where)

    def model(self, name: str) -> Model:
        """The description of a model, loaded once."""
        if name not in self._loaded:
            self._loaded[name] = load_model(name, self._models)
        return self._loaded[name]

    def _tiled(
        self,
        model: str,
        stage: Stage,
        network: Network,
        frame: Mapping[str, Array],
        context: Mapping[str, Array],
        where: Array | None,
    ) -> Array:
        first = next(iter(frame.values()))
        height, width = first.shape[:2]

        def compute(y: Span, x: Span) -> Array | None:
            place = slice(y.first, y.last), slice(x.first, x.last)
            if where is not None and not where[place].any():
                return None
            inputs = {name: _planar(image[place]) for name, image in frame.items()}
            window = np.array([[y.first / height, x.first / width, y.last / height, x.last / width]], np.float32)
            size = (1, 3, y.last - y.first, x.last - x.first)
            answer = self._ask(model, network, {**inputs, **context, "window": window}, size)
            pixels: Array = answer[0].transpose(1, 2, 0)
            return pixels

        grid = tile_grid(height, width, self.tile, stage.halo, stage.multiple)
        return np.ascontiguousarray(join((height, width, 3), grid, compute))

    def _ask(
        self, model: str, network: Network, given: Mapping[str, Array], shape: tuple[int, ...] | None = None
    ) -> Array:
        """A network's answer, of that shape; networks of the whole frame may answer any."""
        described = network.folder / MODEL_FILE
        for name in network.inputs:
            if name not in given:
                problem = f"network {network.name} has an input {name}, which its stage is not given"
                raise ModelError(described, problem, f"inputs may be {', '.join(given)}; export the model again")
        with self._lock:  # executors hold buffers; frames that run side by side take turns
            try:
                answer = self._executor(model, network).run(**{name: given[name] for name in network.inputs})
            except MemoryError as error:
                problem = f"there is not enough memory to run network {network.name}"
                remedy = f"give a --tile smaller than {self.tile}"
                raise ExecutorError(f"executor {self.executor.name}", problem, remedy) from error
        if shape not in (None, answer.shape):
            problem = f"network {network.name} answers with the shape {answer.shape}, where {shape} is due"
            raise ModelError(described, problem, "export the model again")
        return answer

    def _executor(self, model: str, network: Network) -> Executor:
        key = (model, network.name)
        if key not in self._networks:
            self._networks[key] = self._choice.load(network, self.settings)
        return self._networks[key]


def _reduced(frame: Mapping[str, Array], longer_side: int) -> dict[str, Array]:
    return {name: _planar(reduce(image, longer_side) if longer_side else image) for name, image in frame.items()}


def _planar(pixels: Array) -> Array:
    """H x W x C -> 1 x C x H x W, contiguous."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)[None]
