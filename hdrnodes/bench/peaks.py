"""What the machine does at best: operations by the executor's own library, and bytes by a copy.

Large 3 x 3 convolutions are the yardstick on a CPU, where libraries do them faster than matrix products; on a GPU the
faster of both. A copy counts what it reads and what it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hdrnodes.bench.cells import Lane, Peak
from hdrnodes.bench.device import Device
from hdrnodes.errors import ExecutorError
from hdrnodes.machine import cores
from hdrnodes.runtime.executor import Executor
from hdrnodes.runtime.openvino import core, openvino

CONVOLUTIONS = ((256, 256), (128, 256), (64, 512))  # channels in and out, side of the picture
PRODUCT = 8192  # side of the matrices, on a GPU
REPEATS = 3
COPIED = 256 << 20  # bytes, at least; and four times the last cache
TYPES = {"float32": "f32", "bf16": "bf16", "fp16": "f16"}  # of OpenVINO


def measure_peak(executor: type[Executor], lane: Lane) -> Peak:
    """The peak of the library that an executor is of; torch's for one that is neither OpenVINO's nor its own.

    Raises:
        ExecutorError: there is no such library here.
    """
    device, precision = Device(executor), precision_of(executor, lane)
    if lane.executor == "openvino":
        works = openvino_works(precision, lane.threads)
    elif find_spec("torch"):
        works = _torch_works(precision, lane.threads, device)
    else:
        problem = "has no peak to be compared with: torch is not installed"
        raise ExecutorError(f"executor {lane.executor}", problem, "pip install 'hdrnodes[train]'")
    rates, cpu_rates = [], []
    for what, flop, work in works:
        clock, cpu = _least(device, work)
        rates.append((flop / clock, what))
        cpu_rates.append(flop / cpu)
    moved, moved_cpu = _copy_rate(device, lane.threads)
    fastest, what = max(rates)
    if device.is_gpu:
        return Peak(fastest, None, moved, None, f"{precision}, {what}")
    return Peak(fastest, max(cpu_rates), moved, moved_cpu, f"{precision}, {what}")


def _least(device: Device, work: Callable[[], object]) -> tuple[float, float]:
    """Seconds and CPU-seconds, each the least of a few runs after the first."""
    clocks, cpus = zip(*[device.time(work) for _ in range(REPEATS + 1)][1:], strict=True)
    return min(clocks), max(1e-9, min(cpus))


def precision_of(executor: type[Executor], lane: Lane) -> str:
    """What "auto" stands for: halves on a GPU, float32 on a CPU."""
    if lane.precision != "auto":
        return lane.precision
    return "fp16" if executor.on_device and Device(executor).is_gpu else "float32"


Works = Iterator[tuple[str, float, Callable[[], object]]]


def openvino_options(precision: str, threads: int | None) -> dict[str, Any]:
    """How OpenVINO is to compile for a CPU."""
    options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": TYPES[precision], "PERFORMANCE_HINT": "LATENCY"}
    return options if threads is None else {**options, "INFERENCE_NUM_THREADS": threads}


def openvino_works(precision: str, threads: int | None) -> Works:
    library = openvino()
    from openvino import opset8

    options, rng = openvino_options(precision, threads), np.random.default_rng(0)
    for channels, side in CONVOLUTIONS:
        given = opset8.parameter([1, channels, side, side], np.float32)
        weights = opset8.constant(rng.standard_normal((channels, channels, 3, 3), np.float32))
        answer = opset8.convolution(given, weights, [1, 1], [1, 1], [1, 1], [1, 1])
        compiled = core().compile_model(library.Model([answer], [given]), "CPU", options)
        request, pixels = compiled.create_infer_request(), rng.random((1, channels, side, side), np.float32)
        yield (
            f"a 3 x 3 convolution of {channels} channels at {side} x {side}",
            2.0 * 9 * channels**2 * side**2,
            partial(request.infer, [pixels], share_inputs=True, share_outputs=True),
        )


def _torch_works(precision: str, threads: int | None, device: Device) -> Works:
    import torch

    kind = {"float32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    place = "cuda" if device.is_gpu else "cpu"
    if threads is not None:
        torch.set_num_threads(threads)
    pictures = 16 if device.is_gpu else 1
    with torch.inference_mode():
        if device.is_gpu:
            a, b = (torch.randn(PRODUCT, PRODUCT, device=place, dtype=kind) for _ in range(2))
            yield f"a product of {PRODUCT} x {PRODUCT} matrices", 2.0 * PRODUCT**3, partial(torch.matmul, a, b)
        for channels, side in CONVOLUTIONS:
            convolution: Any = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False, device=place, dtype=kind)
            convolution.to(memory_format=torch.channels_last)
            pixels = torch.randn(pictures, channels, side, side, device=place, dtype=kind)
            pixels = pixels.to(memory_format=torch.channels_last)
            yield (
                f"a 3 x 3 convolution of {channels} channels at {side} x {side}",
                2.0 * 9 * channels**2 * side**2 * pictures,
                partial(convolution, pixels),
            )


def _copy_rate(device: Device, threads: int | None) -> tuple[float, float]:
    """Bytes read and written, in a second and in a CPU-second."""
    size = max(COPIED, 4 * _last_cache())
    if device.is_gpu:
        import torch

        a, b = (torch.zeros(size, dtype=torch.uint8, device="cuda") for _ in range(2))
        clock, cpu = _least(device, lambda: a.copy_(b))
        return 2 * size / clock, 2 * size / cpu
    count = threads or cores()
    source, target = np.ones(size, np.uint8), np.ones(size, np.uint8)  # ones: all pages of fresh zeros are one page
    parts = list(zip(np.array_split(target, count), np.array_split(source, count), strict=True))
    with ThreadPoolExecutor(count) as pool:  # numpy lets other threads run while it copies
        clock, cpu = _least(device, lambda: list(pool.map(lambda pair: np.copyto(*pair), parts)))
    return 2 * size / clock, 2 * size / cpu


def _last_cache() -> int:
    """Bytes of the processor's largest cache; 0 where the system does not say."""
    sizes = [0]
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        text = file.read_text().strip()
        if text.endswith("K"):
            sizes.append(int(text[:-1]) << 10)
    return max(sizes)
