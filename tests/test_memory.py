"""Memory: tiles are as large as what is allowed lets them be, and a job stays within it."""

import subprocess
import sys

import numpy as np
import pytest
from doubling import Doubling

import hdrnodes
from hdrnodes import Context, frames
from hdrnodes.errors import ExecutorError
from hdrnodes.hookspecs import hookimpl
from hdrnodes.models import Model, find_models
from hdrnodes.plugins import Plugins
from hdrnodes.runtime import Runtime, Settings, memory
from hdrnodes.runtime.openvino import OpenVINO
from hdrnodes.runtime.tiles import least_tile

GB = 10**9
needs_default = pytest.mark.skipif("default" not in find_models(), reason="engines/ has no model default")


@pytest.fixture
def model(tiny_model):
    return Model.load(tiny_model)


@pytest.fixture
def default():
    return Model.load(find_models()["default"])


def test_more_memory_makes_larger_tiles_up_to_what_is_worth_it(model):
    sizes = [memory.tile_size(model, allowed, 8192, 16384, False) for allowed in (GB // 10, GB // 2, GB, 4 * GB)]
    assert sizes == sorted(sizes) and sizes[0] == 0 and 0 < sizes[1] < sizes[2]
    assert all(size % memory.STEP == 0 for size in sizes)
    assert memory.tile_size(model, 1000 * GB, 8192, 16384, False) == memory.LARGEST


def test_a_few_megabytes_more_make_no_other_tiles(model):
    """What is free changes from start to start, and results should not."""
    found = {memory.tile_size(model, 2 * GB + few * 10**6, 8192, 16384, False) for few in range(0, 60, 10)}
    assert len(found) <= 2


def test_frames_in_memory_leave_less_for_tiles(model):
    small, large = (memory.tile_size(model, GB, side, side, False) for side in (100, 2000))
    assert frames.in_memory(12 * 2000**2, GB)
    assert large < small


def test_networks_that_run_side_by_side_share_what_there_is(model):
    one, two = (memory.tile_size(model, GB, 8192, 16384, False, side_by_side) for side_by_side in (1, 2))
    assert 0 < two <= 0.75 * one


@needs_default
def test_as_many_run_side_by_side_as_the_smallest_tiles_leave_room_for(default):
    allowed = [int(each * GB) for each in (0.47, 0.7, 1, 2, 8)]
    most = [memory.most_side_by_side(default, each) for each in allowed]
    assert most[0] == most[1] == 1 and most == sorted(most) and 1 < most[3] < 16 < most[4]
    smallest = min(least_tile(stage.halo, stage.multiple) for stage in default.stages.values())
    for each, count in list(zip(allowed, most, strict=True))[2:]:
        frames_of = [memory.tile_size(default, each, side, side, False, count) for side in (100, 1000, 2000, 9000)]
        assert min(frames_of) + memory.STEP >= smallest


@needs_default
def test_a_gpu_takes_a_frame_in_one_piece_or_many_tiles_at_a_time(default):
    uhd, eight_k = (2160, 3840), (4320, 7680)
    assert memory.tile_size(default, 24 * GB, *uhd, True) == memory.LARGEST_WHOLE
    assert memory.tile_size(default, 6 * GB, *uhd, True) <= memory.LARGEST
    assert memory.tile_size(default, 80 * GB, *eight_k, True) == memory.LARGEST
    at_once = [memory.tiles_at_once(default, room * GB, *eight_k, 2048**2) for room in (1, 12, 80)]
    assert at_once[0] == 1 and at_once == sorted(at_once) and at_once[2] >= 16


@needs_default
def test_the_least_memory_is_enough_for_the_smallest_tiles(default):
    least = memory.least_memory(default)
    assert least < 0.7 * GB
    tile = memory.tile_size(default, least, 50_000, 50_000, False)
    assert tile + memory.STEP >= min(least_tile(stage.halo, stage.multiple) for stage in default.stages.values())


@needs_default
def test_what_networks_say_they_need_is_what_they_need(default):
    """Of those that are fed tiles, each pixel of them."""
    torch = pytest.importorskip("torch")
    from hdrnodes.networks import load
    from hdrnodes.networks.activations import bytes_per_pixel

    for network in default.networks():
        assert bytes_per_pixel(load(network)) == pytest.approx(network.bytes_per_pixel, rel=0.01)
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1), torch.nn.ReLU(), torch.nn.Conv2d(8, 1, 1))
    layers.example_inputs = lambda: {"x": torch.zeros(1, 3, 8, 8)}
    assert bytes_per_pixel(layers) == 4 * (8 + 8)  # one layer's channels in, the next one's out


def executor_with(bytes_of_gpu, **more):
    """A class of executors that run on a GPU of so much free memory, or, of None, in the machine's."""
    return type("Its", (Doubling,), {"free_memory": classmethod(lambda cls: bytes_of_gpu), **more})


def runtime_of(tiny_model, *executors, settings):
    plugins = Plugins()

    class Its:
        @hookimpl
        def register_executors(self):
            return executors

        @hookimpl
        def register_models(self):
            return {"default": tiny_model}

    plugins.register(Its(), "a test", "a test")
    name = executors[0].name if len(executors) == 1 else "auto"
    return Runtime(name, plugins=plugins, settings=settings)


def test_what_the_machine_may_give_is_nothing_to_networks_on_a_gpu(tiny_model):
    pixels, settings = np.ones((4, 5, 3), np.float32), Settings(memory=256_000_000)
    assert runtime_of(tiny_model, executor_with(10 * GB), settings=settings).run("dequantize", "default", pixels).any()
    with pytest.raises(ExecutorError, match="is too little for model default; allow"):
        runtime_of(tiny_model, executor_with(None), settings=settings).run("dequantize", "default", pixels)


def test_a_gpu_that_fails_leaves_them_to_what_the_machine_may_give(tiny_model):
    def fails(self, network, settings):
        raise ExecutorError("the GPU", "fell off the bus", "put it back")

    on_gpu = executor_with(10 * GB, name="tensorrt", on_device=True, __init__=fails)
    runtime = runtime_of(
        tiny_model, on_gpu, executor_with(None, name="openvino"), settings=Settings(memory=256_000_000)
    )
    for _ in range(2):
        with pytest.raises(ExecutorError, match="is too little for model default; allow"):
            runtime.run("dequantize", "default", np.ones((4, 5, 3), np.float32))


@pytest.mark.parametrize("hint", ["throughput", "latency"])
def test_with_little_memory_fewer_run_side_by_side(tiny_model, hint):
    for allowed, most in ((4 * GB, 2), (memory.least_memory(Model.load(tiny_model)), 1)):
        settings = Settings(memory=allowed, hint=hint, threads=2, cache=None)
        runtime = runtime_of(tiny_model, OpenVINO, settings=settings)
        runtime.run("dequantize", "default", np.ones((4, 5, 3), np.float32))
        assert [each.side_by_side for each in runtime._networks.values()] == [most if hint == "throughput" else 1]


def reconstruct(codes, allowed, tile):
    context = Context(runtime=Runtime("openvino", tile=tile, settings=Settings(memory=allowed, cache=None)))
    return hdrnodes.reconstruct(codes, context=context).pixels


@needs_default
def test_scratch_files_change_nothing():
    codes = (np.random.default_rng(0).random((300, 400, 3)) * 300).clip(0, 255).astype(np.uint8)
    in_files, again, in_memory = (
        reconstruct(codes, allowed, 256) for allowed in (frames.PROCESS, frames.PROCESS, None)
    )
    assert frames.scratch_of(in_files) is not None and frames.scratch_of(in_memory) is None
    np.testing.assert_array_equal(in_files, again)
    np.testing.assert_array_equal(in_files, in_memory)


SCRIPT = """
import sys
import numpy as np
import hdrnodes
from hdrnodes import Context
from hdrnodes.runtime import Settings

height, width = 3000, 4000
plate = np.tile(np.uint8(np.linspace(0, 255, width))[:, None], (height, 1, 3))  # no stage is idle
plate[1000:2000, 1000:2000] = 255
context = Context(settings=Settings(memory=int(sys.argv[1]) or None))
image = hdrnodes.reconstruct(plate, context=context)
assert image.pixels.shape == plate.shape and image.pixels[1500, 1500].max() > 1
status = open("/proc/self/status").read()  # getrusage would tell the peak of the tests, whose child this is
print(status.partition("VmHWM:")[2].split()[0])
"""


@pytest.mark.slow
@needs_default
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process held at its peak by itself")
@pytest.mark.parametrize(("allowed", "most"), [(0, 4 * GB), (GB, GB)], ids=["what is free", "1 GB"])
def test_twelve_megapixels_stay_within_what_is_allowed(allowed, most):
    answer = subprocess.run([sys.executable, "-c", SCRIPT, str(allowed)], check=True, capture_output=True, text=True)
    assert int(answer.stdout) * 1024 < most
