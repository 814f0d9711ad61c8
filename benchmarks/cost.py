"""What the stages cost: CPU-seconds per megapixel, and how many floating-point operations they get done in one.

    python benchmarks/cost.py [--executor openvino] [--size 1024]

`published`, with random weights (they cost the same), runs beside `default` in the same process, so that the ratio
holds on a noisy machine. Needs the `train` extra.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from hdrnodes.hookspecs import hookimpl
from hdrnodes.models import engines_folder
from hdrnodes.networks import load
from hdrnodes.networks.export import export_model
from hdrnodes.networks.import_checkpoint import published_stages
from hdrnodes.networks.published import Published
from hdrnodes.plugins import Plugins
from hdrnodes.runtime import Runtime
from hdrnodes.runtime.runtime import STAGE_INPUTS

REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executor", default="openvino")
    parser.add_argument("--size", type=int, default=1024, help="of the square plate, pixels")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = {"default": engines_folder() / "default", "published": published(Path(folder) / "published")}
        runtime = Runtime(options.executor, plugins=plugins(models))
        plate = np.random.default_rng(0).random((options.size, options.size, 3), np.float32)
        table(runtime, plate, list(models))


def table(runtime: Runtime, plate: np.ndarray, models: list[str]) -> None:
    """Print a Markdown table, and the ratio of the sums."""
    megapixels = plate.shape[0] * plate.shape[1] / 1e6
    say(f"executor {runtime.executor.name}, {megapixels:.1f} megapixels\n")
    say("| model | stage | CPU-s per megapixel | GFLOP per megapixel | GFLOP per CPU-s |")
    say("|---|---|---|---|---|")
    sums = {}
    for model in models:
        sums[model] = 0.0
        for stage, inputs in STAGE_INPUTS.items():
            pixels = [plate] * len(inputs)
            runtime.run(stage, model, *pixels)  # compiles
            seconds = cpu_seconds(lambda stage=stage, model=model, pixels=pixels: runtime.run(stage, model, *pixels))
            flop = flops(runtime, stage, model, pixels)
            sums[model] += seconds
            rate = flop / seconds / 1e9
            say(f"| {model} | {stage} | {seconds / megapixels:.3f} | {flop / megapixels / 1e9:.0f} | {rate:.0f} |")
        say(f"| {model} | sum | {sums[model] / megapixels:.3f} | | |")
    say(f"\n{models[0]} costs 1/{sums[models[1]] / sums[models[0]]:.1f} of {models[1]}")


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU-seconds of all threads, the least of a few runs."""
    found = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def flops(runtime: Runtime, stage: str, model: str, pixels: list[np.ndarray]) -> float:
    """Of the convolutions and products of a stage, on these pixels, as torch counts them; halos not counted."""
    description = runtime.model(model).stage(stage)
    total = 0
    for name, network in description.networks.items():
        small = description.overview if name.endswith("_overview") or stage == "linearize" else 0
        side = min(small or pixels[0].shape[0], pixels[0].shape[0])
        example = load(network).example_inputs()
        given = [
            torch.rand(1, each.shape[1], side, side) if key in STAGE_INPUTS[stage] else each
            for key, each in example.items()
        ]
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            load(network)(*given)
        total += counter.get_total_flops()
    return float(total)


def published(folder: Path) -> Path:
    """A model folder of the published graph with random weights."""
    stages = published_stages(Published())
    return export_model(folder, "published", "0", "-", "random weights", {}, stages).folder


def plugins(models: dict[str, Path]) -> Plugins:
    from hdrnodes import builtins

    class Measured:
        register_executors = staticmethod(builtins.register_executors)

        @hookimpl
        def register_models(self) -> dict[str, Path]:
            return models

    registry = Plugins()
    registry.register(Measured(), "benchmark")
    return registry


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
