"""The `tensorrt` executor."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from hdrnodes.errors import ExecutorError, ModelError
from hdrnodes.models import Network
from hdrnodes.runtime.executor import Array, Executor, Settings, why_it_failed
from hdrnodes.runtime.gpus import has_driver
from hdrnodes.runtime.tensorrt.device import ALIGNED, Device, give_back, take_device
from hdrnodes.runtime.tensorrt.engine import Engine, PlanError, Ready
from hdrnodes.runtime.tensorrt.library import library_for, why_no_library
from hdrnodes.runtime.tensorrt.plans import Plan, onnx_of
from hdrnodes.runtime.tensorrt.profiles import TILES, Shape


class TensorRT(Executor):
    """FP16 on NVIDIA cards from SM75 on. Takes numpy arrays, or torch tensors of the card, and gives the same kind."""

    name = "tensorrt"
    on_device = True

    @classmethod
    def why_not(cls) -> str | None:
        if not has_driver():
            return "no NVIDIA driver here"
        if reason := why_no_library():
            return reason
        packages = {"pycuda": "pycuda", "cuda.bindings": "cuda-bindings"}
        missing = [package for name, package in packages.items() if not _is_there(name)]
        if missing:
            return f"{' and '.join(missing)} not installed; pip install {' '.join(missing)}"
        try:
            import pycuda.driver as cuda

            cuda.init()
            major, minor = cuda.Device(0).compute_capability()
        except ImportError as error:
            return f"pycuda cannot be loaded: {error}"
        except cuda.Error as error:
            return f"CUDA cannot start: {error}"
        return why_no_library(f"SM{major}{minor}")

    @classmethod
    def free_memory(cls) -> int | None:
        try:
            device = take_device()
        except ExecutorError:  # said when a network is loaded
            return None
        try:
            return device.free_memory()
        finally:
            give_back(device)

    def __init__(self, network: Network, settings: Settings) -> None:
        onnx, sha256, precision = onnx_of(network, settings.precision)
        self._path = onnx
        self.most_tiles = TILES.most_tiles if network.batched else 1
        self._sees_whole_frame = network.sees_whole_frame
        self._device = take_device()
        try:
            with self._device.current():
                library = library_for(self._device.card.target)
                plan = Plan(network, onnx, sha256, precision, library, self._device.card, settings.cache)
                self._engine = _load(plan, self._device)
        except BaseException as error:
            give_back(self._device)
            if isinstance(error, RuntimeError | MemoryError | self._device.cuda.Error):
                problem = f"cannot be brought to the card: {' '.join(str(error).split())[:200]}"
                raise ExecutorError(onnx, problem, "take another --executor") from error
            raise
        self._library = library
        # Not a __del__: at the interpreter's exit, CUDA would be gone before that is called.
        self.close = weakref.finalize(self, _release, self._device, self._engine)
        described = (sorted(network.inputs), [network.output], True)
        if (sorted(self._engine.inputs), self._engine.outputs, self._engine.only_float32) != described:
            self.close()
            there = f"{', '.join(self._engine.inputs)} to {', '.join(self._engine.outputs)}"
            problem = (
                f"is from {there}, where model.toml has {', '.join(network.inputs)} to {network.output}, in float32"
            )
            raise ModelError(onnx, problem, "it is another network's; export the model again")

    def run(self, **inputs: Any) -> Any:
        try:
            with self._device.current():
                if any(_is_on_device(array) for array in inputs.values()):
                    return self._run_on_device(inputs)
                return self._run_from_host(inputs)
        except (RuntimeError, MemoryError, self._device.cuda.Error) as error:
            raise why_it_failed(self._path, self._library.name, error) from error

    def _run_from_host(self, inputs: Mapping[str, Array]) -> Array:
        """Through pinned memory: up, through the network, down, all on one stream."""
        cuda, stream = self._device.cuda, self._device.stream
        ready = self._ready({name: array.shape for name, array in inputs.items()})
        shapes = {name: array.shape for name, array in inputs.items()} | {self._engine.outputs[0]: ready.shape}
        places, size = _side_by_side(shapes)
        scratch = self._device.scratch(_aligned(ready.scratch) + size)
        pinned = self._device.pinned(size)
        addresses, staged = {}, {}
        for name, shape in shapes.items():
            addresses[name] = scratch + _aligned(ready.scratch) + places[name]
            staged[name] = pinned[places[name] :][: _bytes(shape)].view(np.float32).reshape(shape)
        for name, array in inputs.items():
            np.copyto(staged[name], array)
            cuda.memcpy_htod_async(addresses[name], staged[name], stream)
        ready.enqueue(scratch, addresses)
        answer = staged[self._engine.outputs[0]]
        cuda.memcpy_dtoh_async(answer, addresses[self._engine.outputs[0]], stream)
        stream.synchronize()
        return answer.copy()

    def _run_on_device(self, inputs: Mapping[str, Any]) -> Any:
        """On torch's own memory, in turn with what torch does on its stream; nothing is waited for."""
        import torch

        card = torch.device("cuda", 0)
        given = {name: torch.as_tensor(array, dtype=torch.float32, device=card) for name, array in inputs.items()}
        given = {name: tensor.detach().contiguous() for name, tensor in given.items()}
        ready = self._ready({name: tuple(tensor.shape) for name, tensor in given.items()})
        answer = torch.empty(ready.shape, dtype=torch.float32, device=card)
        addresses = {name: tensor.data_ptr() for name, tensor in given.items()}
        addresses[self._engine.outputs[0]] = answer.data_ptr()
        theirs = torch.cuda.current_stream(card)
        ours = torch.cuda.ExternalStream(self._device.stream.handle, device=card)
        scratch = self._device.scratch(max(ready.scratch, ALIGNED))
        ours.wait_stream(theirs)
        ready.enqueue(scratch, addresses)
        # And so torch may use the inputs' memory again: whatever does that comes later on this stream.
        theirs.wait_stream(ours)
        return answer

    def _ready(self, shapes: Mapping[str, Shape]) -> Ready:
        ready = self._engine.ready(shapes)
        if ready is not None:
            return ready
        for name, shape in shapes.items():
            most = self._engine.most(name)
            if len(shape) == len(most) and any(a > b for a, b in zip(shape, most, strict=True)):
                problem = f"{name} may have the shape {most} at the most as it is compiled, not {shape}"
                if self._sees_whole_frame:
                    raise ExecutorError(self._path, problem, "take another --executor")
                raise MemoryError(problem)  # smaller tiles help, as they do where memory is short
        given = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ExecutorError(self._path, f"does not take the shapes {given}", "export the model again")


def _load(plan: Plan, device: Device) -> Engine:
    """The plan's engine; where the plan cannot be loaded, it is built again, once."""
    jit = plan.path and plan.path.with_suffix(".jit")
    try:
        return Engine(plan.library, device, plan.load(), jit)
    except PlanError:
        data = plan.renew()
    try:
        return Engine(plan.library, device, data, jit)
    except PlanError as error:
        problem = f"{plan.library.name} cannot load what it built of it: {error}"
        raise ExecutorError(plan.onnx, problem, "is the driver new enough? take another --executor") from error


def _release(device: Device, engine: Engine) -> None:
    device.retire(engine.release)
    give_back(device)


def _is_on_device(array: Any) -> bool:
    is_cuda = getattr(array, "is_cuda", None)  # torch's, whose tensors all have the interface, which may raise
    return bool(is_cuda) if is_cuda is not None else hasattr(array, "__cuda_array_interface__")


def _side_by_side(shapes: Mapping[str, Shape]) -> tuple[dict[str, int], int]:
    """Where each array begins in one block of memory, in bytes, and how many all of them take."""
    places, size = {}, 0
    for name, shape in shapes.items():
        places[name] = size
        size += _aligned(_bytes(shape))
    return places, size


def _bytes(shape: Shape) -> int:
    return int(np.prod(shape)) * 4


def _aligned(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a submodule, where the package is not there
        return False
