"""Runs: `runs/<model>/<stage>/`, what each was trained with, and whose weights count in the end.

A run's folder holds, besides what `loop` writes, `run.toml`: the recipe, the seed, and what it started from.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from hdrnodes.errors import TrainingError
from hdrnodes.training.checkpoints import load_weights
from hdrnodes.training.recipe import as_of_today
from hdrnodes.training.system import System
from hdrnodes.training.trainable import FIRST_THREE, STAGES, Trainable
from hdrnodes.whole_file import whole_file

RECORD = "run.toml"
FREE = {"steps", "validate_every"}  # may change while a run lasts: it can be made longer


class Runs:
    """The runs of one model.

    Args:
        model: what is trained.
        folder: holds a folder a model.
    """

    def __init__(self, model: Trainable, folder: Path) -> None:
        self.model, self.root = model, folder / model.name

    def folder(self, stage: str) -> Path:
        """Of a stage, or of `joint`."""
        return self.root / stage

    def begun(self, stage: str) -> bool:
        """Whether there is a checkpoint to go on from."""
        return (self.folder(stage) / "last.safetensors").exists()

    def begin(self, stage: str, record: Mapping[str, Any]) -> None:
        """Write `run.toml`; where the run has begun before, only if it was with the same.

        Raises:
            TrainingError: it was begun with something else.
        """
        import tomli_w

        folder = self.folder(stage)
        folder.mkdir(parents=True, exist_ok=True)
        if self.begun(stage):
            before = self.record(stage)
            if change := _first_change(before | {"recipe": as_of_today(before.get("recipe", {}))}, record):
                best = folder / "best.safetensors"
                remedy = f"give it the same; or start another run from it: --runs elsewhere --start {best}"
                raise TrainingError(folder, f"was begun with another {change}", remedy)
        with whole_file(folder / RECORD, overwrite=True) as temporary:
            temporary.write_text(tomli_w.dumps(dict(record)), encoding="utf-8")

    def record(self, stage: str) -> dict[str, Any]:
        """What `begin` wrote. Raises TrainingError where that cannot be read."""
        file = self.folder(stage) / RECORD
        try:
            return tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise TrainingError(file, f"cannot be read ({error})", "move its folder away to start afresh") from error

    def first_three(self, *, stagewise: bool = False) -> dict[str, nn.Module]:
        """The best of the stages before refine: of the joint run, where there is one.

        Args:
            stagewise: take each from its own run even so.
        """
        if stagewise or not self._best("joint").exists():
            return {stage: self._trained(stage) for stage in FIRST_THREE}
        return self._from_system("joint", FIRST_THREE)

    def all_four(self, *, stagewise: bool = False) -> dict[str, nn.Module]:
        """The best of all stages: those of refine, where it was trained end to end, else the `first_three` and it."""
        last = self._from_system("refine", STAGES)
        if self._end_to_end and not stagewise:
            return last
        return {**self.first_three(stagewise=stagewise), "refine": last["refine"]}

    def records(self) -> dict[str, dict[str, Any]]:
        """Of every run that there is: what it was trained with, and the line of its log whose weights are the best."""
        return {
            run: self.record(run) | {"best": self._best_line(run)}
            for run in (*FIRST_THREE, "joint", "refine")
            if self._best(run).exists()
        }

    @property
    def _end_to_end(self) -> bool:
        return bool(self.record("refine")["recipe"]["refine"]["end_to_end"])

    def _best_line(self, run: str) -> dict[str, float]:
        lines = [json.loads(line) for line in (self.folder(run) / "log.jsonl").read_text().splitlines()]
        best: dict[str, float] = min(lines, key=lambda line: line["validation_score"])
        return {key: value for key, value in best.items() if value is not None}

    def _best(self, stage: str) -> Path:
        return self.folder(stage) / "best.safetensors"

    def _trained(self, stage: str) -> nn.Module:
        network = self.model.make(stage)
        load_weights(network, self._found(stage))
        return network

    def _from_system(self, run: str, stages: tuple[str, ...]) -> dict[str, nn.Module]:
        networks = {stage: self.model.make(stage) for stage in stages}
        load_weights(System(networks), self._found(run))
        return networks

    def _found(self, stage: str) -> Path:
        if not (file := self._best(stage)).exists():
            command = f"hdrnodes train {stage} --model {self.model.name}"
            raise TrainingError(file, "there is no such checkpoint", f"run `{command}` first, or give --start")
        return file


def _first_change(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> str | None:
    """The first value that differs: `rate: 0.1, not 0.2`."""
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            if change := _first_change(old, new, f"{prefix}{key}."):
                return change
        elif key not in FREE and old != new:
            return f"{prefix}{key}: {old}, not {new}"
    return None
