"""Plans of the tensorrt executor, on a card that is not there: when they are built, kept and thrown away, for which
sizes and by which TensorRT; and why it cannot run.

Real plans are in test_tensorrt_build.py.
"""

import logging
import os
import subprocess
import sys
import time
from importlib.machinery import ModuleSpec

import fake_tensorrt
import numpy as np
import pytest
from cli import hdrnodes
from small_networks import answers, inputs

from hdrnodes.errors import ExecutorError, ModelError
from hdrnodes.runtime import Settings
from hdrnodes.runtime.executor import Executor
from hdrnodes.runtime.kept import kept
from hdrnodes.runtime.tensorrt import executor as executor_module
from hdrnodes.runtime.tensorrt import library
from hdrnodes.runtime.tensorrt.executor import TensorRT
from hdrnodes.runtime.tensorrt.profiles import FRAMES, WHOLE_FRAME, profile_for, profiles_of, range_of


def test_a_plan_is_built_once(world, small_networks, settings):
    for _ in range(2):
        TensorRT(small_networks["refine"], settings).close()
    assert world.count("plan built") == 1
    assert len(list(settings.cache.glob("tensorrt/small-refine-float32-SM89-*.plan"))) == 1


def test_a_damaged_plan_is_built_again(world, small_networks, settings):
    TensorRT(small_networks["refine"], settings).close()
    (plan,) = settings.cache.glob("tensorrt/*.plan")
    for damaged in (plan.read_bytes()[:-1], b"", plan.read_bytes().replace(b"onnx", b"xnno")):
        plan.write_bytes(damaged)
        before = world.count("plan built")
        executor = TensorRT(small_networks["refine"], settings)
        assert executor.run(linear=np.ones((1, 3, 2, 2), np.float32)).mean() == 2
        executor.close()
        assert world.count("plan built") == before + 1


def test_a_plan_that_does_not_load_is_built_again_once(world, small_networks, settings):
    world.fails.add("deserialize")
    with pytest.raises(ExecutorError, match=r"refine.onnx: TensorRT cannot load what it built of it"):
        TensorRT(small_networks["refine"], settings)
    assert world.count("plan built") == 2
    assert world.events[-1] == "context released"


def test_a_card_that_fails_while_it_is_loaded_is_one_line_and_leaves_nothing(world, small_networks, settings):
    world.fails.add("configure")
    with pytest.raises(ExecutorError, match=r"refine.onnx: cannot be brought to the card: it does not say why"):
        TensorRT(small_networks["refine"], settings)
    assert world.events[-1] == "context released" and world.count("runtime freed") == 1


def test_plans_are_of_one_driver_and_card(world, small_networks, settings):
    for _ in range(2):
        TensorRT(small_networks["refine"], settings).close()
    world.driver = "580.82.07"  # of the same CUDA
    TensorRT(small_networks["refine"], settings).close()
    world.capability = (12, 0)
    TensorRT(small_networks["refine"], settings).close()
    assert world.count("plan built") == 3


def test_no_plan_is_kept_of_a_driver_that_nobody_knows(world, small_networks, settings, caplog):
    world.driver = None
    for _ in range(2):
        TensorRT(small_networks["refine"], settings).close()
    assert world.count("plan built") == 2 and not list(settings.cache.glob("tensorrt/*.plan"))
    assert "at each start, for nvidia-smi does not tell the driver's version" in caplog.text


def test_compiles_for_the_card_here_if_its_driver_is_known(world, tiny_model, tmp_path):
    world.driver = None
    ran = hdrnodes("compile", "--model", tiny_model, "-o", tmp_path)
    assert ran.exit_code == 1 and ran.stderr.count("nvidia-smi does not tell the driver's version; have it on") == 1
    world.driver = "580.65.06"
    ran = hdrnodes("compile", "--model", tiny_model, "-o", tmp_path, "--json")
    assert ran.exit_code == 0 and len(list(tmp_path.glob("tensorrt/*.plan"))) == 4


def test_plans_that_nobody_uses_go(world, small_networks, settings):
    TensorRT(small_networks["refine"], settings).close()
    (old,) = settings.cache.glob("tensorrt/*.plan")
    os.utime(old, times=(time.time() - 90 * 86_400,) * 2)
    TensorRT(small_networks["hallucinate"], settings).close()
    assert not old.exists()


def test_a_plan_in_use_stays(world, small_networks, settings):
    TensorRT(small_networks["refine"], settings).close()
    (plan,) = settings.cache.glob("tensorrt/*.plan")
    os.utime(plan, times=(time.time() - 90 * 86_400,) * 2)
    TensorRT(small_networks["refine"], settings).close()
    TensorRT(small_networks["hallucinate"], settings).close()
    assert plan.exists()


def test_what_was_timed_is_kept(world, small_networks, settings):
    for name in ("refine", "hallucinate"):
        TensorRT(small_networks[name], settings).close()
    (timing,) = settings.cache.glob("tensorrt/*.timing")
    assert kept(timing) == b"timed;timed;"


def test_no_folder_for_plans(world, small_networks, tmp_path, caplog):
    (tmp_path / "tensorrt").write_text("no folder")
    with caplog.at_level(logging.WARNING):
        TensorRT(small_networks["refine"], Settings(precision="float32", cache=tmp_path)).close()
    assert "tensorrt" in caplog.text
    TensorRT(small_networks["refine"], Settings(precision="float32", cache=None)).close()


def test_a_network_that_cannot_be_built(world, small_networks, settings):
    world.fails.add("build")
    with pytest.raises(ExecutorError, match=r"refine.onnx: TensorRT 11.4.0.106 cannot build it"):
        TensorRT(small_networks["refine"], settings)
    assert world.events[-1] == "context released"


def test_another_networks_file(world, small_networks, settings):
    described = small_networks["refine"].model_copy(update={"inputs": ("linear", "context")})
    with pytest.raises(ModelError, match="is from linear to radiance, where model.toml has linear, context"):
        TensorRT(described, settings)


def test_bf16_is_refused(world, small_networks):
    with pytest.raises(ExecutorError, match="no bf16"):
        TensorRT(small_networks["refine"], Settings(precision="bf16"))


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


def test_tensorrt_rtx_keeps_the_kernels_that_it_finished_here(world, rtx, small_networks, settings):
    for _ in range(2):
        executor = TensorRT(small_networks["hallucinate"], settings)
        given = inputs(5, 7)
        for _ in range(3):
            assert np.array_equal(executor.run(**given), answers(small_networks, given))
        executor.close()
    assert world.count("plan built") == 1 and world.count("graph launched") == 4
    (plan,) = settings.cache.glob("tensorrt/*.plan")
    assert kept(plan.with_suffix(".jit")) == b"kernels;kernels;"
    world.driver = None  # of TensorRT-RTX a plan is for any driver
    TensorRT(small_networks["hallucinate"], settings).close()
    assert world.count("plan built") == 1


def test_tensorrt_rtx_says_what_no_graph_can_be_made_of(world, rtx, small_networks, settings):
    world.fails.add("capturable")
    executor = TensorRT(small_networks["refine"], settings)
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


def test_networks_that_see_the_whole_frame_have_profiles_of_their_own(small_networks):
    wanted = {"hallucinate": FRAMES, "hallucinate_overview": WHOLE_FRAME, "linearize": WHOLE_FRAME}
    named = {name: small_networks["hallucinate"].model_copy(update={"name": name}) for name in wanted}
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
