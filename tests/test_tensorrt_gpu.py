"""What a real card does with the tensorrt executor; all of this needs one. What does not is in test_tensorrt.py."""

from __future__ import annotations

import numpy as np
import pytest

from hdrnodes.camera.evidence import EVIDENCE
from hdrnodes.models import Model, engines_folder
from hdrnodes.runtime import Settings
from hdrnodes.runtime.openvino import OpenVINO
from hdrnodes.runtime.tensorrt.executor import TensorRT

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif(TensorRT.why_not() is not None, reason=f"the tensorrt executor: {TensorRT.why_not()}"),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """One cache for all: each network is compiled once."""
    return Settings(precision="float32", cache=tmp_path_factory.mktemp("plans"))


@pytest.fixture(scope="module")
def networks():
    return {network.name: network for network in Model.load(engines_folder() / "default").networks()}


@pytest.fixture
def opened(networks, settings):
    """Executors by the name of a network; closed at the end."""
    made = []

    def make(name, **changed):
        made.append(TensorRT(networks[name], Settings(**{**vars(settings), **changed})))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def inputs(network, height, width, tiles=1):
    """For any network of `default`, pixels between 0 and 1."""
    random = np.random.default_rng(height * width)
    told = {name: tell(np.zeros((1, 3, 8, 8), np.float32)).shape[1] for name, tell in EVIDENCE.items()}
    shapes = {name: (tiles, count) for name, count in told.items()}
    shapes |= {"window": (tiles, 4), "context": (tiles, 16, 40, 60)}
    if network.name == "refine":
        shapes["context"] = (tiles, 3, 8, 10)
    given = {name: random.random(shapes.get(name, (tiles, 3, height, width)), np.float32) for name in network.inputs}
    if "window" in given:
        given["window"][:] = 0.1, 0.2, 0.6, 0.9
    return given


@pytest.mark.parametrize(
    "name", ["dequantize", "linearize", "hallucinate", "hallucinate_overview", "refine", "refine_overview"]
)
@pytest.mark.parametrize(("precision", "apart"), [("float32", 1e-4), ("fp16", 2e-2)])
def test_answers_as_openvino_does(opened, networks, name, precision, apart):
    given = inputs(networks[name], 160, 120)
    expected = OpenVINO(networks[name], Settings(cache=None)).run(**given)
    found = opened(name, precision=precision).run(**given)
    assert found.dtype == np.float32 and found.shape == expected.shape
    scale = np.maximum(np.abs(expected), 1)
    assert np.max(np.abs(found - expected) / scale) < apart


def test_batches_of_tiles_are_the_tiles(opened, networks):
    executor = opened("hallucinate")
    given = inputs(networks["hallucinate"], 96, 128, tiles=3)
    together = executor.run(**given)
    for index in range(3):
        alone = executor.run(**{name: array[index : index + 1] for name, array in given.items()})
        assert np.allclose(together[index], alone[0], rtol=1e-4, atol=1e-5)


def test_a_cuda_graph_answers_as_what_it_was_made_from(opened, networks):
    executor = opened("dequantize")
    given = inputs(networks["dequantize"], 200, 136)
    first, *others = (executor.run(**given) for _ in range(4))
    (ready,) = executor._engine._ready.values()
    assert ready._graph is not None
    for other in others:
        assert np.array_equal(first, other)
    changed = {"codes": 1 - given["codes"]}
    expected = OpenVINO(networks["dequantize"], Settings(cache=None)).run(**changed)
    assert np.allclose(executor.run(**changed), expected, atol=1e-4)


def test_a_thousand_frames_of_changing_size_leave_memory_as_it_was(opened, networks):
    import pycuda.driver as cuda

    executors = [opened("dequantize"), opened("refine_overview")]
    sizes = [(64 + 16 * (number * 7 % 23), 64 + 16 * (number * 5 % 19)) for number in range(20)]
    free = []
    for number in range(1000):
        for executor, name in zip(executors, ("dequantize", "refine_overview"), strict=True):
            executor.run(**inputs(networks[name], *sizes[number * number % 20]))
        if number >= 100 and number % 50 == 0:
            with executors[0]._device.current():
                free.append(cuda.mem_get_info()[0])
    assert max(free) - min(free) < 32 << 20


def test_closing_gives_memory_back(networks, settings):
    import pycuda.driver as cuda

    free = []
    for _ in range(4):
        executor = TensorRT(networks["dequantize"], settings)
        with executor._device.current():
            free.append(cuda.mem_get_info()[0])
        executor.run(**inputs(networks["dequantize"], 512, 512))
        executor.close()
    assert abs(free[-1] - free[1]) < 32 << 20


def test_too_little_memory_then_a_smaller_tile(opened, networks):
    import pycuda.driver as cuda

    executor = opened("dequantize")
    with executor._device.current():
        taken = cuda.mem_alloc(cuda.mem_get_info()[0] - (256 << 20))
    try:
        with pytest.raises(MemoryError):
            executor.run(**inputs(networks["dequantize"], 4096, 4096))
        assert np.isfinite(executor.run(**inputs(networks["dequantize"], 64, 64))).all()
    finally:
        with executor._device.current():
            taken.free()


# With torch in the same process


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch has no CUDA here")
    return torch


def test_tensors_of_the_card_come_and_go_without_the_host(opened, networks, torch):
    executor = opened("dequantize")
    given = inputs(networks["dequantize"], 256, 320)
    expected = executor.run(**given)
    tensors = {name: torch.from_numpy(array).cuda() for name, array in given.items()}
    for _ in range(3):
        answer = executor.run(**tensors)
        assert answer.is_cuda and np.allclose(answer.cpu().numpy(), expected, atol=1e-5)


def test_stages_are_chained_on_the_card_in_torchs_order(opened, networks, torch):
    executor = opened("dequantize")
    frames = [torch.rand(1, 3, 1080, 1920, device="cuda") for _ in range(4)]
    for stream in (torch.cuda.current_stream(), torch.cuda.Stream()):
        with torch.cuda.stream(stream):
            stream.wait_stream(torch.cuda.default_stream())
            # Written just before and just after, so that a stage that does not wait its turn shows.
            found = []
            for frame in frames:
                work = frame.clone()
                answer = executor.run(codes=work)
                work.zero_()
                found.append(executor.run(codes=answer))
                del work, answer
            stream.synchronize()
        for frame, twice in zip(frames, found, strict=True):
            once = executor.run(codes=frame.cpu().numpy())
            assert np.allclose(twice.cpu().numpy(), executor.run(codes=once), atol=1e-4)


def test_torch_goes_on_after_the_last_executor_is_closed(networks, settings, torch):
    before = torch.rand(8, device="cuda")
    executor = TensorRT(networks["dequantize"], settings)
    executor.run(codes=torch.rand(1, 3, 64, 64, device="cuda"))
    executor.close()
    assert torch.isfinite((before * 2).sum()).item()
    again = TensorRT(networks["dequantize"], settings)
    assert again.run(codes=torch.rand(1, 3, 64, 64, device="cuda")).is_cuda
    again.close()
