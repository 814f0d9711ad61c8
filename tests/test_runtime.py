"""Runtime: executors agree, tiles leave no trace, any size comes back as it is, and what goes wrong is one line."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from doubling import Doubling

import hdrnodes
from hdrnodes import networks
from hdrnodes.errors import ExecutorError, ModelError
from hdrnodes.hookspecs import hookimpl
from hdrnodes.models import Model, find_models
from hdrnodes.plugins import Plugins
from hdrnodes.runtime import Runtime, Settings
from hdrnodes.runtime.inputs import STAGE_INPUTS
from hdrnodes.runtime.openvino import OpenVINO

MODELS = [*find_models()] or [pytest.param("none", marks=pytest.mark.skip(reason="engines/ has no model"))]
needs_default = pytest.mark.skipif("default" not in find_models(), reason="engines/ has no model default")


def plate(height, width):
    """Gradients with clipped discs, as an 8-bit file has them: H x W x 3 float32, 0..1."""
    y, x = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
    pixels = np.stack([0.1 + 0.7 * x, 0.6 - 0.5 * y, 0.2 + 0.3 * x + 0.4 * y], axis=-1)
    for at_y, at_x, radius in [(0.2, 0.25, 0.12), (0.7, 0.6, 0.2), (0.5, 0.1, 0.03), (0.95, 0.8, 0.06)]:
        distance = np.hypot(y - at_y, x - at_x)[..., None]
        pixels = pixels + np.float32([1, 0.9, 0.7]) * np.exp(-((distance / radius) ** 4))
    return (np.clip(pixels, 0, 1) * 255).round().astype(np.float32) / 255


def stage_inputs(stage, height=97, width=131, display=plate):
    """What a stage is given, as the nodes before it make it of a plate."""
    display = display(height, width)
    linear = display**2.2
    hallucinated = linear + 20 * np.maximum(linear - 0.9, 0)
    pixels = {"codes": display, "display": display, "plate": display, "linear": linear, "hallucinated": hallucinated}
    return [{**pixels, "dequantized": display}[name] for name in STAGE_INPUTS[stage]]


def assert_executors_agree(model, stage, plugins=None):
    pytest.importorskip("torch", reason="torch is an extra: pip install 'hdrnodes[train]'")
    inputs = stage_inputs(stage)
    one, other = (Runtime(name, plugins=plugins).run(stage, model, *inputs) for name in ("openvino", "torch"))
    assert one.dtype == other.dtype == np.float32
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-3 * np.ptp(other))


@pytest.mark.parametrize("stage", STAGE_INPUTS)
@pytest.mark.parametrize("model", MODELS)
def test_executors_agree_on_every_stage_of_every_model_that_is_shipped(model, stage):
    assert_executors_agree(model, stage)


@pytest.fixture
def tiny_is_known(monkeypatch):
    """The torch executor rebuilds a network from its architecture's name."""
    monkeypatch.setitem(networks.ARCHITECTURES, "tiny", "tiny_model")


@pytest.mark.parametrize("stage", STAGE_INPUTS)
def test_executors_agree_on_a_model_that_is_worked_out_by_hand(stage, tiny_plugins, tiny_is_known):
    assert_executors_agree("default", stage, tiny_plugins)


@needs_default
def test_tiles_leave_no_trace():
    codes = (plate(600, 500) * 255).astype(np.uint8)
    tiled, whole = (hdrnodes.reconstruct(codes, executor="openvino", tile=tile).pixels for tile in (256, 4096))
    assert tiled.shape == whole.shape == (600, 500, 3)
    assert np.abs(np.log2(tiled + 2**-8) - np.log2(whole + 2**-8)).max() < 0.02  # stops
    assert not np.array_equal(tiled, whole)  # there were tiles


@pytest.fixture(scope="module")
def shipped():
    return Runtime("openvino")


@pytest.mark.parametrize("stage", STAGE_INPUTS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (33, 31)], ids=str)
@pytest.mark.parametrize("model", MODELS)
def test_any_size_comes_back_as_it_is(shipped, model, size, stage):
    answer = shipped.run(stage, model, *stage_inputs(stage, *size))
    assert answer.shape == ((1024,) if stage == "linearize" else (*size, 3))
    assert np.isfinite(answer).all()


def runtime_of(executor, model, **options):
    """A runtime that a plugin gave an executor, and a model folder as `default`."""

    class Plugin:
        @hookimpl
        def register_executors(self):
            return [executor]

        @hookimpl
        def register_models(self):
            return {"default": model}

    plugins = Plugins()
    plugins.register(Plugin(), "studio", "a test")
    return Runtime(executor.name, plugins=plugins, **options)


@pytest.mark.parametrize(("columns", "calls"), [(slice(0), 0), (slice(0, 10), 1), (slice(50, 51), 2), (slice(200), 4)])
def test_tiles_in_which_nothing_is_wanted_are_not_computed(tiny_model, columns, calls):
    class Counting(Doubling):
        calls = 0

        def run(self, **inputs):
            type(self).calls += 1
            return super().run(**inputs)

    pixels = np.random.default_rng(1).random((64, 200, 3), np.float32)
    where = np.zeros((64, 200, 1), np.float32)
    where[:, columns] = 1
    # Tiles of 62 start at 0, 46, 92, 138.
    answer = runtime_of(Counting, tiny_model, tile=64).run("hallucinate", "default", pixels, where=where)
    assert Counting.calls == calls
    np.testing.assert_allclose(answer[:, columns], 2 * pixels[:, columns], rtol=1e-6)
    if calls < 4:
        assert (answer[:, 108:] == 0).all()


@pytest.mark.parametrize(
    ("stage", "shape", "due"),
    [
        ("dequantize", (1, 4, 8, 9), r"\(1, 3, 8, 9\)"),
        ("refine", (1, 3, 8, 8), r"\(1, 3, 8, 9\)"),
        ("hallucinate", (3, 8, 9), r"\(1, 3, 8, 9\)"),
        ("linearize", (1, 256), r"\(1, 1024\)"),
    ],
)
def test_an_answer_of_another_shape_names_the_model(tiny_model, stage, shape, due):
    class Misshapen(Doubling):
        def run(self, **inputs):
            return np.zeros(shape, np.float32)

    with pytest.raises(ModelError, match=rf"model\.toml: network {stage} answers with .*, where {due} is due; export"):
        runtime_of(Misshapen, tiny_model).run(stage, "default", *stage_inputs(stage, 8, 9))


def test_an_input_that_its_stage_is_not_given_names_the_model(tiny_model, tmp_path):
    for file in tiny_model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    toml = tmp_path / "model.toml"
    toml.write_text(toml.read_text().replace('"codes"', '"image"'))
    with pytest.raises(
        ModelError, match=r"model\.toml: network dequantize has an input image, .* may be codes, window"
    ):
        runtime_of(Doubling, tmp_path).run("dequantize", "default", plate(8, 9))


@pytest.mark.parametrize("inputs", [("linear",), ("codes", "window")], ids=str)
def test_a_file_of_another_network_is_refused(tiny_model, tiny_is_known, inputs):
    network = Model.load(tiny_model).stage("dequantize").networks["dequantize"]
    wrong = network.model_copy(update={"inputs": inputs})
    with pytest.raises(ModelError, match=rf"dequantize\.onnx: takes codes, where model\.toml has {', '.join(inputs)}"):
        OpenVINO(wrong, Settings(cache=None))
    with pytest.raises(ModelError, match=rf"model\.toml: network dequantize takes codes, not {', '.join(inputs)}"):
        networks.load(wrong)


@pytest.fixture(params=["openvino", "torch"])
def load(request, tiny_model, tiny_is_known, tiny_plugins):
    """Loads a stage of the tiny model into each of the executors that come with hdrnodes."""
    pytest.importorskip(request.param)
    model, executor = Model.load(tiny_model), tiny_plugins.executors[request.param]
    return lambda stage: executor(model.stage(stage).networks[stage], Settings(cache=None))


def test_a_network_that_fails_names_its_file(load):
    sizes = {"hallucinated": 4, "linear": 5, "dequantized": 6}
    with pytest.raises(ExecutorError, match=r"refine\.(onnx|safetensors): (OpenVINO|torch) cannot run it: .*; try"):
        load("refine").run(**{name: np.zeros((1, 3, size, size), np.float32) for name, size in sizes.items()})


def test_arrays_that_are_read_only_are_taken_and_left_alone(load):
    dequantize = load("dequantize")
    codes = np.full((1, 3, 1, 1), 0.5, np.float32)
    codes.flags.writeable = False
    first = dequantize.run(codes=codes)
    dequantize.run(codes=np.zeros_like(codes))  # writes nowhere into what it gave before
    np.testing.assert_allclose(first, 0.5)
    assert (codes == 0.5).all()


class Hungry(Doubling):
    """Runs out of memory above so many pixels."""

    most = 200 * 200
    asked: list[tuple[int, ...]]

    def run(self, **inputs):
        pixels = next(iter(inputs.values()))
        type(self).asked.append(pixels.shape)
        if pixels.shape[2] * pixels.shape[3] > self.most:
            raise MemoryError
        return 2 * pixels


def test_tiles_are_halved_until_there_is_the_memory_and_stay_so(tiny_model, caplog):
    class Halving(Hungry):
        asked = []

    runtime = runtime_of(Halving, tiny_model)
    pixels = np.random.default_rng(1).random((500, 700, 3), np.float32)
    for _ in range(2):
        np.testing.assert_allclose(runtime.run("dequantize", "default", pixels), 2 * pixels, rtol=1e-6)
    sizes = [max(shape[2:]) for shape in Halving.asked]
    assert sizes[0] == 700
    assert sizes[1] <= 350 and sizes[2] <= sizes[1] / 2
    assert set(sizes[2:]) == {sizes[2]}  # that had the memory
    (note,) = [record.message for record in caplog.records if record.name == "hdrnodes"]
    assert "network dequantize: there is not the memory for tiles of 700 pixels; takes" in note


@pytest.mark.parametrize("tile", [640, None])
def test_without_memory_for_the_smallest_tile_it_is_one_line(tiny_model, tile):
    class Starving(Hungry):
        asked = []
        most = 0

    message = r"doubling: there is not enough memory to run network refine, even on \d+ x \d+ pixels; free some"
    with pytest.raises(ExecutorError, match=message):
        runtime_of(Starving, tiny_model, tile=tile).run("refine", "default", *stage_inputs("refine", 300, 500))


def test_without_memory_for_the_whole_frame_reduced_it_is_one_line(tiny_model):
    class Starving(Hungry):
        asked = []
        most = 0

    with pytest.raises(ExecutorError, match="there is not enough memory to run network linearize; free some"):
        runtime_of(Starving, tiny_model).run("linearize", "default", plate(8, 9), plate(8, 9))


def test_too_little_memory_is_refused_before_anything_runs(tiny_model):
    class Idle(Hungry):
        asked = []

    settings = Settings(memory=200_000_000)
    with pytest.raises(
        ExecutorError, match=r"memory of 200 MB: is too little for model default; allow \d+ MB or more"
    ) as e:
        runtime_of(Idle, tiny_model, settings=settings).run("refine", "default", *stage_inputs("refine"))
    assert not Idle.asked
    least = int(str(e.value).split("allow ")[1].split(" MB")[0])
    settings = Settings(memory=least * 10**6)
    runtime_of(Idle, tiny_model, settings=settings).run("refine", "default", *stage_inputs("refine"))


@pytest.mark.parametrize("stage", STAGE_INPUTS)
def test_tensors_come_back_as_tensors(stage, tiny_model):
    torch = pytest.importorskip("torch")
    given = stage_inputs(stage, 150, 200)
    tensors = [torch.from_numpy(each) for each in given]

    class Arrays(Doubling):
        """Of one that takes numpy's arrays alone."""

        def run(self, **inputs):
            assert all(isinstance(each, np.ndarray) for each in inputs.values())
            return np.full((1, 1024), 0.5, np.float32) if self.network.name == "linearize" else super().run(**inputs)

    class OnDevice(Doubling):
        on_device = True

        def run(self, **inputs):
            assert all(isinstance(each, torch.Tensor) for each in inputs.values())
            return torch.full((1, 1024), 0.5) if self.network.name == "linearize" else super().run(**inputs)

    expected = runtime_of(Arrays, tiny_model, tile=64).run(stage, "default", *given)
    for executor in (Arrays, OnDevice):
        for tile in (64, 512):
            answer = runtime_of(executor, tiny_model, tile=tile).run(stage, "default", *tensors)
            assert isinstance(answer, torch.Tensor)
            np.testing.assert_allclose(np.asarray(answer), expected, rtol=1e-6)


@pytest.mark.parametrize(("free", "most"), [(10**9, 3), (10**9, 16), (10**6, 16)])
def test_tiles_go_together_where_a_device_has_room(tiny_model, free, most):
    torch = pytest.importorskip("torch")

    class Batching(Doubling):
        on_device = True
        most_tiles = most
        counts = []

        @classmethod
        def free_memory(cls):
            return free

        def run(self, **inputs):
            self.counts.append(len(inputs["linear"]))
            return super().run(**inputs)

    pixels = torch.from_numpy(np.random.default_rng(1).random((64, 200, 3), np.float32))
    answer = runtime_of(Batching, tiny_model, tile=64).run("hallucinate", "default", pixels)
    np.testing.assert_allclose(answer, 2 * pixels, rtol=1e-6)
    assert sum(Batching.counts) == 4
    assert max(Batching.counts) == (min(most, 4) if free == 10**9 else 1)


OUT_OF_MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
sys.path[:0] = [sys.argv[3]]
from hdrnodes import networks
from hdrnodes.cli.running import ModelFolder
from hdrnodes.errors import ExecutorError
from hdrnodes.plugins import installed_plugins
from hdrnodes.runtime import Runtime

networks.ARCHITECTURES["tiny"] = "tiny_model"
plugins = installed_plugins()
plugins.register(ModelFolder(sys.argv[2]), "tiny", "a test")
runtime = Runtime(sys.argv[1], tile=8192, plugins=plugins)
runtime.run("dequantize", sys.argv[2], np.zeros((9, 9, 3), np.float32))
frame = np.random.default_rng(0).random((4000, 3000, 3), np.float32)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(frame.nbytes * float(sys.argv[4])),) * 2)
try:
    answer = runtime.run("dequantize", sys.argv[2], frame)
    print(all(abs(answer[y] - (0.9 * frame[y] + 0.05)).max() < 1e-5 for y in range(4000)))
except ExecutorError as error:
    print(error)
"""
TOO_LITTLE = (
    r"there is not enough memory to run network dequantize, even on \d+ x \d+ pixels; free some, or take a machine"
)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space, which Linux alone can")
@pytest.mark.parametrize(
    ("frames", "said", "warned"),
    [(2.4, "True", "takes"), (0.5, TOO_LITTLE, "")],  # the answer is one, the network's input, of a large tile, another
    ids=["for a part", "for nothing"],
)
@pytest.mark.parametrize("name", ["openvino", "torch"])
def test_out_of_memory_takes_smaller_tiles_or_is_one_line(name, frames, said, warned, tiny_model):
    pytest.importorskip(name)
    command = [sys.executable, "-c", OUT_OF_MEMORY, name, tiny_model, Path(__file__).parent, str(frames)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert re.search(said, ran.stdout) and ran.stdout.count("\n") == 1, ran.stderr
    assert warned in ran.stderr
