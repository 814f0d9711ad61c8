"""The tensorrt executor's book-keeping, on a card that is not there (fake_cuda, fake_tensorrt): what it makes, shares,
frees, and in which order.

What a real card does is in test_tensorrt_gpu.py, and real plans in test_tensorrt_build.py.
"""

import gc
import hashlib
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import fake_cuda
import fake_tensorrt
import numpy as np
import pytest
from cli import hdrnodes

from hdrnodes.errors import ExecutorError, ModelError
from hdrnodes.models import Network
from hdrnodes.runtime import Settings
from hdrnodes.runtime.executor import Executor
from hdrnodes.runtime.kept import kept
from hdrnodes.runtime.openvino import OpenVINO
from hdrnodes.runtime.tensorrt import device as device_module
from hdrnodes.runtime.tensorrt import executor as executor_module
from hdrnodes.runtime.tensorrt import library
from hdrnodes.runtime.tensorrt.engine import KEPT
from hdrnodes.runtime.tensorrt.executor import TensorRT
from hdrnodes.runtime.tensorrt.profiles import FRAMES, WHOLE_FRAME, profile_for, profiles_of, range_of


@pytest.fixture
def world(monkeypatch):
    """A card, and TensorRT for it; at the end nothing of either may be left."""
    world = fake_cuda.World()
    fake_cuda.install(world, lambda name, module: monkeypatch.setitem(sys.modules, name, module))
    monkeypatch.setitem(sys.modules, "tensorrt", fake_tensorrt.tensorrt_module(world))
    monkeypatch.setattr(executor_module, "has_driver", lambda: True)
    monkeypatch.setattr(device_module, "driver_version", lambda: world.driver)
    monkeypatch.setattr(library, "_major", lambda *packages: 11)
    library.tensorrt.cache_clear()
    yield world
    gc.collect()
    library.tensorrt.cache_clear()
    assert not world.stack and not world.retained and not world.graphs
    assert not world.allocations and not world.pinned
    assert not [event for event in world.events if "leaked" in event]


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Two networks of a folder: a convolution and a window's sum on it; twice the picture."""
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'hdrnodes[train]'")
    folder = tmp_path_factory.mktemp("models") / "small"
    folder.mkdir()
    size = ["batch", 3, "height", "width"]
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 3)).astype(np.float32)
    pixels = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, size) for name in ("linear", "radiance")]
    window = onnx.helper.make_tensor_value_info("window", onnx.TensorProto.FLOAT, ["batch", 4])
    constants = [
        onnx.numpy_helper.from_array(kernel, "kernel"),
        onnx.numpy_helper.from_array(np.array([1]), "axes"),
        onnx.numpy_helper.from_array(np.array([2, 3]), "last"),
    ]
    nodes = [
        onnx.helper.make_node("Conv", ["linear", "kernel"], ["convolved"], pads=[1, 1, 1, 1]),
        onnx.helper.make_node("ReduceSum", ["window", "axes"], ["sum"]),
        onnx.helper.make_node("Unsqueeze", ["sum", "last"], ["scalar"]),
        onnx.helper.make_node("Add", ["convolved", "scalar"], ["radiance"]),
    ]
    twice = [onnx.helper.make_node("Add", ["linear", "linear"], ["radiance"])]
    made = {
        "hallucinate": onnx.helper.make_graph(nodes, "h", [pixels[0], window], pixels[1:], constants),
        "refine": onnx.helper.make_graph(twice, "r", pixels[:1], pixels[1:]),
    }
    return {name: save(folder, name, graph) for name, graph in made.items()}


def save(folder, name, graph):
    import onnx

    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    data = model.SerializeToString()
    (folder / f"{name}.onnx").write_bytes(data)
    return Network(
        name=name,
        architecture="none",
        folder=folder,
        inputs=[each.name for each in graph.input],
        output="radiance",
        onnx=f"{name}.onnx",
        onnx_sha256=hashlib.sha256(data).hexdigest(),
        safetensors="none.safetensors",
        safetensors_sha256="0" * 64,
    )


@pytest.fixture
def settings(tmp_path):
    return Settings(precision="float32", cache=tmp_path)


@pytest.fixture
def opened(world, networks, settings):
    """An executor of "hallucinate"."""
    executor = TensorRT(networks["hallucinate"], settings)
    yield executor
    executor.close()


def inputs(height, width, tiles=1, seed=0):
    random = np.random.default_rng(seed)
    return {
        "linear": random.random((tiles, 3, height, width), np.float32),
        "window": random.random((tiles, 4), np.float32),
    }


def answers(networks, given):
    return OpenVINO(networks["hallucinate"], Settings(cache=None)).run(**given)


def test_answers_are_openvinos_at_any_size_and_again_from_a_cuda_graph(opened, world, networks):
    for size in [(8, 12), (31, 17), (1, 1), (8, 12, 3)]:
        for seed in range(3):
            given = inputs(*size, seed=seed)
            assert np.array_equal(opened.run(**given), answers(networks, given))
    assert world.count("graph made") == 4
    assert world.count("graph launched") == 8  # of three runs of each size the second and the third


def test_an_answer_is_not_written_over_by_the_next(opened):
    first = opened.run(**inputs(8, 8, seed=1))
    kept = first.copy()
    opened.run(**inputs(8, 8, seed=2))
    assert np.array_equal(first, kept)


def test_takes_views_that_repeat_one_row(opened, networks):
    given = inputs(4, 5, tiles=3)
    given["window"] = np.broadcast_to(given["window"][:1], (3, 4))
    assert np.array_equal(opened.run(**given), answers(networks, given))


@pytest.mark.slow
def test_a_thousand_frames_of_changing_size_leave_nothing_behind(opened, world):
    sizes = [(height, width) for height in (2, 8, 5) for width in (3, 16, 7, 9)]
    assert len(sizes) > KEPT
    for number in range(1000):
        opened.run(**inputs(*sizes[number * number % len(sizes) if number % 3 else number % 4]))
        assert len(world.allocations) == len(world.pinned) == 1
        assert world.count("execution context made") - world.count("execution context freed") <= KEPT
        assert world.graphs <= KEPT
    largest = 8 * 16
    assert world.most < largest * fake_tensorrt.PER_PIXEL + 2 * largest * 3 * 4 + 2048
    assert world.count("memory made") <= len(sizes)


def test_memory_is_of_the_size_of_the_largest_stage_and_not_of_all(world, networks, settings):
    stages = [TensorRT(networks[name], settings) for name in ("hallucinate", "refine", "refine")]
    given = inputs(64, 64)
    stages[0].run(**given)
    used = world.used
    for stage in stages[1:]:
        assert np.array_equal(stage.run(linear=given["linear"]), given["linear"] * 2)
    assert world.used == used and len(world.allocations) == 1
    stages[0].close()
    assert world.used == used, "others use it"
    stages[1].run(linear=given["linear"])
    stages[1].close()
    stages[2].close()
    assert world.used == 0


def test_memory_that_grows_takes_the_graphs_with_it(opened, world, networks):
    small, large = inputs(4, 4), inputs(40, 40)
    for _ in range(3):
        opened.run(**small)
    opened.run(**large)
    launched = world.count("graph launched")
    assert np.array_equal(opened.run(**small), answers(networks, small))
    assert world.count("graph launched") == launched, "the graph had the old addresses"
    assert np.array_equal(opened.run(**small), answers(networks, small))
    assert world.count("graph launched") == launched + 1


def test_everything_is_freed_in_the_order_that_cuda_wants(opened, world):
    for size in ((4, 4), (8, 8)):
        for _ in range(2):
            opened.run(**inputs(*size))
    before = len(world.events)
    opened.close()
    freed = world.events[before:]
    assert freed == [
        *["graph freed"] * 2,
        *["execution context freed"] * 2,
        "engine freed",
        "runtime freed",
        "memory freed",
        "pinned freed",
        "stream freed",
        "context released",
    ]
    opened.close()
    assert len(world.events) == before + len(freed), "a second time does nothing"


def test_what_is_collected_is_freed_and_the_card_can_be_had_again(world, networks, settings):
    for _ in range(2):
        executor = TensorRT(networks["refine"], settings)
        executor.run(linear=inputs(4, 4)["linear"])
        del executor
        gc.collect()
        assert world.events[-1] == "context released"


def test_what_is_collected_in_the_middle_of_anothers_work_is_freed_afterwards(opened, world, networks, settings):
    other = TensorRT(networks["refine"], settings)
    other.run(linear=inputs(4, 4)["linear"])
    with opened._device.current():
        other.close()
        assert world.count("engine freed") == 0
    assert world.count("engine freed") == 1


def test_what_is_collected_by_another_thread_is_freed(opened, world, networks, settings):
    other = TensorRT(networks["refine"], settings)
    thread = threading.Thread(target=other.close)
    thread.start()
    thread.join()
    assert world.count("engine freed") == 1


def test_the_last_one_may_be_closed_in_another_thread(world, networks, settings):
    executor = TensorRT(networks["refine"], settings)
    thread = threading.Thread(target=executor.close)
    thread.start()
    thread.join()
    assert world.events[-1] == "context released"


def test_threads_take_turns(opened, networks):
    given = [inputs(6, 6, seed=seed) for seed in range(4)]
    due = [answers(networks, each) for each in given]
    wrong = []

    def work(index):
        for _ in range(5):
            if not np.array_equal(opened.run(**given[index]), due[index]):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_interpreters_exit_frees_everything_in_order(tmp_path, networks):
    script = tmp_path / "script.py"
    script.write_text(
        "import atexit, sys\n"
        "events = []\n"
        "atexit.register(lambda: print(*events, sep=','))\n"  # the first to be registered is the last to be called
        "import fake_cuda, fake_tensorrt\n"
        "world = fake_cuda.World()\n"
        "world.events = events\n"
        "fake_cuda.install(world, sys.modules.__setitem__)\n"
        "sys.modules['tensorrt'] = fake_tensorrt.tensorrt_module(world)\n"
        "from hdrnodes.models import Network\n"
        "from hdrnodes.runtime import Settings\n"
        "from hdrnodes.runtime.tensorrt.executor import TensorRT\n"
        "import numpy as np\n"
        "network = Network.model_validate_json(sys.argv[1])\n"
        "executors = [TensorRT(network, Settings(precision='float32', cache=None)) for _ in range(2)]\n"
        "for executor in executors * 2:\n"
        "    executor.run(linear=np.zeros((1, 3, 4, 4), np.float32))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, script, networks["refine"].model_dump_json()]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ran.returncode == 0 and "Error" not in ran.stderr, ran.stderr
    events = ran.stdout.strip().split(",")
    each = ["graph freed", "execution context freed", "engine freed", "runtime freed"]
    assert events[-12:] == [*each, *each, "memory freed", "pinned freed", "stream freed", "context released"]


def test_a_network_that_fails_leaves_no_context_current_and_runs_again(opened, world, networks):
    given = inputs(4, 4)
    world.fails.add("execute")
    with pytest.raises(ExecutorError, match="hallucinate.onnx: TensorRT cannot run it"):
        opened.run(**given)
    assert not world.stack
    world.fails.clear()
    assert np.array_equal(opened.run(**given), answers(networks, given))


def test_too_little_memory_is_a_memory_error_and_smaller_tiles_then_run(opened, world, networks):
    opened.run(**inputs(16, 16))
    world.total = world.used + 1000
    with pytest.raises(MemoryError, match="out of memory"):
        opened.run(**inputs(200, 200))
    assert not world.stack and not world.used
    given = inputs(16, 16)
    assert np.array_equal(opened.run(**given), answers(networks, given))


def test_what_torch_keeps_for_later_is_asked_for_before_giving_up(opened, world, monkeypatch):
    class Torch:
        class cuda:
            is_initialized = staticmethod(lambda: True)
            empty_cache = staticmethod(lambda: (world.did("torch emptied"), world.fails.clear()))

    monkeypatch.setitem(sys.modules, "torch", Torch)
    world.fails.add("mem_alloc")
    opened.run(**inputs(4, 4))
    assert world.count("torch emptied") == 1


def test_without_cuda_graphs_it_runs_on(opened, world, networks):
    world.fails.add("capture")
    given = inputs(4, 4)
    for _ in range(3):
        assert np.array_equal(opened.run(**given), answers(networks, given))
    assert world.count("graph launched") == 0 and world.count("enqueued") == 3


def test_a_capture_that_fails_in_the_middle_leaves_the_stream_usable(opened, world, networks, monkeypatch):
    given = inputs(4, 4)
    opened.run(**given)
    original = fake_tensorrt.ExecutionContext.execute_async_v3

    def refuses_captures(self, stream):
        return world.streams[stream].captured is None and original(self, stream)

    monkeypatch.setattr(fake_tensorrt.ExecutionContext, "execute_async_v3", refuses_captures)
    assert np.array_equal(opened.run(**given), answers(networks, given))
    assert world.graphs == 0


def test_frames_that_no_profile_holds(opened, networks, world, settings):
    with pytest.raises(MemoryError, match=r"linear may have the shape .*4096"):
        opened.run(linear=np.zeros((1, 3, 1, 5000), np.float32), window=np.zeros((1, 4), np.float32))
    with pytest.raises(ExecutorError, match="does not take the shapes"):
        opened.run(linear=np.zeros((1, 4, 8, 8), np.float32)[:, :2], window=np.zeros((1, 4), np.float32))
    whole = networks["refine"].model_copy(update={"name": "refine_overview"})
    overview = TensorRT(whole, settings)
    with pytest.raises(ExecutorError, match="at the most"):  # smaller tiles would not help
        overview.run(linear=np.zeros((1, 3, 1, 5000), np.float32))
    overview.close()


# Tensors of the card


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


def test_tensors_are_read_and_written_where_they_are(world, torch, networks, settings):
    executor = TensorRT(networks["hallucinate"], settings)
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
        assert np.array_equal(answer.array, answers(networks, given))
        assert not world.pinned, "nothing passes the host"
    executor.close()
    assert world.count("memory freed") == 1, "the scratch memory; tensors are torch's to free"


def test_tensors_that_stay_where_they_are_are_run_by_a_graph(world, torch, networks, settings):
    executor = TensorRT(networks["refine"], settings)
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


# Plans


def test_a_plan_is_built_once(world, networks, settings):
    for _ in range(2):
        TensorRT(networks["refine"], settings).close()
    assert world.count("plan built") == 1
    assert len(list(settings.cache.glob("tensorrt/small-refine-float32-SM89-*.plan"))) == 1


def test_a_damaged_plan_is_built_again(world, networks, settings):
    TensorRT(networks["refine"], settings).close()
    (plan,) = settings.cache.glob("tensorrt/*.plan")
    for damaged in (plan.read_bytes()[:-1], b"", plan.read_bytes().replace(b"onnx", b"xnno")):
        plan.write_bytes(damaged)
        before = world.count("plan built")
        executor = TensorRT(networks["refine"], settings)
        assert executor.run(linear=np.ones((1, 3, 2, 2), np.float32)).mean() == 2
        executor.close()
        assert world.count("plan built") == before + 1


def test_a_plan_that_does_not_load_is_built_again_once(world, networks, settings):
    world.fails.add("deserialize")
    with pytest.raises(ExecutorError, match=r"refine.onnx: TensorRT cannot load what it built of it"):
        TensorRT(networks["refine"], settings)
    assert world.count("plan built") == 2
    assert world.events[-1] == "context released"


def test_a_card_that_fails_while_it_is_loaded_is_one_line_and_leaves_nothing(world, networks, settings):
    world.fails.add("configure")
    with pytest.raises(ExecutorError, match=r"refine.onnx: cannot be brought to the card: it does not say why"):
        TensorRT(networks["refine"], settings)
    assert world.events[-1] == "context released" and world.count("runtime freed") == 1


def test_plans_are_of_one_driver_and_card(world, networks, settings):
    for _ in range(2):
        TensorRT(networks["refine"], settings).close()
    world.driver = "580.82.07"  # of the same CUDA
    TensorRT(networks["refine"], settings).close()
    world.capability = (12, 0)
    TensorRT(networks["refine"], settings).close()
    assert world.count("plan built") == 3


def test_no_plan_is_kept_of_a_driver_that_nobody_knows(world, networks, settings, caplog):
    world.driver = None
    for _ in range(2):
        TensorRT(networks["refine"], settings).close()
    assert world.count("plan built") == 2 and not list(settings.cache.glob("tensorrt/*.plan"))
    assert "at each start, for nvidia-smi does not tell the driver's version" in caplog.text


def test_compiles_for_the_card_here_if_its_driver_is_known(world, tiny_model, tmp_path):
    world.driver = None
    ran = hdrnodes("compile", "--model", tiny_model, "-o", tmp_path)
    assert ran.exit_code == 1 and ran.stderr.count("nvidia-smi does not tell the driver's version; have it on") == 4
    world.driver = "580.65.06"
    ran = hdrnodes("compile", "--model", tiny_model, "-o", tmp_path, "--json")
    assert ran.exit_code == 0 and len(list(tmp_path.glob("tensorrt/*.plan"))) == 4


def test_plans_that_nobody_uses_go(world, networks, settings):
    TensorRT(networks["refine"], settings).close()
    (old,) = settings.cache.glob("tensorrt/*.plan")
    os.utime(old, times=(time.time() - 90 * 86_400,) * 2)
    TensorRT(networks["hallucinate"], settings).close()
    assert not old.exists()


def test_a_plan_in_use_stays(world, networks, settings):
    TensorRT(networks["refine"], settings).close()
    (plan,) = settings.cache.glob("tensorrt/*.plan")
    os.utime(plan, times=(time.time() - 90 * 86_400,) * 2)
    TensorRT(networks["refine"], settings).close()
    TensorRT(networks["hallucinate"], settings).close()
    assert plan.exists()


def test_what_was_timed_is_kept(world, networks, settings):
    for name in ("refine", "hallucinate"):
        TensorRT(networks[name], settings).close()
    (timing,) = settings.cache.glob("tensorrt/*.timing")
    assert kept(timing) == b"timed;timed;"


def test_no_folder_for_plans(world, networks, tmp_path, caplog):
    (tmp_path / "tensorrt").write_text("no folder")
    with caplog.at_level(logging.WARNING):
        TensorRT(networks["refine"], Settings(precision="float32", cache=tmp_path)).close()
    assert "tensorrt" in caplog.text
    TensorRT(networks["refine"], Settings(precision="float32", cache=None)).close()


def test_a_network_that_cannot_be_built(world, networks, settings):
    world.fails.add("build")
    with pytest.raises(ExecutorError, match=r"refine.onnx: TensorRT 11.4.0.106 cannot build it"):
        TensorRT(networks["refine"], settings)
    assert world.events[-1] == "context released"


def test_another_networks_file(world, networks, settings):
    described = networks["refine"].model_copy(update={"inputs": ("linear", "context")})
    with pytest.raises(ModelError, match="is from linear to radiance, where model.toml has linear, context"):
        TensorRT(described, settings)


def test_bf16_is_refused(world, networks):
    with pytest.raises(ExecutorError, match="no bf16"):
        TensorRT(networks["refine"], Settings(precision="bf16"))


# What the runtime asks it for


def test_tells_how_much_memory_is_free(opened, world):
    assert TensorRT.free_memory() == world.total
    opened.run(**inputs(64, 64))
    assert TensorRT.free_memory() == world.total, "its own is to be had again"
    world.allocations[0] = bytes(1000)
    assert TensorRT.free_memory() == world.total - 1000
    del world.allocations[0]


def test_without_a_card_no_memory_is_told(world):
    world.fails.add("init")
    assert TensorRT.free_memory() is None


def test_takes_batches_of_networks_that_do(opened, networks, settings):
    assert opened.most_tiles == 1
    batched = TensorRT(networks["refine"].model_copy(update={"batched": True}), settings)
    assert batched.most_tiles == 16
    tiles = inputs(3, 4, tiles=16)["linear"]
    assert np.array_equal(batched.run(linear=tiles), tiles * 2)
    batched.close()


# TensorRT-RTX


@pytest.fixture
def rtx(world, monkeypatch):
    """TensorRT-RTX in place of TensorRT."""
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", fake_tensorrt.tensorrt_rtx_module(world))
    missing(monkeypatch, "tensorrt")
    library.tensorrt.cache_clear()
    library.tensorrt_rtx.cache_clear()
    yield
    library.tensorrt_rtx.cache_clear()


def test_tensorrt_rtx_keeps_the_kernels_that_it_finished_here(world, rtx, networks, settings):
    for _ in range(2):
        executor = TensorRT(networks["hallucinate"], settings)
        given = inputs(5, 7)
        for _ in range(3):
            assert np.array_equal(executor.run(**given), answers(networks, given))
        executor.close()
    assert world.count("plan built") == 1 and world.count("graph launched") == 4
    (plan,) = settings.cache.glob("tensorrt/*.plan")
    assert kept(plan.with_suffix(".jit")) == b"kernels;kernels;"
    world.driver = None  # of TensorRT-RTX a plan is for any driver
    TensorRT(networks["hallucinate"], settings).close()
    assert world.count("plan built") == 1


def test_tensorrt_rtx_says_what_no_graph_can_be_made_of(world, rtx, networks, settings):
    world.fails.add("capturable")
    executor = TensorRT(networks["refine"], settings)
    for _ in range(3):
        executor.run(linear=inputs(4, 4)["linear"])
    executor.close()
    assert world.count("graph made") == 0 and world.count("enqueued") == 3


# Whether it can run


def missing(monkeypatch, *names):
    from importlib.util import find_spec

    for module in (executor_module, library):
        monkeypatch.setattr(module, "find_spec", lambda name: None if name in names else find_spec(name))


RTX = ("tensorrt_rtx", "tensorrt_rtx_bindings", "tensorrt_rtx_libs")


def test_why_not(world, monkeypatch):
    assert issubclass(TensorRT, Executor) and TensorRT.why_not() is None
    world.capability = (6, 1)
    assert "SM61" in TensorRT.why_not() and "SM75" in TensorRT.why_not()
    world.fails.add("init")
    assert "CUDA cannot start: cuInit failed" in TensorRT.why_not()
    missing(monkeypatch, "pycuda", "cuda.bindings")
    assert "pip install pycuda cuda-bindings" in TensorRT.why_not()
    missing(monkeypatch, "tensorrt", *RTX)
    assert "pip install tensorrt" in TensorRT.why_not() and "tensorrt-rtx-cu13-libs" in TensorRT.why_not()
    monkeypatch.setattr(executor_module, "has_driver", lambda: False)
    assert TensorRT.why_not() == "no NVIDIA driver here"


def test_tensorrt_rtx_has_nothing_for_data_centres(world, monkeypatch):
    missing(monkeypatch, "tensorrt")
    for name in RTX[1:]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(library, "find_spec", lambda name: ModuleSpec(name, None) if name in RTX else None)
    assert TensorRT.why_not() is None
    world.capability = (9, 0)
    assert "nothing for SM90" in TensorRT.why_not() and "torch" in TensorRT.why_not()


def test_an_old_tensorrt(world, monkeypatch):
    missing(monkeypatch, *RTX)
    monkeypatch.setattr(library, "_major", lambda *packages: 10)
    assert TensorRT.why_not() == "TensorRT 10 is too old; pip install 'tensorrt>=11'"


def test_importing_hdrnodes_imports_nothing_of_cuda():
    code = "import sys, hdrnodes.builtins as b; b.register_executors(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pycuda", "cuda", "tensorrt", "tensorrt_rtx_bindings", "torch"} & set(modules)


# Profiles


def test_ranges():
    assert range_of(FRAMES[1], "linear", (-1, 3, -1, -1)) == ((1, 3, 1, 1), (1, 3, 1080, 1920), (1, 3, 2048, 2048))
    assert range_of(FRAMES[3], "window", (-1, 4)) == ((1, 4), (4, 4), (16, 4))
    assert range_of(FRAMES[0], "context", (-1, 16, -1, -1))[2] == (1, 16, 1024, 1024)
    assert range_of(FRAMES[0], "curve", (1, 1024)) is None


def test_networks_that_see_the_whole_frame_have_profiles_of_their_own(networks):
    wanted = {"hallucinate": FRAMES, "hallucinate_overview": WHOLE_FRAME, "linearize": WHOLE_FRAME}
    named = {name: networks["hallucinate"].model_copy(update={"name": name}) for name in wanted}
    assert {name: profiles_of(network) for name, network in named.items()} == wanted


@pytest.mark.parametrize(
    ("shape", "profile"),
    [
        ((1, 3, 1, 1), "preview"),
        ((1, 3, 1080, 1920), "HD"),
        ((1, 3, 1920, 1080), "HD"),
        ((1, 3, 2160, 3840), "UHD"),
        ((2, 3, 64, 64), "tiles"),
        ((16, 3, 2048, 2048), "tiles"),
        ((17, 3, 64, 64), None),
        ((1, 3, 4097, 8), None),
    ],
)
def test_the_smallest_profile_that_holds_a_shape(shape, profile):
    ranges = [{"linear": range_of(each, "linear", (-1, 3, -1, -1))} for each in FRAMES]
    found = profile_for(ranges, {"linear": shape})
    assert (found if found is None else FRAMES[found].name) == profile
