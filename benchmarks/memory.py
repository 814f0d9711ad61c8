"""What memory is needed: by each network for a pixel, and by the whole command for pictures of several sizes.

    python benchmarks/memory.py [--model default] [--executor openvino] [--sides 2048 4096] [--memory 1G 6G]

`hdrnodes.runtime.memory.WITH_COPIES` comes from the first table. Linux and macOS, on which a process can be told
what its children took.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from hdrnodes import write
from hdrnodes.image import Image
from hdrnodes.models import Model, Network, engines_folder
from hdrnodes.runtime import Settings
from hdrnodes.runtime.choose import Choice
from hdrnodes.runtime.inputs import STAGE_INPUTS

UNIT = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
TILE = 1024  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default", help="a name, or a model folder")
    parser.add_argument("--executor", default="openvino")
    parser.add_argument("--sides", type=int, nargs="*", default=[2048, 4096], help="of square plates, pixels")
    parser.add_argument("--memory", nargs="*", default=["1G", "6G"], help="budgets, besides none")
    parser.add_argument("--network", help=argparse.SUPPRESS)  # in a process of its own
    options = parser.parse_args()
    folder = Path(options.model) if Path(options.model).is_dir() else engines_folder() / options.model
    if options.network:
        say(str(taken_by(folder, options.network, options.executor)))
        return
    networks_table(folder, options.executor)
    with tempfile.TemporaryDirectory() as scratch:
        command_table(Path(scratch), options)


def networks_table(folder: Path, executor: str) -> None:
    """Bytes a pixel, of each network that is fed tiles: its activations, and what the executor took."""
    say(f"| network | activations, bytes a pixel | {executor} took | ratio |\n|---|---|---|---|")
    model = Model.load(folder)
    for name in ("dequantize", "hallucinate", "refine"):
        activations = model.stage(name).networks[name].bytes_per_pixel
        command = [sys.executable, __file__, "--model", str(folder), "--network", name, "--executor", executor]
        taken = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / TILE**2
        say(f"| {name} | {activations:.0f} | {taken:.0f} | {taken / activations:.2f} |")
    say("")


def taken_by(folder: Path, name: str, executor: str) -> int:
    """Bytes by which this process grows when a network, loaded and run on little, is run on a tile."""
    from hdrnodes.plugins import installed_plugins

    network = Model.load(folder).stage(name).networks[name]
    loaded = Choice(executor, installed_plugins().executors).load(network, Settings(cache=None))
    loaded.run(**inputs(network, name, 64))
    given = inputs(network, name, TILE)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    loaded.run(**given)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * UNIT


def inputs(network: Network, stage: str, side: int) -> dict[str, np.ndarray]:
    """Noise of that size, and of what belongs to the frame as a whole."""
    random = np.random.default_rng(0)
    shapes = {name: (1, 3, side, side) for name in STAGE_INPUTS[stage]}
    shapes["context"] = (1, 16, 107, 160) if stage == "hallucinate" else (1, 3, 7, 10)
    given = {name: random.random(shape, np.float32) for name, shape in shapes.items() if name in network.inputs}
    return {**given, "window": np.array([[0, 0, 1, 1]], np.float32)} if "window" in network.inputs else given


def command_table(folder: Path, options: argparse.Namespace) -> None:
    """The peak of `hdrnodes reconstruct`, JPEG to EXR, resident memory."""
    say("| plate | " + " | ".join(f"`--memory {each}`" for each in ("none", *options.memory)) + " |")
    say("|---" * (len(options.memory) + 2) + "|")
    for side in options.sides:
        plate = folder / f"{side}.jpg"
        write_plate(plate, side)
        peaks = [peak_of(plate, options, memory) for memory in (None, *options.memory)]
        say(f"| {side**2 / 1e6:.0f} MP | " + " | ".join(f"{each / 1e9:.2f} GB" for each in peaks) + " |")


def write_plate(path: Path, side: int) -> None:
    """Gradients in two colours with a clipped disc in every 512 pixels: no stage is idle anywhere."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    disc = np.hypot(y % 512 - 256, x % 512 - 256) < 100
    pixels = np.stack([0.2 + 0.6 * (x % 512) / 512, 0.7 - 0.5 * (y % 512) / 512, 0.3 + 0.2 * (x % 300) / 300], axis=-1)
    write(Image(np.where(disc[..., None], 1, pixels).astype(np.float32)), path, pixel_type="uint8")


def peak_of(plate: Path, options: argparse.Namespace, memory: str | None) -> int:
    """Bytes."""
    command = [sys.executable, "-m", "hdrnodes", "reconstruct", str(plate), "-o", str(plate.with_suffix(".exr"))]
    command += ["--overwrite", "--executor", options.executor, "--model", options.model]
    command += ["--memory", memory] if memory else []
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: failed")
    return used.ru_maxrss * UNIT


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
