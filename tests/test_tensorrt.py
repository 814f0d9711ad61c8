"""The tensorrt executor's book-keeping, on a card that is not there (fake_cuda, fake_tensorrt): what it makes, shares,
frees, and in which order. Its plans are in test_tensorrt_plans.py, and tensors of the card in test_tensorrt_tensors.py.

What a real card does is in test_tensorrt_gpu.py, and real plans in test_tensorrt_build.py.
"""

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import fake_tensorrt
import numpy as np
import pytest
from small_networks import answers, inputs

from hdrnodes.errors import ExecutorError
from hdrnodes.runtime.tensorrt.engine import KEPT
from hdrnodes.runtime.tensorrt.executor import TensorRT


@pytest.fixture
def opened(world, small_networks, settings):
    """An executor of "hallucinate"."""
    executor = TensorRT(small_networks["hallucinate"], settings)
    yield executor
    executor.close()


def test_answers_are_openvinos_at_any_size_and_again_from_a_cuda_graph(opened, world, small_networks):
    for size in [(8, 12), (31, 17), (1, 1), (8, 12, 3)]:
        for seed in range(3):
            given = inputs(*size, seed=seed)
            assert np.array_equal(opened.run(**given), answers(small_networks, given))
    assert world.count("graph made") == 4
    assert world.count("graph launched") == 8  # of three runs of each size the second and the third


def test_an_answer_is_not_written_over_by_the_next(opened):
    first = opened.run(**inputs(8, 8, seed=1))
    kept = first.copy()
    opened.run(**inputs(8, 8, seed=2))
    assert np.array_equal(first, kept)


def test_takes_views_that_repeat_one_row(opened, small_networks):
    given = inputs(4, 5, tiles=3)
    given["window"] = np.broadcast_to(given["window"][:1], (3, 4))
    assert np.array_equal(opened.run(**given), answers(small_networks, given))


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


def test_memory_is_of_the_size_of_the_largest_stage_and_not_of_all(world, small_networks, settings):
    stages = [TensorRT(small_networks[name], settings) for name in ("hallucinate", "refine", "refine")]
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


def test_memory_that_grows_takes_the_graphs_with_it(opened, world, small_networks):
    small, large = inputs(4, 4), inputs(40, 40)
    for _ in range(3):
        opened.run(**small)
    opened.run(**large)
    launched = world.count("graph launched")
    assert np.array_equal(opened.run(**small), answers(small_networks, small))
    assert world.count("graph launched") == launched, "the graph had the old addresses"
    assert np.array_equal(opened.run(**small), answers(small_networks, small))
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


def test_what_is_collected_is_freed_and_the_card_can_be_had_again(world, small_networks, settings):
    for _ in range(2):
        executor = TensorRT(small_networks["refine"], settings)
        executor.run(linear=inputs(4, 4)["linear"])
        del executor
        gc.collect()
        assert world.events[-1] == "context released"


def test_what_is_collected_in_the_middle_of_anothers_work_is_freed_afterwards(opened, world, small_networks, settings):
    other = TensorRT(small_networks["refine"], settings)
    other.run(linear=inputs(4, 4)["linear"])
    with opened._device.current():
        other.close()
        assert world.count("engine freed") == 0
    assert world.count("engine freed") == 1


def test_what_is_collected_by_another_thread_is_freed(opened, world, small_networks, settings):
    other = TensorRT(small_networks["refine"], settings)
    thread = threading.Thread(target=other.close)
    thread.start()
    thread.join()
    assert world.count("engine freed") == 1


def test_the_last_one_may_be_closed_in_another_thread(world, small_networks, settings):
    executor = TensorRT(small_networks["refine"], settings)
    thread = threading.Thread(target=executor.close)
    thread.start()
    thread.join()
    assert world.events[-1] == "context released"


def test_threads_take_turns(opened, small_networks):
    given = [inputs(6, 6, seed=seed) for seed in range(4)]
    due = [answers(small_networks, each) for each in given]
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


def test_the_interpreters_exit_frees_everything_in_order(tmp_path, small_networks):
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
    command = [sys.executable, script, small_networks["refine"].model_dump_json()]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ran.returncode == 0 and "Error" not in ran.stderr, ran.stderr
    events = ran.stdout.strip().split(",")
    each = ["graph freed", "execution context freed", "engine freed", "runtime freed"]
    assert events[-12:] == [*each, *each, "memory freed", "pinned freed", "stream freed", "context released"]


def test_a_network_that_fails_leaves_no_context_current_and_runs_again(opened, world, small_networks):
    given = inputs(4, 4)
    world.fails.add("execute")
    with pytest.raises(ExecutorError, match="hallucinate.onnx: TensorRT cannot run it"):
        opened.run(**given)
    assert not world.stack
    world.fails.clear()
    assert np.array_equal(opened.run(**given), answers(small_networks, given))


def test_too_little_memory_is_a_memory_error_and_smaller_tiles_then_run(opened, world, small_networks):
    opened.run(**inputs(16, 16))
    world.total = world.used + 1000
    with pytest.raises(MemoryError, match="out of memory"):
        opened.run(**inputs(200, 200))
    assert not world.stack and not world.used
    given = inputs(16, 16)
    assert np.array_equal(opened.run(**given), answers(small_networks, given))


def test_what_torch_keeps_for_later_is_asked_for_before_giving_up(opened, world, monkeypatch):
    class Torch:
        class cuda:
            is_initialized = staticmethod(lambda: True)
            empty_cache = staticmethod(lambda: (world.did("torch emptied"), world.fails.clear()))

    monkeypatch.setitem(sys.modules, "torch", Torch)
    world.fails.add("mem_alloc")
    opened.run(**inputs(4, 4))
    assert world.count("torch emptied") == 1


def test_without_cuda_graphs_it_runs_on(opened, world, small_networks):
    world.fails.add("capture")
    given = inputs(4, 4)
    for _ in range(3):
        assert np.array_equal(opened.run(**given), answers(small_networks, given))
    assert world.count("graph launched") == 0 and world.count("enqueued") == 3


def test_a_capture_that_fails_in_the_middle_leaves_the_stream_usable(opened, world, small_networks, monkeypatch):
    given = inputs(4, 4)
    opened.run(**given)
    original = fake_tensorrt.ExecutionContext.execute_async_v3

    def refuses_captures(self, stream):
        return world.streams[stream].captured is None and original(self, stream)

    monkeypatch.setattr(fake_tensorrt.ExecutionContext, "execute_async_v3", refuses_captures)
    assert np.array_equal(opened.run(**given), answers(small_networks, given))
    assert world.graphs == 0


def test_frames_that_no_profile_holds(opened, small_networks, world, settings):
    with pytest.raises(MemoryError, match=r"linear may have the shape .*4096"):
        opened.run(linear=np.zeros((1, 3, 1, 5000), np.float32), window=np.zeros((1, 4), np.float32))
    with pytest.raises(ExecutorError, match="does not take the shapes"):
        opened.run(linear=np.zeros((1, 4, 8, 8), np.float32)[:, :2], window=np.zeros((1, 4), np.float32))
    whole = small_networks["refine"].model_copy(update={"name": "refine_overview"})
    overview = TensorRT(whole, settings)
    with pytest.raises(ExecutorError, match="at the most"):  # smaller tiles would not help
        overview.run(linear=np.zeros((1, 3, 1, 5000), np.float32))
    overview.close()


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


def test_takes_batches_of_networks_that_do(opened, small_networks, settings):
    assert opened.most_tiles == 1
    batched = TensorRT(small_networks["refine"].model_copy(update={"batched": True}), settings)
    assert batched.most_tiles == 16
    tiles = inputs(3, 4, tiles=16)["linear"]
    assert np.array_equal(batched.run(linear=tiles), tiles * 2)
    batched.close()
