"""Runtime: what nodes ask for a network's answer. It loads models at first use and keeps them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from hdrnodes import frames
from hdrnodes.camera.response import SAMPLES
from hdrnodes.errors import ExecutorError, ModelError
from hdrnodes.models import MODEL_FILE, Model, Network, load_model
from hdrnodes.pixelwise import beside, to_numpy
from hdrnodes.runtime import memory
from hdrnodes.runtime.choose import Choice
from hdrnodes.runtime.executor import Executor, Settings
from hdrnodes.runtime.inputs import STAGE_INPUTS, planar, reduced, told_at_full_size
from hdrnodes.runtime.tiles import Place, in_batches, join, least_tile, tile_grid
from hdrnodes.runtime.turns import Turns

if TYPE_CHECKING:
    from hdrnodes.plugins import Plugins

log = logging.getLogger("hdrnodes")

Array = Any  # numpy's, or a torch tensor


class Runtime:
    """Runs the stages of models, in tiles where a frame is large.

    Args:
        executor: "auto", or the name of one.
        tile: longest side of a tile, pixels; None for what memory allows: `settings.memory`, or what is free.
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
        self.tile = tile
        self.settings = settings or Settings()
        self._loaded: dict[str, Model] = {}
        self._fitting: dict[tuple[str, str], int] = {}  # tiles of stages for which larger ones were too large
        self._networks: dict[tuple[str, str], Executor] = {}
        self._memories: dict[type[Executor], int] = {}
        self._loading = Lock()
        self._turns: dict[int, Turns] = {}  # by how many run side by side

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
            stage: a key of `hdrnodes.runtime.inputs.STAGE_INPUTS`.
            model: a name that `hdrnodes doctor` lists.
            pixels: H x W x 3 float32 each, all of one size and kind, numpy or torch; display-referred 0..1 or
                scene-linear, as the stage has it.
            where: H x W x 1; of several tiles, those in which it is 0 everywhere are not computed, and answer 0.

        Returns:
            H x W x 3 float32, of the kind of `pixels`, where they are; of "linearize", the curve, 1024 samples.

        Raises:
            ModelError: no such model or stage; its files are not what their hashes say, or its networks not what
                model.toml says.
            ExecutorError: a network cannot be run here, or not in the memory that there is, or that is allowed.
        """
        description = self.model(model).stage(stage)
        frame = dict(zip(STAGE_INPUTS[stage], pixels, strict=True))
        if stage == "linearize":
            network, given = description.networks[stage], reduced({"display": frame["display"]}, description.overview)
            given |= told_at_full_size(frame["plate"], network.inputs)
            return self._ask_once(model, network, given, (1, SAMPLES))[0]
        context = {}
        if overview := description.networks.get(f"{stage}_overview"):
            context = {"context": self._ask_once(model, overview, reduced(frame, description.overview))}
        return self._in_tiles(model, stage, frame, context, where)

    def model(self, name: str) -> Model:
        """The description of a model, loaded once.

        Raises:
            ModelError: there is no such model, or it is not whole.
            ExecutorError: networks run in the machine's memory, and need more of it than `settings` allow.
        """
        if name not in self._loaded:
            self._loaded[name] = load_model(name, self._models)
        model = self._loaded[name]
        most, least = self.settings.memory, memory.least_memory(model)
        # Asked each time: by now it may be another executor than the one on a GPU that was taken at first.
        if most is not None and most < least and self.tile is None and self.executor.free_memory() is None:
            remedy = f"allow {-(-least // 10**6)} MB or more"
            raise ExecutorError(f"memory of {most // 10**6} MB", f"is too little for model {name}", remedy)
        return model

    @cached_property
    def _on_host(self) -> int:
        """Bytes of the machine's memory for frames, and for networks that run in it."""
        return self.settings.memory or int(frames.SHARE * frames.available())

    @property
    def _memory(self) -> int:
        """Bytes for frames and networks: of the GPU's memory, or the machine's; asked once of each executor taken."""
        if self.executor not in self._memories:
            free = self.executor.free_memory()
            self._memories[self.executor] = self._on_host if free is None else int(frames.SHARE * free)
        return self._memories[self.executor]

    def _in_tiles(
        self, model: str, stage: str, frame: Mapping[str, Array], context: Mapping[str, Array], where: Array | None
    ) -> Array:
        """A stage's answer, in tiles; in smaller ones, and from then on, where there is not the memory for them."""
        network = self.model(model).stage(stage).networks[stage]
        executor = self._executor(model, network)  # first: it may be another than was taken, with other memory
        described = self.model(model)
        halo, multiple = described.stage(stage).halo, described.stage(stage).multiple
        first = next(iter(frame.values()))
        height, width = first.shape[:2]
        tile = self.tile or memory.tile_size(
            described, self._memory, height, width, is_torch_array(first), executor.side_by_side
        )
        at_once, too_large = None, 0
        while True:
            if (model, stage) in self._fitting:
                tile, at_once = min(tile, self._fitting[model, stage]), 1
            grid = tile_grid(height, width, tile, halo, multiple)
            longest = max(max(y.length, x.length) for y, x in grid)
            if at_once is None:
                at_once = memory.tiles_at_once(described, self._memory, height, width, longest**2)
                at_once = min(at_once, executor.most_tiles)
            try:
                answer = self._joined(model, network, frame, context, where, grid, at_once)
            except MemoryError as error:
                if longest <= least_tile(halo, multiple):
                    raise self._out_of_memory(network, f", even on {longest} x {longest} pixels") from error
                too_large = too_large or longest
                self._fitting[model, stage] = max(longest // 2, least_tile(halo, multiple))
                continue
            if too_large:
                text = "network %s: there is not the memory for tiles of %d pixels; takes %d from now on"
                log.warning(text, network.name, too_large, longest)
            return answer

    def _joined(
        self,
        model: str,
        network: Network,
        frame: Mapping[str, Array],
        context: Mapping[str, Array],
        where: Array | None,
        grid: Sequence[Place],
        at_once: int,
    ) -> Array:
        first = next(iter(frame.values()))
        size = height, width = first.shape[:2]

        def compute(places: Sequence[Place]) -> list[Array]:
            inputs = {name: planar([_part(image, place) for place in places]) for name, image in frame.items()}
            for image in frame.values():
                frames.release(image)
            windows = [[y.first / height, x.first / width, y.last / height, x.last / width] for y, x in places]
            count, (y, x) = len(places), places[0]
            given = {
                **inputs,
                **{name: _repeated(each, count) for name, each in context.items()},
                "window": beside(first, np.array(windows, np.float32)),
            }
            answers = self._ask(model, network, given, (count, 3, y.length, x.length))
            return [
                answer.permute(1, 2, 0) if is_torch_array(answer) else answer.transpose(1, 2, 0) for answer in answers
            ]

        if len(grid) == 1 and is_torch_array(first):
            return compute(grid)[0]
        wanted = grid if where is None or len(grid) == 1 else _touched(where, grid)
        whole = _zeros_beside(first, (*size, 3))
        join(whole, grid, in_batches(wanted, at_once), compute)
        return whole

    def _ask(
        self, model: str, network: Network, given: Mapping[str, Array], shape: tuple[int, ...] | None = None
    ) -> Array:
        """A network's answer, of that shape, and of the kind of its inputs; networks of the whole frame may answer any.

        Raises:
            MemoryError: there is not enough.
        """
        described = network.folder / MODEL_FILE
        for name in network.inputs:
            if name not in given:
                problem = f"network {network.name} has an input {name}, which its stage is not given"
                raise ModelError(described, problem, f"inputs may be {', '.join(given)}; export the model again")
        executor = self._executor(model, network)
        with self._turns[executor.side_by_side]:
            inputs = {name: given[name] if executor.on_device else to_numpy(given[name]) for name in network.inputs}
            answer = executor.run(**inputs)
        if shape not in (None, tuple(answer.shape)):
            problem = f"network {network.name} answers with the shape {tuple(answer.shape)}, where {shape} is due"
            raise ModelError(described, problem, "export the model again")
        one = given[network.inputs[0]]
        return beside(one, answer) if is_torch_array(one) and not is_torch_array(answer) else answer

    def _ask_once(
        self, model: str, network: Network, given: Mapping[str, Array], shape: tuple[int, ...] | None = None
    ) -> Array:
        """The same of a network that is not fed tiles."""
        try:
            return self._ask(model, network, given, shape)
        except MemoryError as error:
            raise self._out_of_memory(network) from error

    def _out_of_memory(self, network: Network, more: str = "") -> ExecutorError:
        problem = f"there is not enough memory to run network {network.name}{more}"
        return ExecutorError(f"executor {self.executor.name}", problem, "free some, or take a machine with more")

    def _executor(self, model: str, network: Network) -> Executor:
        key = (model, network.name)
        with self._loading:
            if key not in self._networks:
                settings = self.settings
                if settings.hint == "throughput":
                    most = memory.most_side_by_side(self.model(model), self._on_host)
                    settings = replace(settings, side_by_side=most)
                try:
                    self._networks[key] = self._choice.load(network, settings)
                except MemoryError as error:
                    raise self._out_of_memory(network) from error
            executor = self._networks[key]
            self._turns.setdefault(executor.side_by_side, Turns(executor.side_by_side))
            return executor


def _part(image: Array, place: Place) -> Array:
    y, x = place
    return image[y.first : y.last, x.first : x.last]


def _touched(where: Array, grid: Sequence[Place]) -> list[Place]:
    """The tiles in which something is not 0; a GPU is asked once for all."""
    xp = array_namespace(where)
    touched = to_numpy(xp.stack([xp.any(_part(where, place) != 0) for place in grid]))
    return [place for place, is_touched in zip(grid, touched, strict=True) if is_touched]


def _repeated(context: Array, count: int) -> Array:
    return array_namespace(context).broadcast_to(context, (count, *context.shape[1:]))


def _zeros_beside(first: Array, shape: tuple[int, ...]) -> Any:
    """A frame of the kind of another, on its device."""
    if is_torch_array(first):
        return array_namespace(first).zeros(shape, dtype=first.dtype, device=device(first))
    return frames.zeros(shape)
