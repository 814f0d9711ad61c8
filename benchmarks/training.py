"""What a training step costs, where the time goes, and how much of what the machine can do it gets.

    python benchmarks/training.py [--device cuda] [--model default] [--stage hallucinate] [--json training.json]

Prints a Markdown table: CPU-seconds of all threads on a CPU, so that a busy machine counts for little; seconds on the
clock on a GPU. The peak is measured in the same run: the fastest of matrix products and 3 x 3 convolutions, in bfloat16
and in float32. Operations are those of products and convolutions, forwards and backwards, as torch counts them; making
plates counts as none. Needs the `train` extra; the material is made up, and costs what real material does.
"""

import argparse
import copy
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hdrnodes.camera.response import SAMPLES
from hdrnodes.training.distributed import Workers, together
from hdrnodes.training.optimiser import AveragedWeights, SkippingAdamW
from hdrnodes.training.plates import PlateMaker
from hdrnodes.training.randomness import generator
from hdrnodes.training.recipe import load_recipe
from hdrnodes.training.responses import HELD_OUT
from hdrnodes.training.session import Material, Session
from hdrnodes.training.trainable import MODELS, trainable

STAGES = ("dequantize", "linearize", "hallucinate", "joint", "refine")
PARTS = ("synthesis", "forward", "backward", "optimiser")


@dataclass(frozen=True)
class Cost:
    """Of a step: seconds of each part, and floating-point operations."""

    model: str
    stage: str
    precision: str
    plates: str
    synthesis: float
    forward: float
    backward: float
    optimiser: float
    flop: float

    @property
    def seconds(self) -> float:
        return sum(getattr(self, part) for part in PARTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", choices=list(MODELS), action="append", help="default: all")
    parser.add_argument("--stage", choices=STAGES, action="append", help="default: all")
    parser.add_argument("--batch", type=int, help="instead of the recipe's")
    parser.add_argument("--precision", choices=("bf16", "float32"), help="instead of the recipe's")
    parser.add_argument("--features", type=Path, help="vgg16.safetensors, for the perceptual loss")
    parser.add_argument("--compiled", action="store_true", help="through torch.compile")
    parser.add_argument("--repeats", type=int, default=5, help="steps that are timed")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    with together(options.device) as workers, tempfile.TemporaryDirectory() as folder:
        rates = peaks(workers.device)
        for name, rate in rates.items():
            say(f"{name}: {rate / 1e9:.0f} GFLOP/s")
        header()
        costs = []
        for model in options.model or MODELS:
            for stage in options.stage or STAGES:
                costs.append(cost(model, stage, options, workers, Path(folder)))
                row(costs[-1], rates)
    if options.json:
        found = {"device": device_name(workers.device), "threads": torch.get_num_threads(), "peaks": rates}
        steps = [asdict(each) | {"of_peak": each.flop / each.seconds / max(rates.values())} for each in costs]
        options.json.write_text(json.dumps(found | {"steps": steps}, indent=2) + "\n")


def header() -> None:
    say("\n| model | stage | plates | s a step | synthesis | forward | backward | optimiser | GFLOP | of the peak |")
    say("|" + "---|" * 10)


def row(each: Cost, rates: dict[str, float]) -> None:
    """The share of the largest rate; of a stage in float32, that of float32's largest too."""
    shares = " | ".join(f"{getattr(each, part) / each.seconds:.0%}" for part in PARTS)
    rate = each.flop / each.seconds
    of_peak = f"{rate / max(rates.values()):.1%}"
    if each.precision == "float32":
        own = max(found for name, found in rates.items() if name.startswith("float32"))
        of_peak += f" ({rate / own:.0%} of float32's)"
    say(
        f"| {each.model} | {each.stage}, {each.precision} | {each.plates} | {each.seconds:.3g} | {shares} "
        f"| {each.flop / 1e9:.4g} | {of_peak} |"
    )


def cost(model: str, stage: str, options: argparse.Namespace, workers: Workers, folder: Path) -> Cost:
    """Time a few steps, made of the parts that `hdrnodes.training.loop` makes them of."""
    recipe = load_recipe(model)
    changes = {key: value for key in ("batch", "precision") if (value := getattr(options, key)) is not None}
    if stage == "linearize" and recipe.linearize.kept:
        # What plates cost that are drawn once, before the first step; the steps themselves cost next to nothing.
        changes = {"kept": 0, "batch": recipe.linearize.drawn_at_once} | changes
    changed = recipe.model_copy(update={stage: getattr(recipe, stage).model_copy(update=changes)})
    material = Material([panoramas(folder)], [panoramas(folder)], responses(folder), options.features)
    session = Session(stage, trainable(model), changed, material, folder, None, 0, workers, lambda _: None)
    network = session.network(begun=True)
    fitted: Any = session.training_stage(network)
    fitted.maker = TimedMaker(session.maker, workers.device)
    step = Step(prepared(network, workers.device), fitted, session.own.precision, workers.device, options.compiled)
    step()  # compiles, and finds the fastest kernels
    times = [step() for _ in range(options.repeats)]
    medians = {part: statistics.median(each[part] for each in times) for part in PARTS}
    height, width = session.own.plates.size
    plates = f"{fitted.batch} x {height} x {width}"
    return Cost(model, stage, session.own.precision, plates, **medians, flop=step.flop())


def prepared(network: nn.Module, device: torch.device) -> Any:
    """As a session gives it to the loop."""
    moved: Any = network.to(device)
    return moved.to(memory_format=torch.channels_last).train()


class TimedMaker:
    """A plate maker that says how long it took; or gives the last plates again."""

    def __init__(self, maker: PlateMaker, device: torch.device) -> None:
        self.maker, self.device, self.seconds, self.again = maker, device, 0.0, False
        self.plates: Any = None

    def draw(self, n: int, random: torch.Generator) -> Any:
        if not self.again:
            start = now(self.device)
            self.plates = self.maker.draw(n, random)
            self.seconds = now(self.device) - start
        return self.plates


class Step:
    """One step of training after the other, timed."""

    def __init__(
        self, network: nn.Module, stage: Any, precision: str, device: torch.device, compiled: bool = False
    ) -> None:
        self.network, self.stage, self.device, self.half = network, stage, device, precision == "bf16"
        self.forward: Any = torch.compile(network) if compiled else network
        self.optimiser = SkippingAdamW(network, 1e-5, 0.01)
        self.average = AveragedWeights(network, copy.deepcopy(network).requires_grad_(False))
        self.done = 0

    def __call__(self) -> dict[str, float]:
        started = now(self.device)
        loss = self.loss()
        forward = now(self.device)
        loss.backward()
        backward = now(self.device)
        norm = nn.utils.clip_grad_norm_(self.optimiser.moved.values(), 1.0)
        self.optimiser.skip(~norm.isfinite())
        self.optimiser.step()
        self.average.follow(0.99)
        self.optimiser.zero_grad(set_to_none=True)
        synthesis = self.stage.maker.seconds
        return {
            "synthesis": synthesis,
            "forward": forward - started - synthesis,
            "backward": backward - forward,
            "optimiser": now(self.device) - backward,
        }

    def loss(self) -> Tensor:
        random = generator(self.device, 0, self.done)
        self.done += 1
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            loss: Tensor = self.stage.step(self.forward, random)["loss"]
        return loss

    def flop(self) -> float:
        """Of the last step's plates again; not through torch.compile, which hides them."""
        self.stage.maker.again, self.forward = True, self.network
        with FlopCounterMode(display=False) as counter:
            self.loss().backward()
        return float(counter.get_total_flops())


def peaks(device: torch.device) -> dict[str, float]:
    """Operations a second of what the machine does fastest."""
    side, pictures = (8192, 64) if device.type == "cuda" else (2048, 4)
    found = {}
    for kind in (torch.bfloat16, torch.float32):
        name = str(kind).removeprefix("torch.")
        a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
        found[f"{name} product of {side} x {side}"] = 2 * side**3 / least(lambda a=a, b=b: a @ b, device)
        conv = nn.Conv2d(256, 256, 3, padding=1, bias=False, device=device, dtype=kind)
        conv = conv.to(memory_format=torch.channels_last)
        x = torch.randn(pictures, 256, 64, 64, device=device, dtype=kind).to(memory_format=torch.channels_last)
        flop = 2 * 9 * 256 * 256 * 64 * 64 * pictures
        with torch.no_grad():
            found[f"{name} convolution 3 x 3 of 256"] = flop / least(lambda conv=conv, x=x: conv(x), device)
    return found


def least(work: Callable[[], object], device: torch.device) -> float:
    """Seconds, the least of a few."""
    found = []
    for _ in range(8):
        start = now(device)
        work()
        found.append(now(device) - start)
    return min(found[2:])


def now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def panoramas(folder: Path) -> Path:
    """Eight of noise, 512 x 1024: as large as training keeps them."""
    file = folder / "panoramas"
    if not file.exists():
        file.mkdir()
        random = np.random.default_rng(0)
        for number in range(8):
            light = np.exp(random.normal(-2, 2, (512, 1024, 3))).astype(np.float32)
            if not oiio.ImageBuf(light).write(str(file / f"noise_{number}.exr")):
                raise OSError(oiio.geterror())
    return file


def responses(folder: Path) -> Path:
    file = folder / "responses.npz"
    if not file.exists():
        grid, powers = np.linspace(0, 1, SAMPLES), np.linspace(1.2, 3, HELD_OUT + 20)
        np.savez(file, inverse=np.float32([grid**power for power in powers]))
    return file


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
