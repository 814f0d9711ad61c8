"""The openvino executor: its settings, and compiled networks that are kept."""

import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hdrnodes.errors import ExecutorError
from hdrnodes.models import Model
from hdrnodes.runtime import Settings, openvino
from hdrnodes.runtime.openvino import OpenVINO

HAS_BF16 = "BF16" in openvino.core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
CODES = np.random.default_rng(0).random((1, 3, 64, 96), np.float32)


@pytest.fixture
def dequantize(tiny_model):
    return Model.load(tiny_model).stage("dequantize").networks["dequantize"]


@pytest.fixture
def trained():
    """A network with convolutions."""
    from hdrnodes.models import engines_folder

    return Model.load(engines_folder() / "default").stage("dequantize").networks["dequantize"]


@pytest.fixture
def compiled(monkeypatch):
    """The paths of what was compiled, not taken from the cache."""
    paths = []
    core = openvino.core()

    class Watched:
        get_property, import_model = core.get_property, core.import_model

        def compile_model(self, path, *arguments):
            paths.append(path)
            return core.compile_model(path, *arguments)

    monkeypatch.setattr(openvino, "core", Watched)
    return paths


def run(network, **settings):
    return OpenVINO(network, Settings(**settings)).run(codes=CODES)


def test_a_network_is_compiled_once_and_then_taken_from_the_cache(trained, compiled, tmp_path):
    first, second = (run(trained, cache=tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert len(compiled) == 1
    run(trained, cache=tmp_path, threads=1)  # another one
    assert len(compiled) == 2
    run(trained, cache=None)
    assert len(compiled) == 3


@pytest.mark.parametrize("damage", ["empty", "cut off", "middle", "other bytes"])
def test_a_damaged_file_of_the_cache_is_made_anew(trained, compiled, tmp_path, damage):
    whole = run(trained, cache=tmp_path)
    (file,) = (tmp_path / "openvino").iterdir()
    good = file.read_bytes()
    middle = len(good) // 2
    file.write_bytes(
        {
            "empty": b"",
            "cut off": good[:middle],
            "middle": good[:middle] + bytes(5000) + good[middle + 5000 :],
            "other bytes": b"x" * len(good),
        }[damage]
    )
    np.testing.assert_array_equal(run(trained, cache=tmp_path), whole)
    np.testing.assert_array_equal(run(trained, cache=tmp_path), whole)
    assert len(compiled) == 2 and openvino.kept(file)


def test_a_blob_that_openvino_refuses_is_made_anew(dequantize, compiled, tmp_path):
    run(dequantize, cache=tmp_path)
    (file,) = (tmp_path / "openvino").iterdir()
    openvino.keep(file, b"whole, but no network")
    np.testing.assert_allclose(run(dequantize, cache=tmp_path), 0.9 * CODES + 0.05, rtol=1e-6)
    assert len(compiled) == 2


def test_a_cache_that_cannot_be_written_is_said_and_done_without(dequantize, tmp_path, caplog):
    (tmp_path / "openvino").write_text("no folder")
    np.testing.assert_allclose(run(dequantize, cache=tmp_path), 0.9 * CODES + 0.05, rtol=1e-6)
    assert "openvino" in caplog.text and len(caplog.records) == 1


def test_fp16_is_refused_in_a_line(dequantize):
    with pytest.raises(ExecutorError, match="was asked for fp16; fp16 is for GPUs; give --precision auto$"):
        OpenVINO(dequantize, Settings(precision="fp16", cache=None))


def test_bf16_is_refused_where_the_cpu_has_none(dequantize, monkeypatch):
    class Old:
        def get_property(self, device, name):
            return ["FP32", "INT8"]

    monkeypatch.setattr(openvino, "core", Old)
    with pytest.raises(ExecutorError, match="was asked for bf16, which this CPU has not"):
        OpenVINO(dequantize, Settings(precision="bf16", cache=None))


@pytest.mark.skipif(not HAS_BF16, reason="this CPU has no bf16")
def test_bf16_is_close_to_float32_and_not_the_same(trained):
    exact, close = (run(trained, precision=precision, cache=None) for precision in ("float32", "bf16"))
    assert 1e-6 < np.sqrt(np.mean((exact - close) ** 2)) < 1e-3  # a quarter of an 8-bit step
    np.testing.assert_array_equal(run(trained, cache=None), exact)  # auto


def test_what_sees_the_whole_frame_stays_in_float32(trained):
    options = openvino._options(trained.model_copy(update={"name": "linearize"}), Settings())
    if HAS_BF16:
        for name, precision in (("linearize", "f32"), ("hallucinate_overview", "f32"), ("hallucinate", "bf16")):
            network = trained.model_copy(update={"name": name})
            assert openvino._options(network, Settings(precision="bf16"))["INFERENCE_PRECISION_HINT"] == precision
    assert options["INFERENCE_PRECISION_HINT"] == "f32"


@pytest.mark.parametrize("hint", ["latency", "throughput"])
def test_threads_and_hint_reach_openvino(trained, hint):
    executor = OpenVINO(trained, Settings(threads=2, hint=hint, cache=None))
    assert executor._compiled.get_property("INFERENCE_NUM_THREADS") == 2
    assert str(executor._compiled.get_property("PERFORMANCE_HINT")).endswith(hint.upper())
    assert executor.side_by_side == (1 if hint == "latency" else 2)


@pytest.mark.parametrize("hint", ["latency", "throughput"])
def test_many_threads_get_what_each_would_alone(trained, hint):
    executor = OpenVINO(trained, Settings(hint=hint, cache=None))
    tiles = [np.random.default_rng(seed).random((1, 3, 32, 48), np.float32) for seed in range(8)]
    alone = [executor.run(codes=tile) for tile in tiles]
    together = threading.Barrier(4)

    def one(tile):
        together.wait()
        return executor.run(codes=tile)

    with ThreadPoolExecutor(4) as pool:
        for given, expected in zip(pool.map(one, tiles), alone, strict=True):
            np.testing.assert_array_equal(given, expected)


def test_a_copy_of_a_model_elsewhere_takes_the_same_file_of_the_cache(tiny_model, compiled, tmp_path):
    for place in ("one", "two"):
        shutil.copytree(tiny_model, tmp_path / place)
        run(Model.load(tmp_path / place).stage("dequantize").networks["dequantize"], cache=tmp_path / "cache")
    assert len(compiled) == 1


COME_AND_GONE = """
import gc, signal, threading, time
from hdrnodes.bench.peaks import openvino_works

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have it ignored by what runs in the background
works = [openvino_works("float32", 1)]
next(works[0])
ending = threading.Thread(target=lambda: (works.clear(), gc.collect()))
ending.start()
ending.join()
try:
    signal.raise_signal(signal.SIGINT)
    time.sleep(10)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_finds_its_stack_whichever_thread_ends_what_was_compiled():
    ran = subprocess.run([sys.executable, "-c", COME_AND_GONE], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "interrupted\n"), ran.stderr


WHAT_IS_IMPORTED = """
import sys
from hdrnodes.runtime.openvino import core

core()
print([name for name in sys.modules if name.startswith("openvino_telemetry")])
"""


def test_openvino_is_imported_without_its_telemetry():
    ran = subprocess.run([sys.executable, "-c", WHAT_IS_IMPORTED], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "[]\n"), ran.stderr
