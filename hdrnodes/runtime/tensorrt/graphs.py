"""CUDA graphs: what was put on a stream once, launched again as one. cuda-bindings, for pycuda has none; a stream of
pycuda is a plain CUstream to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class CaptureError(RuntimeError):
    """CUDA would not make a graph of it."""


class Graph:
    """What `enqueue` puts on a stream, recorded without being run.

    Args:
        stream: handle of a stream that is not the default one; the context is current.
        enqueue: puts the work on the stream, and answers whether it could. It has done so once outside of a capture, so
            that nothing is left to be allocated or compiled.

    Raises:
        CaptureError: the stream cannot be captured, or enqueue failed. The stream is as it was.
    """

    def __init__(self, stream: int, enqueue: Callable[[], bool]) -> None:
        from cuda.bindings import driver

        self._driver = driver
        self._stream = driver.CUstream(stream)
        # Of this thread alone: others may allocate meanwhile.
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._do(driver.cuStreamBeginCapture(self._stream, mode))
        enqueued = False
        try:
            enqueued = enqueue()
        finally:
            ended, graph = driver.cuStreamEndCapture(self._stream)
            if not enqueued and ended == driver.CUresult.CUDA_SUCCESS:
                driver.cuGraphDestroy(graph)
        if not enqueued:
            raise CaptureError("the network could not be enqueued")
        self._do((ended,))
        try:
            self._executable = self._do(driver.cuGraphInstantiate(graph, 0))
        finally:
            driver.cuGraphDestroy(graph)

    def launch(self) -> None:
        """Put all of it on the stream. Raises CaptureError."""
        self._do(self._driver.cuGraphLaunch(self._executable, self._stream))

    def destroy(self) -> None:
        """Free it; nothing of it is running any more."""
        self._driver.cuGraphExecDestroy(self._executable)

    def _do(self, answered: tuple[Any, ...]) -> Any:
        """cuda-bindings answer a result code, and what was asked for behind it."""
        code, *rest = answered
        if code != self._driver.CUresult.CUDA_SUCCESS:
            raise CaptureError(f"CUDA answers {code.name}")
        return rest[0] if rest else None
