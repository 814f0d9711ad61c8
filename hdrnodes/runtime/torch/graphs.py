"""CUDA graphs: all that a network does on the GPU, recorded, and started by one call.

Graphs of all networks share their memory, for one runs at a time: `Arena.turn`. Their inputs and outputs are their own.
Source: https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from threading import RLock
from weakref import WeakSet

import torch
from torch import Tensor

from hdrnodes.runtime.torch.buckets import Buckets, Replay

SHARE = 4  # of a GPU's memory, graphs take one part in so many, and one graph more at most

log = logging.getLogger("hdrnodes")


class Arena:
    """The graphs of one GPU; `arena` gives it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._most = torch.cuda.get_device_properties(device).total_memory // SHARE
        self._lock = RLock()
        self._stream = torch.cuda.Stream(device)
        self._done = torch.cuda.Event()
        self._buckets: WeakSet[Buckets] = WeakSet()
        self._failed = False
        self._begin()

    def _begin(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        self._taken = 0

    def buckets(self, network: Callable[..., Tensor]) -> Buckets:
        """Buckets of a network's graphs."""
        buckets = Buckets(network, partial(self._record, network))
        self._buckets.add(buckets)
        return buckets

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within this, nobody else runs a graph, whatever the thread or the stream. The host waits for nothing."""
        with self._lock, torch.cuda.device(self._device):
            torch.cuda.current_stream().wait_event(self._done)
            try:
                yield
            finally:
                self._done.record()

    def clear(self) -> None:
        """Let go of all graphs, and give their memory, and what torch keeps for later, back to the GPU."""
        with self._lock:
            torch.cuda.synchronize(self._device)
            for buckets in self._buckets:
                buckets.clear()
            self._begin()
            torch.cuda.empty_cache()

    def _record(self, network: Callable[..., Tensor], buffers: Sequence[Tensor]) -> Replay:
        """A graph; the network as it is where none can be made, which is said once."""
        if self._failed:
            return partial(network, *buffers)
        if self._taken > self._most:
            self.clear()
        try:
            return self._capture(network, buffers)
        except RuntimeError as error:
            # What ends a capture may fail in its turn, and then hides what it failed of.
            if isinstance(error, torch.cuda.OutOfMemoryError) or isinstance(
                error.__context__, torch.cuda.OutOfMemoryError
            ):
                self.clear()  # without a graph it may fit; if not, the run says so
            else:
                self._failed = True
                self._begin()
                log.warning("torch: no CUDA graphs here, which is slower (%s)", " ".join(str(error).split())[:200])
        return partial(network, *buffers)

    def _capture(self, network: Callable[..., Tensor], buffers: Sequence[Tensor]) -> Replay:
        caller = torch.cuda.current_stream()
        self._stream.wait_stream(caller)
        with torch.cuda.stream(self._stream):
            network(*buffers)  # libraries find their fastest kernels, and allocate, outside of the graph
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(caller):  # after a capture that failed, torch leaves its own stream set
            # Errors of this thread alone: others may read and write frames meanwhile.
            with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                before = torch.cuda.memory_reserved()
                output = network(*buffers)
                self._taken += torch.cuda.memory_reserved() - before
        self._taken += sum(each.nbytes for each in (*buffers, output))
        caller.wait_stream(self._stream)
        return partial(_replay, graph, output)


def _replay(graph: torch.cuda.CUDAGraph, output: Tensor) -> Tensor:
    graph.replay()
    return output


@cache
def arena(device: torch.device) -> Arena:
    """The one arena of a GPU in this process."""
    return Arena(device)
