"""One loop for every stage: AdamW, warm-up and cosine, an average of the weights, checkpoints, exact resume.

Checkpoints are safetensors: network, average, optimiser and random state in one file, written whole or not at all.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from hdrnodes.whole_file import whole_file

Step = Callable[[nn.Module, torch.Generator], dict[str, Tensor]]  # "loss" and whatever else is worth a column
Validate = Callable[[nn.Module], dict[str, float]]  # "score" (lower is better) and whatever else


@dataclass(frozen=True)
class Schedule:
    steps: int
    rate: float = 1e-3
    weight_decay: float = 0.01
    warm_up: int = 100
    average: float = 0.998  # of the weights, per step
    validate_every: int = 250
    seed: int = 0


def train(
    network: nn.Module,
    step: Step,
    validate: Validate,
    schedule: Schedule,
    folder: Path,
    *,
    compiled: bool = False,
) -> Path:
    """Fit a network; go on from `folder`'s last checkpoint if there is one.

    Args:
        network: on the device it is trained on.
        step: draws a batch with the generator given, and returns its losses.
        validate: scores the averaged network.
        folder: gets `last.safetensors`, `best.safetensors` (averaged weights only) and `log.jsonl`.
        compiled: run the network through torch.compile: 1.5 times faster on a CPU, half a minute to start.

    Returns:
        The path of the best averaged weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(network, schedule, folder)
    forward = torch.compile(network) if compiled else network
    device = next(network.parameters()).device.type
    if run.done == 0:  # a stage that makes nothing better than it was stays what it was
        run.report(validate, 0.0)
    started, first = time.monotonic(), run.done
    while run.done < schedule.steps:
        for group in run.optimiser.param_groups:
            group["lr"] = schedule.rate * _share(run.done, schedule)
        network.train()
        # Seeded by the step, so that a run that was killed goes on with the plates it would have had.
        random = torch.Generator().manual_seed(schedule.seed * 1_000_003 + run.done)
        torch.manual_seed(schedule.seed * 1_000_003 + run.done)
        with torch.autocast(device, torch.bfloat16):
            losses = step(forward, random)  # type: ignore[arg-type]  # torch.compile gives a module
        run.optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        run.optimiser.step()
        run.done += 1
        run.average_weights()
        run.note({key: float(value.detach()) for key, value in losses.items()})
        if run.done % schedule.validate_every == 0 or run.done == schedule.steps:
            run.report(validate, (time.monotonic() - started) / (run.done - first))
    return folder / "best.safetensors"


def load_weights(network: nn.Module, file: Path) -> None:
    """Load averaged weights (`best.safetensors`) into a network of the same shape."""
    from safetensors.torch import load_file

    network.load_state_dict(load_file(file))


def _share(done: int, schedule: Schedule) -> float:
    """Of the learning rate: rising for `warm_up` steps, then a half cosine down to 2 %."""
    if done < schedule.warm_up:
        return (done + 1) / schedule.warm_up
    along = (done - schedule.warm_up) / max(1, schedule.steps - schedule.warm_up)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, along)))


class _Run:
    """A network, its average, its optimiser, and where they are kept."""

    def __init__(self, network: nn.Module, schedule: Schedule, folder: Path) -> None:
        import copy

        self.network, self.schedule, self.folder = network, schedule, folder
        self.averaged = copy.deepcopy(network).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=schedule.weight_decay)
        self.done, self.best = 0, math.inf
        self._recent: list[dict[str, float]] = []
        if (folder / "last.safetensors").exists():
            self._load(folder / "last.safetensors")

    def average_weights(self) -> None:
        keep = min(self.schedule.average, (1 + self.done) / (10 + self.done))
        current = self.network.state_dict()
        with torch.no_grad():
            for name, value in self.averaged.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(current[name], 1 - keep)
                else:
                    value.copy_(current[name])

    def note(self, losses: dict[str, float]) -> None:
        self._recent.append(losses)

    def report(self, validate: Validate, seconds: float) -> None:
        """Score the averaged weights, write a line, keep the weights if they are the best so far, and a checkpoint."""
        self.averaged.eval()
        with torch.no_grad():
            scores = validate(self.averaged)
        line: dict[str, float] = {"step": self.done, "seconds_per_step": round(seconds, 3)}
        for key in self._recent[0] if self._recent else ():
            line[key] = round(sum(losses[key] for losses in self._recent) / len(self._recent), 5)
        line |= {f"validation_{key}": round(value, 5) for key, value in scores.items()}
        self._recent = []
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        if scores["score"] < self.best:
            self.best = scores["score"]
            _write(
                {k: v.contiguous() for k, v in self.averaged.state_dict().items()},
                self.folder / "best.safetensors",
                {},
            )
        self._save(self.folder / "last.safetensors")

    def _save(self, file: Path) -> None:
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.averaged.state_dict().items()}
        for i, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{k}": torch.as_tensor(v) for k, v in state.items()}
        about = {"done": self.done, "best": self.best, "schedule": asdict(self.schedule)}
        _write(tensors, file, {"run": json.dumps(about)})

    def _load(self, file: Path) -> None:
        groups: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimiser": {}}
        with safe_open(file, "pt") as archive:
            about = json.loads(archive.metadata()["run"])
            for key in archive.keys():
                group, name = key.split(".", 1)
                groups[group][name] = archive.get_tensor(key)
        self.network.load_state_dict(groups["network"])
        self.averaged.load_state_dict(groups["average"])
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in groups["optimiser"].items():
            index, key = name.split(".")
            state.setdefault(int(index), {})[key] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state})
        self.done, self.best = about["done"], about["best"]


def _write(tensors: dict[str, Tensor], file: Path, about: dict[str, str]) -> None:
    with whole_file(file, overwrite=True) as temporary:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, about)
