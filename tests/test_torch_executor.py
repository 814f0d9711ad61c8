"""The torch executor: what it does on any machine, asked on the CPU. With a GPU: test_torch_gpu.py."""

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'hdrnodes[train]'")
from torch.utils._python_dispatch import TorchDispatchMode
from torch_material import NETWORKS, NO_CACHE, batch_of, plate, stops

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

CPU = torch.device("cpu")

each_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


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
