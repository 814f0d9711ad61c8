"""The torch executor: what it does on any machine, asked on the CPU; CUDA where there is a GPU."""

import logging
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'hdrnodes[train]'")
from torch.utils._python_dispatch import TorchDispatchMode

from hdrnodes import networks
from hdrnodes.errors import ExecutorError
from hdrnodes.hookspecs import hookimpl
from hdrnodes.models import Model, find_models
from hdrnodes.networks.half import half_precision
from hdrnodes.plugins import Plugins
from hdrnodes.runtime import Runtime, Settings
from hdrnodes.runtime.torch import Torch, TorchOnGpu
from hdrnodes.runtime.torch.buckets import Buckets, channels_last
from hdrnodes.runtime.torch.executor import pinned
from hdrnodes.runtime.torch.precision import exact_float32, prepared

NETWORKS = {
    f"{name}/{network.name}": network
    for name, folder in find_models().items()
    for network in Model.load(folder).networks()
}
CPU = torch.device("cpu")
NO_CACHE = Settings(cache=None)

why_no_gpu = TorchOnGpu.why_not()
on_gpu = [pytest.mark.gpu, pytest.mark.skipif(why_no_gpu is not None, reason=f"needs a GPU: {why_no_gpu}")]


def needs_gpu(test):
    for mark in on_gpu:
        test = mark(test)
    return test


each_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def batch_of(module, count=2):
    """Different inputs for each of a batch, as lies in the range of a plate."""
    torch.manual_seed(1)
    examples = module.example_inputs().values()
    return [torch.cat([each + 0.01 * torch.rand_like(each) for _ in range(count)]) for each in examples]


def noise(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


class Doubling:
    """A network that counts; and its recordings, which run it as it is."""

    def __init__(self):
        self.calls = self.recordings = 0
        self.buffers = []

    def __call__(self, picture):
        self.calls += 1
        return 2 * picture

    def record(self, buffers):
        self.recordings += 1
        self.buffers = list(buffers)
        return lambda: self(*buffers)


def test_a_shape_is_recorded_when_it_comes_again_and_then_answered_from_its_buffers():
    network = Doubling()
    buckets = Buckets(network, network.record)
    pictures = [noise(2, 3, 5, 7, seed=seed) for seed in range(4)]
    for index, picture in enumerate(pictures):
        assert torch.equal(buckets.run([picture]), 2 * picture)
        assert (network.recordings, len(buckets)) == ((0, 0) if index == 0 else (1, 1))
    assert network.calls == 4
    assert torch.equal(network.buffers[0], pictures[-1])
    assert network.buffers[0].is_contiguous(memory_format=torch.channels_last)


def test_each_shape_and_batch_has_a_bucket_of_its_own():
    network = Doubling()
    buckets = Buckets(network, network.record)
    shapes = [(1, 3, 4, 4), (2, 3, 4, 4), (1, 3, 4, 5), (1, 12)]
    for _ in range(3):
        for shape in shapes:
            picture = noise(*shape)
            assert torch.equal(buckets.run([picture]), 2 * picture)
    assert network.recordings == len(buckets) == 4


def test_the_bucket_that_was_not_asked_for_longest_goes():
    network = Doubling()
    buckets = Buckets(network, network.record, most=3)
    for size in (1, 2, 3, 1, 2, 3):
        buckets.run([noise(1, 3, size, 8)])
    assert (len(buckets), network.recordings) == (3, 3)
    buckets.run([noise(1, 3, 1, 8)])
    buckets.run([noise(1, 3, 4, 8)])  # pushes 2 out
    for size in (1, 3):
        buckets.run([noise(1, 3, size, 8)])
    assert network.recordings == 3
    for size in range(5, 205):
        for _ in range(2):
            buckets.run([noise(1, 3, size, 1)])
    assert len(buckets) == 3
    buckets.clear()
    assert len(buckets) == 0


@each_network
def test_a_network_in_a_bucket_answers_what_it_answers_alone(network):
    module = prepared(networks.load(network), "float32", CPU)
    buckets = Buckets(module, lambda buffers: lambda: module(*buffers))
    with torch.inference_mode():
        for count in (1, 2, 1, 2):
            inputs = batch_of(module, count)
            alone = torch.cat([module(*(each[at : at + 1] for each in inputs)) for at in range(count)])
            np.testing.assert_allclose(buckets.run(inputs), alone, rtol=1e-4, atol=1e-5 * float(alone.abs().max()))
    assert len(buckets) == 2


class Watching(TorchDispatchMode):
    """Remembers which operations ran."""

    def __init__(self):
        super().__init__()
        self.ran = set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        mask = any(
            isinstance(index, torch.Tensor) and index.dtype == torch.bool
            for index in (args[1] if "aten.index" in str(operation) else ())
        )
        self.ran.add("nonzero of a mask" if mask else str(operation))
        return operation(*args, **(kwargs or {}))


# Operations that make the host wait for the GPU, or that copy from memory which it may not read by itself.
NOT_RECORDABLE = ("lift_fresh", "_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero", "equal.")


def not_recordable(module, inputs):
    with torch.no_grad(), Watching() as watching:  # in inference mode, what operations are made of is not seen
        module(*inputs)
    assert len(watching.ran) > 1
    return {ran for ran in watching.ran if any(word in ran for word in NOT_RECORDABLE)}


@pytest.mark.parametrize("half", [False, True], ids=["float32", "fp16"])
@each_network
def test_a_network_does_nothing_that_a_cuda_graph_cannot_record(network, half):
    module = networks.load(network)
    assert not_recordable(half_precision(module) if half else module, batch_of(module, 1)) == set()


@pytest.mark.parametrize(
    "module",
    [
        lambda x: x * torch.tensor([2.0, 3.0]),
        lambda x: x * 2 if x.max() > 0 else x * 1,
        lambda x: x[x > 0.5] * 2,
        lambda x: x * float(x.mean()),
    ],
)
def test_what_cannot_be_recorded_is_noticed(module):
    assert len(not_recordable(module, [noise(3, 2)])) > 0


@each_network
def test_fp16_is_float32_to_a_hundredth_of_a_stop(network):
    """Half itself is good for a thousandth."""
    module = networks.load(network)
    inputs = [channels_last(each) for each in batch_of(module)]
    with torch.inference_mode():
        exact, rounded = (prepared(module, precision, CPU)(*inputs) for precision in ("float32", "fp16"))
    assert rounded.dtype == torch.float32
    difference = torch.log2(rounded.abs() + 2**-8) - torch.log2(exact.abs() + 2**-8)
    assert 0 < difference.square().mean().sqrt() < 0.01 or torch.equal(exact, rounded)
    if any(parameter.dtype == torch.float16 for parameter in half_precision(module).parameters()):
        assert not exact.any() or not torch.equal(exact, rounded)


@pytest.fixture
def tiny(tiny_model, monkeypatch):
    """Loads a network of the tiny model into the executor."""
    monkeypatch.setitem(networks.ARCHITECTURES, "tiny", "tiny_model")
    stages = Model.load(tiny_model).stages
    return lambda stage, settings=NO_CACHE, executor=Torch: executor(stages[stage].networks[stage], settings)


def test_arrays_of_any_layout_and_batch_give_an_array(tiny):
    codes = np.random.default_rng(1).random((2, 5, 7, 3), np.float32)
    planar = codes.transpose(0, 3, 1, 2)
    planar.flags.writeable = False
    dequantize = tiny("dequantize")
    for given in (planar, np.ascontiguousarray(planar), planar[:1], planar.astype(np.float64)):
        answer = dequantize.run(codes=given)
        assert type(answer) is np.ndarray and answer.dtype == np.float32
        np.testing.assert_allclose(answer, 0.9 * given + 0.05, atol=1e-6)


def test_tensors_give_a_tensor_that_is_the_callers_own(tiny):
    refine = tiny("refine")
    pictures = {name: noise(1, 3, 4, 5, seed=seed) for seed, name in enumerate(refine._inputs)}
    answer = refine.run(**pictures)
    assert isinstance(answer, torch.Tensor)
    kept = answer.clone()
    refine.run(**{name: torch.zeros(1, 3, 4, 5) for name in pictures})
    assert torch.equal(answer, kept)
    answer *= 2  # outside of inference mode torch would refuse that of a tensor made in it
    # One tensor among arrays is enough: small things, as where a tile stands, come as arrays.
    some = {name: each.numpy() if name == "linear" else each for name, each in pictures.items()}
    assert torch.equal(refine.run(**some), kept)


def test_bf16_is_refused_with_what_to_take(tiny):
    with pytest.raises(ExecutorError, match=r"executor torch: has no bf16: .*; take fp16; on a CPU, --executor openv"):
        tiny("dequantize", Settings(precision="bf16", cache=None))


def test_threads_are_those_that_were_asked_for(tiny):
    before = torch.get_num_threads()
    try:
        tiny("dequantize", Settings(threads=before + 1, cache=None))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_float32_is_exact_whatever_the_program_around_allows():
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.allow_tf32 = True
    try:
        with exact_float32():
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cudnn.allow_tf32
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = before[1:]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 3, 1, 2), (3, 2, 1, 0)], ids=str)
def test_a_copy_for_the_gpu_is_laid_out_as_the_array_is(order):
    array = np.random.default_rng(1).random((2, 3, 4, 5), np.float32).transpose(order)
    copy = pinned(array, pin_memory=False)
    assert copy.shape == array.shape
    assert [4 * step for step in copy.stride()] == list(array.strides)
    np.testing.assert_array_equal(copy, array)
    copy += 1
    assert array.max() < 1
    window = np.broadcast_to(np.float32([[0, 0, 1, 1]]), (3, 4))
    np.testing.assert_array_equal(pinned(window, pin_memory=False), window)


def stops(pixels):
    return np.log2(np.maximum(np.asarray(pixels), 0) + 2.0**-8)


def plate(height=256, width=384):
    """Gradients with a clipped sun, as an 8-bit file has them: H x W x 3 uint8."""
    y, x = np.mgrid[:height, :width].astype(np.float32) / width
    sun = np.exp(-(((y - 0.2) ** 2 + (x - 0.6) ** 2) / 0.02))[..., None]
    pixels = np.stack([0.1 + 0.7 * x, 0.6 - 0.5 * y, 0.2 + 0.3 * x + 0.4 * y], axis=-1)
    pixels = pixels + np.float32([1, 0.9, 0.7]) * sun
    return (np.clip(pixels, 0, 1) * 255).round().astype(np.uint8)


@pytest.mark.skipif("default" not in find_models(), reason="engines/ has no model default")
@pytest.mark.slow
def test_a_picture_in_fp16_is_that_of_float32_outside_of_what_clipped():
    """On the CPU, whose half rounds as a GPU's does: the sums inside a convolution are float32 on both."""
    import hdrnodes
    from hdrnodes.nodes.base import Context

    codes = plate()
    made = {
        precision: hdrnodes.reconstruct(
            codes, context=Context(runtime=Runtime("torch", settings=Settings(precision=precision, cache=None)))
        ).pixels
        for precision in ("float32", "fp16")
    }
    difference = stops(made["fp16"]) - stops(made["float32"])
    outside = codes.max(axis=2) < 250
    assert 0 < np.sqrt(np.mean(difference[outside] ** 2)) < 0.01
    assert np.sqrt(np.mean(difference[~outside] ** 2)) < 0.05


# With a GPU


def on_a_gpu(name, settings=NO_CACHE):
    """A network of `default` there, and its inputs."""
    network = NETWORKS[f"default/{name}"]
    inputs = {key: each.numpy() for key, each in zip(network.inputs, batch_of(networks.load(network)), strict=True)}
    return TorchOnGpu(network, settings), inputs


needs_default = pytest.mark.skipif("default/dequantize" not in NETWORKS, reason="engines/ has no model default")
GPU_NETWORKS = [name.removeprefix("default/") for name in NETWORKS if name.startswith("default/")]


@needs_gpu
@needs_default
@pytest.mark.parametrize("name", GPU_NETWORKS)
def test_on_a_gpu_graphs_answer_what_kernels_one_by_one_answer(name, caplog):
    executor, inputs = on_a_gpu(name)
    with caplog.at_level(logging.WARNING, "hdrnodes"):
        one_by_one, recorded, again = (executor.run(**inputs) for _ in range(3))
    assert len(executor._buckets) == 1 and not caplog.messages
    np.testing.assert_array_equal(one_by_one, recorded)
    np.testing.assert_array_equal(recorded, again)
    other = {key: np.ascontiguousarray(each[::-1]) for key, each in inputs.items()}
    np.testing.assert_allclose(executor.run(**other), recorded[::-1], rtol=1e-3, atol=1e-3 * np.abs(recorded).max())


@needs_gpu
@needs_default
@pytest.mark.parametrize("name", GPU_NETWORKS)
def test_on_a_gpu_float32_is_the_cpus_and_fp16_a_hundredth_of_a_stop_away(name):
    exact, inputs = on_a_gpu(name, Settings(precision="float32", cache=None))
    cpu = Torch(NETWORKS[f"default/{name}"], NO_CACHE).run(**inputs)
    np.testing.assert_allclose(exact.run(**inputs), cpu, rtol=1e-3, atol=1e-4 * np.abs(cpu).max())
    half, _ = on_a_gpu(name)
    assert np.sqrt(np.mean((stops(half.run(**inputs)) - stops(cpu)) ** 2)) < 0.01


@needs_gpu
@needs_default
def test_on_a_gpu_tensors_stay_there_and_the_host_waits_for_nothing():
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


@needs_gpu
@needs_default
def test_on_a_gpu_two_hundred_frames_of_changing_size_keep_to_their_memory(monkeypatch):
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


@needs_gpu
@needs_default
def test_on_a_gpu_out_of_memory_is_a_memory_error_and_leaves_the_memory_to_smaller_tiles():
    executor, inputs = on_a_gpu("dequantize")
    expected = executor.run(**inputs)
    free = torch.cuda.mem_get_info()[0]
    taken = torch.empty(free - 2**30, dtype=torch.uint8, device="cuda")
    with pytest.raises(MemoryError):
        executor.run(codes=torch.zeros(1, 3, 8192, 8192, device="cpu").numpy())
    np.testing.assert_array_equal(executor.run(**inputs), expected)
    del taken
    torch.cuda.empty_cache()


@needs_gpu
@needs_default
def test_on_a_gpu_what_cannot_be_recorded_runs_one_by_one_and_is_said_once(caplog, monkeypatch):
    executor, inputs = on_a_gpu("refine")
    network = executor._network
    monkeypatch.setattr(executor._arena, "_failed", False)
    executor._buckets = executor._arena.buckets(lambda *given: network(*given) * float(given[0].new_ones(1).cpu()))
    expected = [executor.run(**inputs) for _ in range(3)]
    assert all(np.array_equal(each, expected[0]) for each in expected)
    assert ["no CUDA graphs here" in message for message in caplog.messages] == [True]
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


@needs_gpu
@needs_default
def test_on_a_gpu_threads_and_streams_take_turns():
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


@needs_gpu
@needs_default
def test_on_a_gpu_a_plate_goes_up_as_codes_and_comes_down_as_half():
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


def test_a_runtime_that_took_torch_on_the_gpu_goes_on_with_the_cpu_where_cuda_fails(tiny_model, monkeypatch, caplog):
    monkeypatch.setitem(networks.ARCHITECTURES, "tiny", "tiny_model")

    class Broken(TorchOnGpu):
        why_not = classmethod(lambda cls: None)

    class Either(Torch):
        on_gpu = Broken

    class Plugin:
        @hookimpl
        def register_executors(self):
            return [Either]

        @hookimpl
        def register_models(self):
            return {"default": tiny_model}

    if torch.cuda.is_available():
        monkeypatch.setattr(Broken, "_device_name", "cuda:99")
    plugins = Plugins()
    plugins.register(Plugin(), "studio", "a test")
    runtime = Runtime("auto", plugins=plugins, settings=NO_CACHE)
    assert runtime.executor is Broken
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of a driver that is not there
        answer = runtime.run("dequantize", "default", np.full((4, 5, 3), 0.5, np.float32))
    np.testing.assert_allclose(answer, 0.5)
    assert runtime.executor is Either
    assert len(caplog.messages) == 1 and "takes torch on the CPU" in caplog.messages[0]
