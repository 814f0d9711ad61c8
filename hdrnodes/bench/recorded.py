"""Which networks ran, on inputs of which sizes, and how long they took: any executor, noting it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hdrnodes.hookspecs import hookimpl
from hdrnodes.models import Network
from hdrnodes.plugins import Plugins
from hdrnodes.runtime.executor import Executor, Settings

Shapes = tuple[tuple[str, tuple[int, ...]], ...]  # of a network's inputs, by name


@dataclass
class Calls:
    """What was run since `forget`.

    Attributes:
        networks: by name.
        counts: how often each network ran on inputs of which shapes.
        seconds: spent inside the executor, as the caller sees it.
    """

    networks: dict[str, Network] = field(default_factory=dict)
    counts: Counter[tuple[str, Shapes]] = field(default_factory=Counter)
    seconds: float = 0.0

    def forget(self) -> None:
        self.counts.clear()
        self.seconds = 0.0


def recorded(executor: type[Executor], calls: Calls) -> type[Executor]:
    """The same executor, that notes in `calls` what it runs."""

    def __init__(self: Any, network: Network, settings: Settings) -> None:
        executor.__init__(self, network, settings)
        self._recorded = network
        calls.networks[network.name] = network

    def run(self: Any, **inputs: Any) -> Any:
        start = time.perf_counter()
        answer = executor.run(self, **inputs)
        calls.seconds += time.perf_counter() - start
        shapes = tuple((name, tuple(map(int, given.shape))) for name, given in inputs.items())
        calls.counts[self._recorded.name, shapes] += 1
        return answer

    on_gpu = executor.on_gpu and recorded(executor.on_gpu, calls)
    return type(executor.__name__, (executor,), {"__init__": __init__, "run": run, "on_gpu": on_gpu})


class Recorded:
    """A plugin: one executor of the installed ones, recorded, and their models.

    Args:
        executor: its name.
        model: the name of one more model, if it is a folder; empty for none.
    """

    def __init__(self, installed: Plugins, executor: str, calls: Calls, model: str = "") -> None:
        self._executor = recorded(installed.executors[executor], calls)
        more = {} if not model or model in installed.models else {model: Path(model)}
        self._models = {**installed.models, **more}

    @hookimpl
    def register_executors(self) -> list[type[Executor]]:
        return [self._executor]

    @hookimpl
    def register_models(self) -> Mapping[str, Path]:
        return self._models
