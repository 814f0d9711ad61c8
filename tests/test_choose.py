"""Which executor is taken: the best that runs, by a reason that is said; what cannot be had is one line."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
from doubling import Doubling

import hdrnodes
from hdrnodes import frames
from hdrnodes.errors import ExecutorError, ModelError
from hdrnodes.hookspecs import hookimpl
from hdrnodes.models import Model
from hdrnodes.plugins import Plugins, installed_plugins
from hdrnodes.runtime import Runtime, Settings
from hdrnodes.runtime.choose import Choice
from hdrnodes.runtime.gpus import has_driver
from hdrnodes.runtime.torch import Torch, TorchOnGpu, build


def executor(name, why_not=None, gpu=None, **more):
    """A class that runs, or says why not; where `gpu` is given, on GPUs alone or on them too."""

    def make(on_device, why_not, **more):
        why = classmethod(lambda cls: why_not)
        return type(name, (Doubling,), {"name": name, "on_device": on_device, "why_not": why, **more})

    if gpu is None:
        return make(name == "tensorrt", why_not, **more)
    made, on_gpu = make(False, why_not, **more), make(True, gpu or None, **more)
    made.on_gpu = on_gpu.on_gpu = on_gpu
    return made


def by_name(*executors):
    return {each.name: each for each in executors}


@pytest.mark.parametrize(
    ("name", "executors", "reason"),
    [
        ("auto", [executor("openvino"), executor("torch", gpu="no driver"), executor("tensorrt", "no driver")],
         "openvino; not tensorrt: no driver; not torch on the GPU: no driver"),
        ("auto", [executor("openvino"), executor("torch", gpu=""), executor("tensorrt")], "tensorrt"),
        ("auto", [executor("openvino"), executor("torch", gpu=""), executor("tensorrt", "TensorRT 8 is too old")],
         "torch on the GPU; not tensorrt: TensorRT 8 is too old"),
        ("auto", [executor("openvino", "not installed"), executor("torch", gpu="no driver")],
         "torch on the CPU; not torch on the GPU: no driver; not openvino: not installed"),
        ("auto", [executor("torch"), executor("doubling")], "torch"),
        ("doubling", [executor("doubling"), executor("tensorrt")], "doubling, as asked for"),
        ("torch", [executor("torch", gpu=""), executor("tensorrt")], "torch on the GPU, as asked for"),
        ("torch", [executor("torch", gpu="no driver"), executor("openvino")],
         "torch on the CPU, as asked for; not torch on the GPU: no driver"),
    ],
)  # fmt: skip
def test_the_best_that_runs_is_taken_and_the_reason_said(name, executors, reason):
    choice = Choice(name, by_name(*executors))
    assert choice.reason == reason
    assert choice.executor.name == reason.split(";")[0].split(",")[0].split(" ")[0]
    assert choice.executor.on_device == (reason.startswith(("tensorrt", "torch on the GPU")))


@pytest.mark.parametrize(
    ("name", "executors", "words"),
    [
        ("openvin", [executor("openvino")], "executor openvin: not known; did you mean openvino"),
        ("doubling", [executor("doubling", "its licence server is down")],
         "executor doubling: cannot run here: its licence server is down; or let --executor auto choose"),
        ("torch", [executor("torch", "not installed", gpu="not installed")],
         "executor torch: cannot run here: not installed; or let"),
        ("auto", [executor("openvino", "not installed"), executor("tensorrt", "no driver")],
         "executor auto: not tensorrt: no driver; not openvino: not installed; pip install openvino"),
        ("auto", [], "executor auto: none is installed; pip install openvino"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_one_line(name, executors, words):
    with pytest.raises(ExecutorError) as raised:
        Choice(name, by_name(*executors))
    assert str(raised.value).startswith(words)
    assert "\n" not in str(raised.value)


def test_those_after_the_one_that_is_taken_are_not_asked():
    def ask(cls):
        raise AssertionError("to ask torch takes seconds")

    unasked = type("Unasked", (Doubling,), {"name": "torch", "on_device": True, "why_not": classmethod(ask)})
    assert Choice("auto", by_name(executor("tensorrt"), unasked)).executor.name == "tensorrt"


def failing(problem, error=ExecutorError):
    def cannot_load(self, network, settings):
        raise error("dequantize.onnx", problem, "take another")

    return cannot_load


def runtime_of(name, model, *executors):
    class Plugin:
        @hookimpl
        def register_executors(self):
            return list(executors)

        @hookimpl
        def register_models(self):
            return {"default": model}

    plugins = Plugins()
    plugins.register(Plugin(), "studio", "a test")
    return Runtime(name, plugins=plugins)


def test_auto_takes_the_next_one_where_a_network_cannot_be_loaded_and_says_so_once(tiny_model, caplog):
    broken = executor("tensorrt", __init__=failing("TensorRT 11.4 cannot build it: a Cast is missing"))
    runtime = runtime_of("auto", tiny_model, broken, executor("openvino"))
    codes = np.full((4, 5, 3), 0.25, np.float32)
    assert runtime.executor.name == "tensorrt"
    with caplog.at_level(logging.WARNING, "hdrnodes"):
        for _ in range(2):
            assert (runtime.run("dequantize", "default", codes) == 0.5).all()
        runtime.run("refine", "default", codes, codes, codes)
    problem = "dequantize.onnx: TensorRT 11.4 cannot build it: a Cast is missing; take another"
    assert caplog.messages == [f"executor tensorrt cannot be used ({problem}); takes openvino"]
    assert runtime.executor.name == "openvino"
    assert runtime.reason == f"openvino; not tensorrt: {problem}"


def test_memory_is_asked_of_the_executor_that_is_taken_in_the_end(tiny_model):
    def with_memory(size):
        return {"free_memory": classmethod(lambda cls: size)}

    broken = executor("tensorrt", __init__=failing("the driver is too old"), **with_memory(10**12))
    runtime = runtime_of("auto", tiny_model, broken, executor("openvino", **with_memory(10**10)))
    assert runtime._memory == frames.SHARE * 10**12
    runtime.run("dequantize", "default", np.zeros((4, 5, 3), np.float32))
    assert runtime._memory == frames.SHARE * 10**10


def test_an_executor_that_was_asked_for_and_fails_is_an_error(tiny_model):
    broken = executor("tensorrt", __init__=failing("the plan is of another card"))
    with pytest.raises(ExecutorError, match=r"^dequantize\.onnx: the plan is of another card; take another$"):
        runtime_of("tensorrt", tiny_model, broken, executor("openvino")).run(
            "dequantize", "default", np.zeros((4, 5, 3), np.float32)
        )


def test_a_network_that_none_can_load_names_all_of_them(tiny_model):
    broken = [executor(name, __init__=failing(f"{name} is out of order")) for name in ("tensorrt", "openvino")]
    with pytest.raises(ExecutorError, match="not tensorrt: .* tensorrt is out .*; not openvino: .* openvino is out of"):
        runtime_of("auto", tiny_model, *broken).run("dequantize", "default", np.zeros((4, 5, 3), np.float32))


def test_a_broken_model_is_no_reason_to_take_another_executor(tiny_model):
    broken = executor("tensorrt", __init__=failing("is not what its hash says", ModelError))
    runtime = runtime_of("auto", tiny_model, broken, executor("openvino"))
    with pytest.raises(ModelError, match="is not what its hash says"):
        runtime.run("dequantize", "default", np.zeros((4, 5, 3), np.float32))
    assert runtime.executor is broken


@pytest.mark.skipif(has_driver(), reason="there is a driver here")
def test_on_this_machine_without_a_driver_auto_takes_openvino_and_says_what_the_others_lack():
    pytest.importorskip("openvino")
    reason = Choice("auto", installed_plugins().executors).reason
    assert reason.startswith("openvino; not ")
    assert "not torch on the GPU: " in reason
    assert any(lack in reason for lack in ("not installed", "without CUDA", "no NVIDIA driver"))


# What builds of torch write into their version file, as far as it matters.
VERSIONS = {
    "cpu": ("__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\nhip: Optional[str] = None\n", False),
    "cuda": ("__version__ = '2.13.0+cu130'\ncuda: Optional[str] = '13.0'\n", True),
    "old cpu": ("__version__ = '2.6.0'\ncuda = None\n", False),
    "says nothing": ("__version__ = '3.0'\n", True),
    "is no Python": ("cuda: =", True),
}


@pytest.mark.parametrize(("text", "expected"), VERSIONS.values(), ids=VERSIONS)
def test_torch_is_asked_only_where_it_may_be_built_for_cuda(tmp_path, monkeypatch, text, expected):
    (tmp_path / "version.py").write_text(text)
    package = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(build, "find_spec", lambda name: package)
    assert build.is_built_for_cuda() is expected


def test_the_version_file_of_the_torch_here_says_what_torch_says():
    torch = pytest.importorskip("torch")
    assert build.is_built_for_cuda() == (torch.version.cuda is not None)


@pytest.mark.parametrize(
    ("missing", "built", "driver", "words"),
    [
        (("torch", "safetensors"), True, True, "torch and safetensors not installed; pip install 'hdrnodes[train]'"),
        ((), False, True, "this torch is built without CUDA; https://"),
        ((), True, False, "there is no NVIDIA driver"),
    ],
)
def test_why_torch_has_no_gpu_is_told_without_importing_it(monkeypatch, missing, built, driver, words):
    monkeypatch.setattr(build, "find_spec", lambda name: None if name in missing else object())
    monkeypatch.setattr(build, "is_built_for_cuda", lambda: built)
    monkeypatch.setattr(build, "has_driver", lambda: driver)
    monkeypatch.setitem(__import__("sys").modules, "torch", None)  # an import of it would fail
    assert TorchOnGpu.why_not().startswith(words)
    assert Torch.why_not() == (TorchOnGpu.why_not() if missing else None)


def test_a_torch_that_cannot_be_imported_is_passed_over(monkeypatch, tiny_model):
    network = Model.load(tiny_model).stage("dequantize").networks["dequantize"]
    monkeypatch.setattr(build, "is_built_for_cuda", lambda: True)
    monkeypatch.setattr(build, "has_driver", lambda: True)
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    assert build.why_no_gpu().startswith("torch cannot be imported: ")
    with pytest.raises(ExecutorError, match="executor torch: torch cannot be imported: .*; install it again"):
        Torch(network, Settings(cache=None))


def test_a_driver_that_is_too_old_for_torch_is_told_in_its_words(monkeypatch):
    torch = pytest.importorskip("torch")
    warnings = __import__("warnings")

    def is_available():
        warnings.warn("CUDA initialization: The NVIDIA driver on your\nsystem is too old", stacklevel=1)
        return False

    monkeypatch.setattr(build, "is_built_for_cuda", lambda: True)
    monkeypatch.setattr(build, "has_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    assert build.why_no_gpu() == "CUDA initialization: The NVIDIA driver on your system is too old"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert build.why_no_gpu().startswith("torch finds no GPU")


def test_reconstruct_goes_on_with_the_next_executor(tiny_model, caplog):
    """From a whole picture's side: an answer, one line, no traceback."""
    from hdrnodes.nodes.base import Context

    broken = executor("tensorrt", __init__=failing("the driver is older than CUDA 13"))
    runtime = runtime_of("auto", tiny_model, broken, installed_plugins().executors["openvino"])
    picture = hdrnodes.reconstruct(np.full((8, 9, 3), 100, np.uint8), context=Context(runtime=runtime))
    assert picture.pixels.shape == (8, 9, 3)
    assert sum("cannot be used" in message for message in caplog.messages) == 1
