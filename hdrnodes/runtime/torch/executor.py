"""The executor. Imports torch at its first network."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from hdrnodes.errors import ExecutorError
from hdrnodes.models import Network
from hdrnodes.runtime.executor import Array, Executor, Settings, why_it_failed
from hdrnodes.runtime.torch.build import why_no_gpu, why_not_installed

if TYPE_CHECKING:
    from torch import Tensor


class Torch(Executor):
    """On the CPU, in float32 as a rule. `threads` are torch's, and those of all that uses torch in this process."""

    name = "torch"
    _device_name = "cpu"

    @classmethod
    def why_not(cls) -> str | None:
        return why_not_installed()

    def __init__(self, network: Network, settings: Settings) -> None:
        try:
            import torch
        except (ImportError, OSError) as error:
            problem = f"torch cannot be imported: {' '.join(str(error).split())[:200]}"
            raise ExecutorError("executor torch", problem, "install it again") from error
        from hdrnodes.networks import load
        from hdrnodes.runtime.torch.precision import precision_for, prepared

        self._device = torch.device(self._device_name)
        precision = precision_for(settings.precision, self._device)
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        self._inputs = network.inputs
        self._path = network.folder / network.safetensors
        loaded = load(network)
        try:
            self._network = prepared(loaded, precision, self._device)
            self._get_ready()
        except (RuntimeError, MemoryError, AssertionError) as error:  # the last is what torch raises without CUDA
            problem = f"cannot be brought to {self._where()}: {' '.join(str(error).split())[:200]}"
            raise ExecutorError(self._path, problem, "take another --executor") from error

    def run(self, **inputs: Any) -> Any:
        """As `Executor.run`; a torch tensor where one input is such."""
        import torch

        from hdrnodes.runtime.torch.precision import exact_float32

        given = [inputs[name] for name in self._inputs]
        try:
            with self._turn(), exact_float32():
                with torch.inference_mode():
                    output = self._answer([self._taken_in(each) for each in given])
                if any(isinstance(each, torch.Tensor) for each in given):
                    # Out of inference mode: others may not write into tensors that were made in it.
                    return output.clone()
                return self._handed_out(output)
        except (RuntimeError, MemoryError) as error:
            raised = why_it_failed(self._path, "torch", error)
            if isinstance(raised, MemoryError):
                traceback.clear_frames(error.__traceback__)  # the network's layers hold what they were working on
                self._free()
            raise raised from error

    def _where(self) -> str:
        return "the CPU"

    def _get_ready(self) -> None:
        """What comes after loading, and may fail."""

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Around each run."""
        yield

    def _taken_in(self, given: Array | Tensor) -> Tensor:
        """Float32 on the device."""
        import torch

        if isinstance(given, torch.Tensor):
            return given.to(self._device, torch.float32)
        # torch warns of arrays that it may not write to, and shares the memory of the others.
        return torch.from_numpy(np.require(given, np.float32, "W"))

    def _answer(self, inputs: Sequence[Tensor]) -> Tensor:
        from hdrnodes.runtime.torch.buckets import channels_last

        return self._network(*(channels_last(each) for each in inputs)).float()

    def _handed_out(self, output: Tensor) -> Array:
        return output.numpy()

    def _free(self) -> None:
        """Give back memory that is not needed, so that a smaller tile may fit."""


class TorchOnGpu(Torch):
    """On the first GPU that CUDA shows (`$CUDA_VISIBLE_DEVICES`), in fp16 unless float32 is asked for.

    Arrays go there through pinned memory, and answers come back in such. Of tensors, nothing passes the host, and the
    host waits for nothing.
    """

    on_device = True
    most_tiles = 16
    _device_name = "cuda:0"

    @classmethod
    def why_not(cls) -> str | None:
        return super().why_not() or why_no_gpu()

    @classmethod
    def free_memory(cls) -> int | None:
        import torch

        device = torch.device(cls._device_name)
        try:
            # What torch keeps for later is free, too.
            kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
            return torch.cuda.mem_get_info(device)[0] + kept
        except (RuntimeError, AssertionError):  # a GPU that fails says so when a network is loaded
            return None

    def _where(self) -> str:
        return "the GPU"

    def _get_ready(self) -> None:
        import torch

        from hdrnodes.runtime.torch.graphs import arena

        torch.ones(1, device=self._device)  # a kernel: fails now where torch has none for this GPU
        self._arena = arena(self._device)
        self._buckets = self._arena.buckets(self._network)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._arena.turn():
            yield

    def _taken_in(self, given: Array | Tensor) -> Tensor:
        import torch

        if isinstance(given, torch.Tensor):
            return super()._taken_in(given)
        return pinned(given).to(self._device, non_blocking=True)

    def _answer(self, inputs: Sequence[Tensor]) -> Tensor:
        return self._buckets.run(inputs).float()

    def _handed_out(self, output: Tensor) -> Array:
        import torch

        host = torch.empty_like(output, device="cpu", pin_memory=True)
        host.copy_(output, non_blocking=True)
        torch.cuda.current_stream().synchronize()
        return host.numpy()

    def _free(self) -> None:
        self._arena.clear()


Torch.on_gpu = TorchOnGpu


def pinned(array: Array, pin_memory: bool = True) -> Tensor:
    """A copy in memory that a GPU reads by itself, laid out as the array is; float32.

    torch keeps such memory for the next copy, but not before the GPU has read this one.
    """
    import torch

    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    copy = torch.empty([array.shape[axis] for axis in order], dtype=torch.float32, pin_memory=pin_memory)
    copy.numpy()[...] = array.transpose(order)
    return copy.permute([order.index(axis) for axis in range(array.ndim)])
