"""The work of a cell, in a process of its own: prepared, run once for its memory and its sizes, then timed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import hdrnodes
from hdrnodes.bench.cells import STAGES, Cell, Lane, Peak, Visit
from hdrnodes.bench.convolutions import convolution_seconds
from hdrnodes.bench.counting import cost
from hdrnodes.bench.device import Device, forget_peak, peak_memory
from hdrnodes.bench.peaks import measure_peak, precision_of
from hdrnodes.bench.plate import make_plate
from hdrnodes.bench.recorded import Calls, Recorded
from hdrnodes.camera.clipping import clip_mask
from hdrnodes.camera.response import invert_response
from hdrnodes.curve import Curve
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context
from hdrnodes.pixelwise import threads
from hdrnodes.plugins import Plugins, installed_plugins
from hdrnodes.runtime import Runtime, Settings
from hdrnodes.runtime.inputs import STAGE_INPUTS

MOST, LONG_ENOUGH = 5, 1.0  # timed runs of a visit: that many, or until that many seconds have passed

Work = Callable[[], object]


def save_plate(stem: Path, width: int, height: int) -> None:
    """A plate's codes as `stem`.npy, and the picture as `stem`.jpg."""
    codes = make_plate(width, height)
    np.save(stem.with_suffix(".npy"), codes)
    hdrnodes.write(Image.from_array(codes), stem.with_suffix(".jpg"), compression="jpeg:92", overwrite=True)


def peak_of(lane: Lane) -> Peak:
    """What the machine does at best, by the library of a lane's executor."""
    return measure_peak(_runtime(lane, Calls()).executor, lane)


def visit(cell: Cell, plate: Path) -> Visit:
    """Measure a cell.

    Args:
        plate: as `save_plate` has it.

    Raises:
        HdrnodesError, MemoryError: what the work raises.
    """
    calls = Calls()
    runtime = _runtime(cell.lane, calls, cell.model)
    context, device = Context(runtime=runtime, plugins=installed_plugins(), say=_nothing), Device(runtime.executor)
    seconds: list[float] = []
    cpu_seconds: list[float] = []
    inference: list[float] = []
    with tempfile.TemporaryDirectory() as folder, threads(cell.lane.threads):
        work = _work(cell, plate, context, device, Path(folder))
        forget_peak()
        work()
        memory, device_memory = peak_memory(), device.memory()
        while not seconds or (len(seconds) < MOST and sum(seconds) < LONG_ENOUGH):
            calls.forget()
            clock, cpu = device.time(work)
            seconds.append(clock)
            cpu_seconds.append(cpu)
            inference.append(calls.seconds)
    precision = precision_of(runtime.executor, cell.lane)
    flop, moved = _counted(cell, calls, 4 if precision == "float32" else 2)
    convolutions = _convolutions(cell, calls, precision) if cell.lane.executor == "openvino" else None
    told = None if device.is_gpu else inference  # a GPU goes on working after the call
    return Visit(seconds, cpu_seconds, told, memory, device_memory, flop, moved, convolutions, _fed(cell, calls))


def _runtime(lane: Lane, calls: Calls, model: str = "") -> Runtime:
    plugins = Plugins()
    plugins.register(Recorded(installed_plugins(), lane.executor, calls, model), "bench")
    settings = Settings(precision=lane.precision, threads=lane.threads)
    return Runtime(lane.executor, plugins=plugins, settings=settings)


def _nothing(_: str) -> None:
    """What nodes say is not measured."""


def _work(cell: Cell, plate: Path, context: Context, device: Device, folder: Path) -> Work:
    if cell.part in STAGES:
        return _stage(cell, plate, context, device)
    source, target = plate.with_suffix(".jpg"), folder / "plate.exr"

    def from_file_to_file() -> None:
        picture = hdrnodes.reconstruct(source, context=context, model=cell.model)
        hdrnodes.write(picture, target, overwrite=True)

    if cell.part == "files":
        return from_file_to_file
    codes = np.load(plate.with_suffix(".npy"))

    def from_codes_to_halves() -> object:
        picture = Image.from_array(codes, device="cuda" if device.is_gpu else None)
        return device.halves(hdrnodes.reconstruct(picture, context=context, model=cell.model).pixels)

    return from_codes_to_halves


def _stage(cell: Cell, plate: Path, context: Context, device: Device) -> Work:
    """A stage by itself, on what it would be given; the curve is sRGB's, as nothing is estimated here."""
    display = np.load(plate.with_suffix(".npy")).astype(np.float32) / np.float32(255)
    if cell.part in ("dequantize", "linearize"):
        pixels = device.place(display)
        return lambda: context.run(cell.part, cell.model, *[pixels] * len(STAGE_INPUTS[cell.part]))
    linear = np.asarray(invert_response(display, Curve.named("srgb").samples), np.float32)
    if cell.part == "hallucinate":
        pixels, where = device.place(linear), device.place(clip_mask(linear))
        return lambda: context.run(cell.part, cell.model, pixels, where=where)
    given = [device.place(each) for each in (linear, linear, display)]
    return lambda: context.run(cell.part, cell.model, *given)


def _counted(cell: Cell, calls: Calls, value_bytes: int) -> tuple[float, float]:
    """Operations and bytes of one run: the networks', and the frame that goes in and comes out."""
    pixels = cell.width * cell.height
    if cell.part in STAGES:
        moved = 3.0 * 4 * pixels * len(STAGE_INPUTS[cell.part]) + (cell.part != "linearize") * 3 * 4 * pixels
    else:
        moved = 3.0 * (1 + 2) * pixels
    flop = 0.0
    for (name, shapes), count in calls.counts.items():
        network = calls.networks[name]
        one = cost(network.folder / network.onnx, shapes, value_bytes)
        flop += count * one.flop
        moved += count * one.moved
    return flop, moved


def _convolutions(cell: Cell, calls: Calls, precision: str) -> float:
    seconds = 0.0
    for (name, shapes), count in calls.counts.items():
        network = calls.networks[name]
        seconds += count * convolution_seconds(network.folder / network.onnx, shapes, cell.lane, precision)
    return seconds


def _fed(cell: Cell, calls: Calls) -> float | None:
    if cell.part not in STAGES:
        return None
    fed = 0
    for (name, shapes), count in calls.counts.items():
        if name == cell.part:
            batch, _, height, width = dict(shapes)[STAGE_INPUTS[cell.part][0]]
            fed += count * batch * height * width
    return fed / (cell.width * cell.height)
