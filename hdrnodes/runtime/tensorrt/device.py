"""The card: its primary context, memory that all stages share, pinned memory for the way there and back, a stream.

The primary context is the one that torch and CUDA's runtime use, so that all of them live in one process and see the
same memory. It is current only while somebody uses it: pycuda frees nothing of a context that is not, without a word.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import numpy as np
import numpy.typing as npt

from hdrnodes.errors import ExecutorError
from hdrnodes.runtime.gpus import driver_version
from hdrnodes.runtime.tensorrt.plans import Card

NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING: it does not wait for the default stream
ALIGNED = 256  # bytes, for TensorRT


class Device:
    """The first card that CUDA shows ($CUDA_VISIBLE_DEVICES chooses). `take_device` makes it, once.

    Attributes:
        cuda: pycuda's driver module.
        card: what it is.
        stream: where all work goes, one after another.
        generation: which memory `scratch` is; another where it had to grow, and addresses have changed.
    """

    def __init__(self) -> None:
        import pycuda.driver as cuda

        self.cuda = cuda
        try:
            cuda.init()
            device = cuda.Device(0)
            self._context = device.retain_primary_context()
        except cuda.Error as error:
            raise ExecutorError("CUDA", f"cannot start: {error}", "does nvidia-smi show the card?") from error
        major, minor = device.compute_capability()
        self.card = Card(f"SM{major}{minor}", device.name(), driver_version() or "")
        self.users = 0
        self.generation = 0
        self._lock = RLock()
        self._depth = 0
        self._retired: deque[Callable[[], None]] = deque()
        self._scratch: Any = None
        self._scratch_size = 0
        self._pinned: Any = None
        with self.current():
            self.stream = cuda.Stream(NON_BLOCKING)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the context current for this thread, and let no other thread use the card meanwhile.

        Whatever happens inside, what was current before is so again.
        """
        with self._lock:
            self._context.push()
            self._depth += 1
            try:
                self._free_retired()
                yield
                self._free_retired()
            finally:
                self._depth -= 1
                self.cuda.Context.pop()

    def retire(self, free: Callable[[], None]) -> None:
        """Call `free` with the context current: at once, or, while somebody is at work, afterwards.

        Python may collect an executor in the middle of another's work, even of a capture, where freeing is not allowed.
        """
        self._retired.append(free)
        if self._lock.acquire(blocking=False):
            try:
                if self._depth == 0:
                    with self.current():
                        pass
            finally:
                self._lock.release()

    def _free_retired(self) -> None:
        while self._depth == 1 and self._retired:
            self._retired.popleft()()

    def scratch(self, size: int) -> int:
        """The address of at least so many bytes on the card, the same for all who ask: stages run in turn.

        It only grows; what was there is lost then, and `generation` is another.

        Raises:
            MemoryError: there is not so much; then there is no scratch memory.
        """
        if self._scratch is None or size > self._scratch_size:
            self.stream.synchronize()
            self._free_scratch()
            self._scratch = self._allocate(size)
            self._scratch_size = size
        return int(self._scratch)

    def free_memory(self) -> int:
        """Bytes on the card that are free, or `scratch` already."""
        with self.current():
            return int(self.cuda.mem_get_info()[0]) + self._scratch_size

    def pinned(self, size: int) -> npt.NDArray[np.uint8]:
        """So many bytes of the machine's memory that the card can reach; valid until this is asked again."""
        if self._pinned is None or size > self._pinned.nbytes:
            self.stream.synchronize()
            self._free_pinned()
            self._pinned = self.cuda.pagelocked_empty(size, np.uint8)
        found: npt.NDArray[np.uint8] = self._pinned[:size]
        return found

    def close(self) -> None:
        """Free the memory, the stream, the context; nobody uses it any more."""
        from cuda.bindings import driver

        with self._lock:
            with self.current():
                self.stream.synchronize()
                self._free_scratch()
                self._free_pinned()
                del self.stream
            # Released while it is current, or pycuda does nothing in any thread but the one that retained it; and it
            # leaves a primary context that it released on CUDA's own stack.
            self._context.push()
            self._context.detach()
            driver.cuCtxPopCurrent()

    def _allocate(self, size: int) -> Any:
        try:
            return self.cuda.mem_alloc(size)
        except self.cuda.MemoryError:
            torch = sys.modules.get("torch")
            if torch is None or not torch.cuda.is_initialized():
                raise
            torch.cuda.empty_cache()  # torch keeps what its tensors no longer need
            return self.cuda.mem_alloc(size)

    def _free_scratch(self) -> None:
        self.generation += 1
        if self._scratch is not None:
            self._scratch.free()
        self._scratch, self._scratch_size = None, 0

    def _free_pinned(self) -> None:
        if self._pinned is not None:
            self._pinned.base.free()
        self._pinned = None


_shared: list[Device] = []
_sharing = RLock()


def take_device() -> Device:
    """The card, made at the first call; each call is to be followed by one of `give_back`.

    Raises:
        ExecutorError: CUDA cannot start.
    """
    with _sharing:
        if not _shared:
            _shared.append(Device())
        _shared[0].users += 1
        return _shared[0]


def give_back(device: Device) -> None:
    """Close the card after its last user."""
    with _sharing:
        device.users -= 1
        if device.users == 0:
            _shared.remove(device)
            device.close()
