"""The torch executor with CUDA: graphs, precision, memory, threads. All else is in test_torch_executor.py."""

import logging

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'hdrnodes[train]'")
from torch_material import NETWORKS, NO_CACHE, batch_of, plate, stops

from hdrnodes import networks
from hdrnodes.runtime import Runtime, Settings
from hdrnodes.runtime.torch import Torch, TorchOnGpu

why_not = TorchOnGpu.why_not()
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(why_not is not None, reason=f"needs a GPU: {why_not}"),
    pytest.mark.skipif("default/dequantize" not in NETWORKS, reason="engines/ has no model default"),
]
OF_DEFAULT = [name.removeprefix("default/") for name in NETWORKS if name.startswith("default/")]


def on_a_gpu(name, settings=NO_CACHE):
    """A network of `default` there, and its inputs."""
    network = NETWORKS[f"default/{name}"]
    inputs = {key: each.numpy() for key, each in zip(network.inputs, batch_of(networks.load(network)), strict=True)}
    return TorchOnGpu(network, settings), inputs


@pytest.mark.parametrize("name", OF_DEFAULT)
def test_graphs_answer_what_kernels_one_by_one_answer(name, caplog):
    executor, inputs = on_a_gpu(name)
    with caplog.at_level(logging.WARNING, "hdrnodes"):
        one_by_one, recorded, again = (executor.run(**inputs) for _ in range(3))
    assert len(executor._buckets) == 1 and not caplog.messages
    np.testing.assert_array_equal(one_by_one, recorded)
    np.testing.assert_array_equal(recorded, again)
    other = {key: np.ascontiguousarray(each[::-1]) for key, each in inputs.items()}
    np.testing.assert_allclose(executor.run(**other), recorded[::-1], rtol=1e-3, atol=1e-3 * np.abs(recorded).max())


@pytest.mark.parametrize("name", OF_DEFAULT)
def test_float32_is_the_cpus_and_fp16_a_hundredth_of_a_stop_away(name):
    exact, inputs = on_a_gpu(name, Settings(precision="float32", cache=None))
    cpu = Torch(NETWORKS[f"default/{name}"], NO_CACHE).run(**inputs)
    np.testing.assert_allclose(exact.run(**inputs), cpu, rtol=1e-3, atol=1e-4 * np.abs(cpu).max())
    half, _ = on_a_gpu(name)
    assert np.sqrt(np.mean((stops(half.run(**inputs)) - stops(cpu)) ** 2)) < 0.01


def test_tensors_stay_there_and_the_host_waits_for_nothing():
    executor, inputs = on_a_gpu("dequantize")
    arrays = executor.run(**inputs)
    there = {key: torch.from_numpy(each).cuda() for key, each in inputs.items()}
    executor.run(**there)  # recorded now
    torch.cuda.set_sync_debug_mode("error")
    try:
        answer = executor.run(**there)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert answer.is_cuda
    executor.run(**{key: torch.zeros_like(each) for key, each in there.items()})
    np.testing.assert_array_equal(answer.cpu(), arrays)


def test_two_hundred_frames_of_changing_size_keep_to_their_memory(monkeypatch):
    executor, _ = on_a_gpu("dequantize")
    executor._arena.clear()
    monkeypatch.setattr(executor._arena, "_most", 2**30)
    random, reserved = np.random.default_rng(1), []
    for _ in range(200):
        height, width = (int(each) for each in random.integers(64, 1024, 2))
        frame = random.random((1, 3, height, width), np.float32)
        for _ in range(2):  # the second time makes a graph
            answer = executor.run(codes=frame)
        assert answer.shape == frame.shape
        assert len(executor._buckets) <= 8
        reserved.append(torch.cuda.memory_reserved())
    assert max(reserved) < 3 * 2**30
    executor._arena.clear()
    assert torch.cuda.memory_reserved() < 0.2 * max(reserved)


def test_out_of_memory_is_a_memory_error_and_leaves_the_memory_to_smaller_tiles():
    executor, inputs = on_a_gpu("dequantize")
    expected = executor.run(**inputs)
    free = torch.cuda.mem_get_info()[0]
    taken = torch.empty(free - 2**30, dtype=torch.uint8, device="cuda")
    with pytest.raises(MemoryError):
        executor.run(codes=torch.zeros(1, 3, 8192, 8192, device="cpu").numpy())
    np.testing.assert_array_equal(executor.run(**inputs), expected)
    del taken
    torch.cuda.empty_cache()


def test_what_cannot_be_recorded_runs_one_by_one_and_is_said_once(caplog, monkeypatch):
    executor, inputs = on_a_gpu("refine")
    network = executor._network
    monkeypatch.setattr(executor._arena, "_failed", False)
    executor._buckets = executor._arena.buckets(lambda *given: network(*given) * float(given[0].new_ones(1).cpu()))
    expected = [executor.run(**inputs) for _ in range(3)]
    assert all(np.array_equal(each, expected[0]) for each in expected)
    assert ["no CUDA graphs here" in message for message in caplog.messages] == [True]
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


def test_threads_and_streams_take_turns():
    from concurrent.futures import ThreadPoolExecutor

    executor, inputs = on_a_gpu("hallucinate")
    there = [
        {key: torch.from_numpy(each * scale).cuda() for key, each in inputs.items()} for scale in np.float32([1, 0.5])
    ]
    expected = [executor.run(**given).clone() for given in there]
    torch.cuda.synchronize()

    def work(number):
        with torch.cuda.stream(torch.cuda.Stream()):
            answers = [executor.run(**there[number % 2]) for _ in range(20)]
            torch.cuda.current_stream().synchronize()
        return all(torch.equal(answer, expected[number % 2]) for answer in answers)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(8)))


def test_a_plate_goes_up_as_codes_and_comes_down_as_half():
    import hdrnodes
    from hdrnodes import transfer
    from hdrnodes.nodes.base import Context

    codes = plate()
    whole = hdrnodes.Image.from_array(codes).to_device("cuda")
    np.testing.assert_array_equal(whole.to_host().pixels, codes.astype(np.float32) / np.float32(255))
    made = {}
    for name, precision in [("openvino", "float32"), ("torch", "float32"), ("torch", "fp16")]:
        context = Context(runtime=Runtime(name, settings=Settings(precision=precision, cache=None)))
        image = hdrnodes.reconstruct(hdrnodes.Image.from_array(codes, context.device_of_networks()), context=context)
        made[name, precision] = image.pixels if image.device is None else transfer.halves(image.pixels)[0]
    outside = codes.max(axis=2) < 250
    for key in [("torch", "float32"), ("torch", "fp16")]:
        difference = stops(made[key]) - stops(made["openvino", "float32"])
        assert np.sqrt(np.mean(difference[outside] ** 2)) < 0.01, key
