"""One loop for every stage: AdamW, warm-up and cosine, averaged weights, bfloat16, one process or many, exact resume.

A run's folder holds `last.safetensors` (to go on from), `best.safetensors` (averaged weights with the best score),
`losses.jsonl`, `log.jsonl`, and `board`, for TensorBoard. Run the same command again after a kill, and every loss is
what it would have been: on a CPU to the last bit, on CUDA but for the order in which some of its kernels add.
"""

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from hdrnodes.errors import TrainingError
from hdrnodes.training.board import Board
from hdrnodes.training.checkpoints import State, save_weights
from hdrnodes.training.distributed import Workers
from hdrnodes.training.journal import Journal, Line, means
from hdrnodes.training.optimiser import AveragedWeights, SkippingAdamW
from hdrnodes.training.progress import Progress
from hdrnodes.training.randomness import generator

Precision = Literal["bf16", "float32"]
ALONE = Workers()
PATIENCE = 10  # steps in a row whose loss is not finite, before the run stops
READ_EVERY = 1.0  # seconds; to read a loss is to wait for the device


class TrainingStage(Protocol):
    """What is fitted to what, and how good it is. The network may be compiled, or an average of what `step` gets.

    Attributes:
        batch: plates in a step, of one process.
    """

    batch: int

    def step(self, network: nn.Module, random: torch.Generator) -> dict[str, Tensor]:
        """Draw a batch and say its losses, single numbers: `loss`, and whatever else is worth a column, each time.

        Runs under autocast. `random` is on the network's device.
        """
        ...

    def validate(self, network: nn.Module) -> dict[str, float]:
        """`score`, lower is better, and whatever else. No gradients are kept."""
        ...

    def pictures(self, network: nn.Module) -> dict[str, Tensor]:
        """To look at: name -> 3 x H x W, 0..1, display-referred. May be empty."""
        ...


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: in all. A run that is continued with another number takes the rate that the new one gives its next step.
        rate: the highest; it rises for `warm_up` steps, then falls along half a cosine to 2 %.
        weight_decay: AdamW's.
        average: how much of the averaged weights a step keeps.
        validate_every: steps.
        save_every: minutes between checkpoints; there is one at each validation besides.
        seed: 0 or more.
    """

    steps: int
    rate: float = 1e-3
    weight_decay: float = 0.01
    warm_up: int = 100
    average: float = 0.998
    validate_every: int = 250
    save_every: float = 10.0
    seed: int = 0

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        along = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return self.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, along))))


def train(
    network: nn.Module,
    stage: TrainingStage,
    schedule: Schedule,
    folder: Path,
    *,
    compiled: bool = False,
    precision: Precision = "bf16",
    workers: Workers = ALONE,
    about: Mapping[str, Any] = MappingProxyType({}),
) -> Path:
    """Fit a network; go on from `folder`'s last checkpoint if there is one.

    Args:
        network: on the device it is trained on.
        stage: what it is fitted to.
        schedule: how long and how fast.
        folder: gets the files. Of several processes, all must see it.
        compiled: run the network through torch.compile, which takes minutes to start on a busy CPU; measure its gain.
        precision: of the network's products while it trains. Weights are float32 in either case.
        workers: those that train together (`distributed.together`); each draws plates of its own.
        about: what the checkpoints' headers say besides, as JSON can hold it.

    Returns:
        The path of the best averaged weights.

    Raises:
        TrainingError: the checkpoint is of another network; no loss was finite for ten steps; a process was lost.
        WriteError: the folder cannot be written to. The last checkpoint is whole.
    """
    device = next(network.parameters()).device
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True  # sizes stay the same: measure once which kernel is fastest
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(network, stage, schedule, folder, workers, about)
    with run.progress:
        run.begin()
        forward: Callable[..., Tensor] = torch.compile(network) if compiled else network
        while run.state.done < schedule.steps:
            random = run.draw_from(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                losses = stage.step(forward, random)  # type: ignore[arg-type]  # torch.compile gives a module
            run.take(losses)
        run.finish()
    return folder / "best.safetensors"


class _Run:
    """A network on its way."""

    def __init__(
        self,
        network: nn.Module,
        stage: TrainingStage,
        schedule: Schedule,
        folder: Path,
        workers: Workers,
        about: Mapping[str, Any],
    ) -> None:
        self.network, self.stage, self.schedule, self.folder, self.workers = network, stage, schedule, folder, workers
        workers.share([*network.parameters(), *network.buffers()])
        averaged = copy.deepcopy(network).requires_grad_(False).eval()
        self.optimiser = SkippingAdamW(network, schedule.rate, schedule.weight_decay)
        told = {**about, "schedule": asdict(schedule), "processes": workers.count}
        self.state = State(network, averaged, self.optimiser, about=told)
        self.resumed = (folder / "last.safetensors").exists()
        if self.resumed:
            self.state.load(folder / "last.safetensors")
        if not workers.agree(self.state.done if self.resumed else -1):
            raise TrainingError(folder, "not all processes find the same checkpoint", "choose one that all of them see")
        self.average = AveragedWeights(network, averaged)
        self.parameters = list(self.optimiser.moved.values())
        self.buffers = list(network.buffers())
        self.progress = Progress(folder.name, schedule.steps, self.state.done, shown=workers.leads)
        self._unread: list[tuple[int, tuple[str, ...], Tensor]] = []
        self._not_finite = 0  # in a row
        self._saved = self._read_at = time.monotonic()
        self._seconds, self._since = 0.0, self.state.done

    def begin(self) -> None:
        if self.workers.leads:
            self.journal = Journal(self.folder, self.state.done if self.resumed else None)
            self.board = Board(self.folder / "board", self.state.done + 1, self.progress.note)
        self._start_clock()
        if self.resumed:
            self.progress.note(f"goes on from step {self.state.done}")
        else:  # a stage that makes nothing better than it was stays what it was
            self._validate()

    def draw_from(self, device: torch.device) -> torch.Generator:
        """What the next step draws with. It follows from the step's number, so that no random state need be kept."""
        self._buffers_before = [each.clone() for each in self.buffers]
        self.network.train()
        random = generator(device, self.schedule.seed, self.state.done, self.workers.rank)
        torch.manual_seed(random.initial_seed())  # for what takes no generator: dropout
        return random

    def take(self, losses: dict[str, Tensor]) -> None:
        """Step against the gradient, and do what is due after that."""
        told = self._descend(losses)
        self.state.done += 1
        done = self.state.done
        self._unread.append((done, (*losses, "gradient_norm", "skipped"), told))
        self.average.follow(min(self.schedule.average, (1 + done) / (10 + done)))
        if time.monotonic() - self._read_at > READ_EVERY:
            self._read()
        if done % self.schedule.validate_every == 0 or done == self.schedule.steps:
            self._read()
            self._validate()
        elif self.workers.leads and time.monotonic() - self._saved > 60 * self.schedule.save_every:
            self._read()
            self._save()

    def finish(self) -> None:
        if self.workers.leads:
            self.board.close()
        self.workers.wait()

    def _descend(self, losses: dict[str, Tensor]) -> Tensor:
        """One step of the optimiser. Returns all losses, the gradient's norm and whether the step was left out."""
        self.optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        for each in self.parameters:
            if each.grad is None:  # took no part in this step; it may have, in another process
                each.grad = torch.zeros_like(each)
        said = torch.stack([value.detach().float() for value in losses.values()])
        gradients = [each.grad for each in self.parameters if each.grad is not None]
        # Running statistics too: each process has those of its own plates.
        self.workers.average([*gradients, *(each for each in self.buffers if each.is_floating_point()), said])
        norm = nn.utils.clip_grad_norm_(self.parameters, 1.0)
        skipped = ~(norm.isfinite() & said[list(losses).index("loss")].isfinite())
        self.optimiser.skip(skipped)
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate_at(self.state.done)
        self.optimiser.step()
        for buffer, before in zip(self.buffers, self._buffers_before, strict=True):
            buffer.copy_(torch.where(skipped, before, buffer))
        return torch.cat([said, norm[None], skipped[None].float()])

    def _read(self) -> None:
        """Write down the steps since the last time. This waits for the device."""
        lines = [_line(step, names, values.tolist()) for step, names, values in self._unread]
        self._unread = []
        seconds, self._read_at = time.monotonic() - self._read_at, time.monotonic()
        self._seconds += seconds
        if not lines:
            return
        if self.workers.leads:
            self.journal.steps(lines)
            self.progress.steps(lines[-1])
            plates = self.stage.batch * self.workers.count
            rate = self.schedule.rate_at(self.state.done - 1)
            self.board.steps(means(lines), rate, max(seconds, 1e-9) / len(lines), plates)
        for line in lines:
            self._not_finite = self._not_finite + 1 if "skipped" in line else 0
            if self._not_finite == PATIENCE:
                raise TrainingError(
                    self.folder,
                    f"the loss was not finite {PATIENCE} steps in a row, up to step {line['step']}",
                    "lower the rate; the last checkpoint is whole",
                )

    def _validate(self) -> None:
        """Score the averaged weights, write it down, keep them if they are the best so far, and save a checkpoint."""
        if self.workers.leads:
            with torch.no_grad():
                scores = self.stage.validate(self.state.averaged)
                pictures = self.stage.pictures(self.state.averaged)
            seconds = self._seconds / max(1, self.state.done - self._since)
            self.progress.validated(self.journal.validated(self.state.done, seconds, scores))
            self.board.validation(self.state.done, scores, pictures)
            if scores["score"] < self.state.best:
                self.state.best = scores["score"]
                save_weights(self.state.averaged, self.folder / "best.safetensors")
            self._save()
        self.workers.wait()
        self._start_clock()

    def _save(self) -> None:
        self.state.save(self.folder / "last.safetensors")
        self._saved = time.monotonic()

    def _start_clock(self) -> None:
        """Time steps from here: what a validation takes is no part of them."""
        self._read_at, self._seconds, self._since = time.monotonic(), 0.0, self.state.done


def _line(step: int, names: tuple[str, ...], values: list[float]) -> Line:
    line: Line = {"step": step, **dict(zip(names, values, strict=True))}
    if not line["skipped"]:
        del line["skipped"]
    return line
