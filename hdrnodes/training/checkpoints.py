"""Checkpoints: all that a run needs to go on exactly, as safetensors, written whole or not at all."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from hdrnodes.errors import TrainingError
from hdrnodes.training.optimiser import MOMENTS, SkippingAdamW
from hdrnodes.whole_file import whole_file


@dataclass
class State:
    """What changes while a run lasts, but for what is drawn: that follows from seed, step and rank."""

    network: nn.Module
    averaged: nn.Module
    optimiser: SkippingAdamW
    done: int = 0  # steps
    best: float = math.inf  # score of `best.safetensors`
    about: dict[str, Any] = field(default_factory=dict)  # for who reads the file

    def tensors(self) -> dict[str, Tensor]:
        """All of them, by name; those of the run itself, not copies."""
        found = {f"network.{name}": each for name, each in self.network.state_dict().items()}
        found |= {f"average.{name}": each for name, each in self.averaged.state_dict().items()}
        for name, parameter in self.optimiser.moved.items():
            found |= {f"{kind}.{name}": self.optimiser.state[parameter][kind] for kind in MOMENTS}
        return found

    def save(self, file: Path) -> None:
        """Raises WriteError, with what stood there untouched."""
        about = {"done": self.done, "best": self.best if math.isfinite(self.best) else None, **self.about}
        _write(self.tensors(), file, {"run": json.dumps(about)})

    def load(self, file: Path) -> None:
        """Go back to a checkpoint.

        Raises:
            TrainingError: it is unreadable, or of another network; nothing is changed then.
        """
        own = self.tensors()
        try:
            with safe_open(file, "pt") as archive:
                about = json.loads(archive.metadata()["run"])
                found = {name: archive.get_tensor(name) for name in archive.keys()}
                done, best = int(about["done"]), about["best"]
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise TrainingError(file, f"is no checkpoint that can be read ({error})", _START_AFRESH) from error
        check_same(file, own, found, _START_AFRESH)
        with torch.no_grad():
            for name, each in own.items():
                each.copy_(found[name])
        self.done, self.best = done, math.inf if best is None else float(best)


def save_weights(network: nn.Module, file: Path) -> None:
    _write(network.state_dict(), file, {})


def load_weights(network: nn.Module, file: Path) -> None:
    """Load averaged weights (`best.safetensors`) into a network of the same shape.

    Raises:
        TrainingError: the file is unreadable, or of another network.
    """
    try:
        found = load_file(file)
    except (OSError, SafetensorError) as error:
        raise TrainingError(file, f"holds no weights that can be read ({error})", "train the stage again") from error
    check_same(file, network.state_dict(), found, _START_AFRESH)
    network.load_state_dict(found)


_START_AFRESH = "move its folder away to start afresh"


def check_same(file: Path, own: Mapping[str, Tensor], found: Mapping[str, Tensor], remedy: str) -> None:
    """Raise TrainingError unless what a file holds has the names and shapes of a network's own tensors."""
    for name in sorted(own.keys() | found.keys()):
        there, here = (_shape(each.get(name)) for each in (found, own))
        if there != here:
            raise TrainingError(file, f"is of another network ({name}: {there} there, {here} here)", remedy)


def _shape(tensor: Tensor | None) -> str:
    if tensor is None:
        return "none"
    return " x ".join(map(str, tensor.shape)) or "one number"


def _write(tensors: dict[str, Tensor], file: Path, about: dict[str, str]) -> None:
    with whole_file(file, overwrite=True) as temporary:
        temporary.write_bytes(save({name: each.detach().cpu().contiguous() for name, each in tensors.items()}, about))
