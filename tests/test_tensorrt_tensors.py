"""The tensorrt executor given tensors of the card, which is not there: read and written where they are."""

import sys
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import pytest
from small_networks import answers, inputs

from hdrnodes.runtime.tensorrt.executor import TensorRT


class CardTensor:
    """As much of a torch tensor on the card as the executor looks at."""

    is_cuda = True

    def __init__(self, world, shape):
        self.world, self.shape, self.size = world, tuple(shape), int(np.prod(shape)) * 4
        with world_current(world):
            self.address = world.allocate(self.size)

    def detach(self):
        return self

    contiguous = detach

    def data_ptr(self):
        return self.address

    @property
    def array(self):
        return self.world.at(self.address, self.size).view(np.float32).reshape(self.shape)


@contextmanager
def world_current(world):
    """As torch has its context current all the time."""
    world.stack.append("torch")
    yield
    world.stack.remove("torch")


@pytest.fixture
def torch(world, monkeypatch):
    """As much of torch as the executor uses; says who waits for whom."""

    class Stream:
        def __init__(self, handle, device=None):
            self.name = "torch's stream" if handle is None else "the executor's"

        def wait_stream(self, other):
            world.did(f"{self.name} waits for {other.name}")

    def as_tensor(given, dtype, device):
        assert (dtype, device) == ("float32", ("cuda", 0))
        if isinstance(given, CardTensor):
            return given
        tensor = CardTensor(world, given.shape)
        tensor.array[:] = given
        return tensor

    module = ModuleType("torch")
    module.float32, module.device, module.as_tensor = "float32", lambda *which: which, as_tensor
    module.empty = lambda shape, dtype, device: CardTensor(world, shape)
    module.cuda = ModuleType("torch.cuda")
    module.cuda.current_stream, module.cuda.ExternalStream = lambda device: Stream(None), Stream
    module.cuda.is_initialized, module.cuda.empty_cache = lambda: True, lambda: None
    monkeypatch.setitem(sys.modules, "torch", module)
    yield module
    world.allocations.clear()  # the tensors' own


def test_tensors_are_read_and_written_where_they_are(world, torch, small_networks, settings):
    executor = TensorRT(small_networks["hallucinate"], settings)
    given = inputs(6, 10, tiles=2)
    linear = CardTensor(world, given["linear"].shape)
    linear.array[:] = given["linear"]
    for _ in range(2):
        before = len(world.events)
        answer = executor.run(linear=linear, window=given["window"])
        assert isinstance(answer, CardTensor) and answer.shape == linear.shape
        did = world.events[before:]
        first = did.index("the executor's waits for torch's stream")
        assert first < did.index("enqueued") < did.index("torch's stream waits for the executor's")
        with executor._device.current():
            executor._device.stream.synchronize()
        assert np.array_equal(answer.array, answers(small_networks, given))
        assert not world.pinned, "nothing passes the host"
    executor.close()
    assert world.count("memory freed") == 1, "the scratch memory; tensors are torch's to free"


def test_tensors_that_stay_where_they_are_are_run_by_a_graph(world, torch, small_networks, settings):
    executor = TensorRT(small_networks["refine"], settings)
    linear, answer = (CardTensor(world, (1, 3, 4, 4)) for _ in range(2))
    torch.empty = lambda shape, dtype, device: answer  # torch's memory comes round again
    for value in (1, 2, 3):
        linear.array[:] = value
        assert executor.run(linear=linear) is answer
        with executor._device.current():
            executor._device.stream.synchronize()
        assert (answer.array == 2 * value).all()
    assert world.count("graph made") == 1 and world.count("graph launched") == 2
    linear = CardTensor(world, (1, 3, 4, 4))
    linear.array[:] = 5
    executor.run(linear=linear)
    with executor._device.current():
        executor._device.stream.synchronize()
    assert (answer.array == 10).all() and world.count("graph freed") == 1
    executor.close()
