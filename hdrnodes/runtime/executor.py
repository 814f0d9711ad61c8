"""Executor: runs one network of a model folder. Plugins may bring their own, through `register_executors`."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from hdrnodes.errors import ExecutorError
from hdrnodes.models import Network

Array = npt.NDArray[np.float32]


def cache_folder() -> Path | None:
    """Where compiled networks are kept: `$HDRNODES_CACHE`, else the user cache folder; None where none can be made."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("HDRNODES_CACHE")
    folder = Path(chosen) if chosen else user_cache_path("hdrnodes", appauthor=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


@dataclass(frozen=True)
class Settings:
    """How a user wants networks to be run. An executor refuses what it cannot do, with an ExecutorError.

    Args:
        precision: of the networks' insides; pixels are float32 whatever it is. "auto" is what the executor does best
            without a visible error: fp16 on a GPU, float32 on a CPU.
        threads: of a CPU; None for all cores.
        hint: whether one frame should be ready soon, or many per hour; a wish, which executors may pass over.
        memory: bytes that hdrnodes may take of the machine's memory; None for what is free.
        side_by_side: how many runs of a network there may be at a time, at most; None for as many as the executor has
            by itself. The runtime says it, where memory asks for it.
        cache: a folder for what is worth keeping between starts, each executor's in one of its name, which
            `hdrnodes doctor --clear-cache` removes; None to keep nothing.
    """

    precision: Literal["auto", "float32", "fp16", "bf16"] = "auto"
    threads: int | None = None
    hint: Literal["latency", "throughput"] = "latency"
    memory: int | None = None
    side_by_side: int | None = None
    cache: Path | None = field(default_factory=cache_folder)


class Executor(ABC):
    """One network, ready to run.

    Class attributes:
        name: what `--executor` calls it.
        on_device: whether `run` takes and gives torch tensors of a GPU, too, and the pixels of a graph may stay there.
        on_gpu: of an executor for any machine, the class of the same name that runs where a GPU can be used.

    Attributes:
        most_tiles: of one size that `run` takes at a time, as N; a class may say so, too.
        side_by_side: how many threads call `run` at a time, for any network of a program; each run has memory of its
            own.
    """

    name: ClassVar[str]
    on_device: ClassVar[bool] = False
    on_gpu: ClassVar[type[Executor] | None] = None
    most_tiles: int = 1
    side_by_side: int = 1

    @classmethod
    @abstractmethod
    def why_not(cls) -> str | None:
        """None where it can run here, else the reason, in the words that `doctor` prints. Cheap: each start asks."""

    @classmethod
    def free_memory(cls) -> int | None:
        """Bytes of a GPU's own memory that are free; None where networks run in the machine's."""
        return None

    @abstractmethod
    def __init__(self, network: Network, settings: Settings) -> None:
        """Load a network.

        Args:
            network: its files (`verified_onnx()`, `verified_safetensors()`), its inputs and output by name.
            settings: how to run it.

        Raises:
            ModelError: the files are not what their hashes say.
            ExecutorError: it cannot run this network here, or not with these settings.
        """

    @abstractmethod
    def run(self, **inputs: Array) -> Array:
        """The network's output for inputs by name: float32, N x C x H x W (vectors may come besides).

        Arrays of pixels are contiguous; tensors lie as pictures do, channels last.

        Raises:
            MemoryError: it needs more memory than there is; the runtime tells the user what helps.
            ExecutorError: it fails otherwise.
        """


def why_it_failed(path: Path, library: str, error: Exception) -> Exception:
    """What to raise for what a library raised while it ran a network: MemoryError, or ExecutorError."""
    said = " ".join(str(error).split())
    if isinstance(error, MemoryError) or re.search(r"alloc|(out of|enough) memory", said, re.IGNORECASE):
        return MemoryError(said)
    return ExecutorError(path, f"{library} cannot run it: {said[:200]}", "try another --executor, or export it again")
