"""A card that is not there: what the tensorrt executor uses of pycuda and of cuda-bindings, strict about its rules.

Work put on a stream is done when somebody waits for it, not before, so that memory freed or written to too early shows.
Every call wants the context current. What was made and freed is counted, in order, in `World.events`.
"""

import enum
import sys
import types
import weakref
from contextlib import contextmanager
from importlib.machinery import ModuleSpec

import numpy as np


class World:
    """The card, its memory, and what happened.

    Attributes:
        total: bytes of memory on the card.
        events: what was made, freed and launched, in order.
        fails: names of calls that are to fail.
    """

    def __init__(self, capability=(8, 9), total=1 << 28):
        self.capability, self.total, self.driver = capability, total, "580.65.06"
        self.events, self.fails = [], set()
        self.stack = []  # CUDA's own, of this thread
        self.allocations = {}  # address -> bytes on the card
        self.pinned = {}  # address -> PinnedAllocation
        self.streams = weakref.WeakValueDictionary()  # handle -> FakeStream
        self.graphs = 0  # alive, executable or not
        self.retained = 0
        self.most = 0  # bytes on the card at a time

    @property
    def used(self):
        return sum(len(memory) for memory in self.allocations.values())

    def did(self, what):
        self.events.append(what)

    def count(self, what):
        return self.events.count(what)

    def need_context(self):
        assert self.stack, "no context is current"

    def at(self, address, size):
        """Live memory of the card."""
        for start, memory in self.allocations.items():
            if start <= address and address + size <= start + len(memory):
                return memory[address - start :][:size]
        raise AssertionError(f"{size} bytes at {address} are not the card's, or freed")

    def allocate(self, size):
        self.need_context()
        if self.used + size > self.total or "mem_alloc" in self.fails:
            raise DriverMemoryError("cuMemAlloc failed: out of memory")
        memory = np.full(size + 512, 0xAB, np.uint8)  # what nobody wrote is no zero
        start = -memory.ctypes.data % 256
        address = memory.ctypes.data + start
        self.allocations[address] = memory[start:][:size]
        self.most = max(self.most, self.used)
        self.did("memory made")
        return address

    def free(self, address):
        assert not any(stream.waiting for stream in list(self.streams.values())), "freed while work is waiting"
        del self.allocations[address]
        self.did("memory freed")


class DriverError(Exception):
    pass


class DriverMemoryError(DriverError):
    pass


class DeviceAllocation:
    def __init__(self, world, size):
        self._world, self._address = world, world.allocate(size)

    def __int__(self):
        return self._address

    def free(self):
        if not self._world.stack:
            return self._world.did("memory leaked")  # as pycuda does: silently
        return self._world.free(self._address)


class PinnedAllocation:
    def __init__(self, world, shape, dtype):
        self._world, self._memory, self.is_live = world, np.empty(shape, dtype), True
        self.__array_interface__ = self._memory.__array_interface__
        world.pinned[self._memory.ctypes.data] = self
        world.did("pinned made")

    def holds(self, array):
        start = self._memory.ctypes.data
        return start <= array.ctypes.data and array.ctypes.data + array.nbytes <= start + self._memory.nbytes

    def free(self):
        self._world.need_context()
        self.is_live = False
        del self._world.pinned[self._memory.ctypes.data]
        self._world.did("pinned freed")


class FakeStream:
    def __init__(self, world, flags):
        world.need_context()
        assert flags == 1, "the default stream would be waited for"
        self._world, self.handle, self.waiting, self.captured = world, 1000 + len(world.streams), [], None
        world.streams[self.handle] = self
        world.did("stream made")

    def put(self, work):
        self._world.need_context()
        (self.waiting if self.captured is None else self.captured).append(work)

    def synchronize(self):
        self._world.need_context()
        assert self.captured is None, "a capture may not be waited for"
        work, self.waiting = self.waiting, []
        for each in work:
            each()

    def __del__(self):
        self._world.did("stream freed" if self._world.stack else "stream leaked")


class PrimaryContext:
    def __init__(self, world):
        self._world, self._valid = world, True
        world.retained += 1
        world.did("context retained")

    def push(self):
        assert self._valid
        self._world.stack.append(self)

    def detach(self):
        assert self._world.stack[-1:] == [self], "pycuda would not release it in another thread"
        self._valid = False
        self._world.retained -= 1
        self._world.did("context released")


def driver_module(world):
    """`pycuda.driver`."""
    cuda = types.ModuleType("pycuda.driver")

    class Device:
        def __init__(self, ordinal):
            assert ordinal == 0

        def compute_capability(self):
            return world.capability

        def name(self):
            return "A card that is not there"

        def retain_primary_context(self):
            return PrimaryContext(world)

    class Context:
        @staticmethod
        def pop():
            world.stack.pop()

    def init():
        if "init" in world.fails:
            raise DriverError("cuInit failed: no CUDA-capable device is detected")

    def pagelocked_empty(shape, dtype):
        world.need_context()
        return np.asarray(PinnedAllocation(world, shape, dtype))

    def pinned_view(array):
        assert any(each.holds(array) for each in world.pinned.values()), (
            "not pinned: the copy would not be asynchronous"
        )
        assert array.flags.c_contiguous
        return array.reshape(-1).view(np.uint8)

    def up(address, array, stream):
        host = pinned_view(array)

        def copy():
            pinned_view(array)
            world.at(address, host.nbytes)[:] = host

        stream.put(copy)

    def down(array, address, stream):
        host = pinned_view(array)

        def copy():
            pinned_view(array)
            host[:] = world.at(address, host.nbytes)

        stream.put(copy)

    cuda.Error, cuda.MemoryError = DriverError, DriverMemoryError
    cuda.init = init
    cuda.Device, cuda.Context, cuda.Stream = Device, Context, lambda flags: FakeStream(world, flags)
    cuda.mem_get_info = lambda: (world.total - world.used, world.total)
    cuda.mem_alloc, cuda.pagelocked_empty = lambda size: DeviceAllocation(world, size), pagelocked_empty
    cuda.memcpy_htod_async, cuda.memcpy_dtoh_async = up, down
    return cuda


def bindings_module(world):
    """`cuda.bindings.driver`: graphs, and the stack of contexts."""
    driver = types.ModuleType("cuda.bindings.driver")

    class Result(enum.Enum):
        CUDA_SUCCESS = 0
        CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900

    class Mode(enum.Enum):
        CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1

    good, bad = Result.CUDA_SUCCESS, Result.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED

    def begin(stream, mode):
        world.need_context()
        assert stream.captured is None
        if "capture" in world.fails:
            return (bad,)
        stream.captured = []
        return (good,)

    def end(stream):
        work, stream.captured = stream.captured, None
        world.graphs += 1
        return good, list(work)

    def instantiate(graph, flags):
        world.graphs += 1
        world.did("graph made")
        return good, {"work": list(graph)}

    def launch(executable, stream):
        world.did("graph launched")
        for work in executable["work"]:  # KeyError: it was destroyed
            stream.put(work)
        return (good,)

    def destroy(graph):
        world.graphs -= 1
        return (good,)

    def destroy_executable(executable):
        world.need_context()
        del executable["work"]
        world.graphs -= 1
        world.did("graph freed")
        return (good,)

    def pop():
        world.stack.pop()
        return good, None

    driver.CUresult, driver.CUstreamCaptureMode, driver.CUstream = Result, Mode, lambda handle: world.streams[handle]
    driver.cuStreamBeginCapture, driver.cuStreamEndCapture = begin, end
    driver.cuGraphInstantiate, driver.cuGraphLaunch = instantiate, launch
    driver.cuGraphDestroy, driver.cuGraphExecDestroy, driver.cuCtxPopCurrent = destroy, destroy_executable, pop
    return driver


def install(world, put):
    """Have `import pycuda.driver` and `from cuda.bindings import driver` find these; `put(name, module)` does it."""
    pycuda, cuda, bindings = (types.ModuleType(name) for name in ("pycuda", "cuda", "cuda.bindings"))
    pycuda.driver, cuda.bindings, bindings.driver = driver_module(world), bindings, bindings_module(world)
    for module in (pycuda, pycuda.driver, cuda, bindings, bindings.driver):
        module.__spec__ = ModuleSpec(module.__name__, None)
        module.__path__ = []
        put(module.__name__, module)


@contextmanager
def installed(world):
    """`install`, for a while."""
    before = dict(sys.modules)
    install(world, sys.modules.__setitem__)
    try:
        yield
    finally:
        for name in set(sys.modules) - set(before):
            del sys.modules[name]
        sys.modules.update(before)
