"""How often a frame makes the host wait for the GPU: once for the curve, if it is estimated, and once for the result.

A pretended GPU counts; a real one would be waited for as often.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'hdrnodes[train]'")

from pretended_gpu import GPU, PretendedGpu, There, numbers

import hdrnodes
from hdrnodes import transfer
from hdrnodes.graph import Graph
from hdrnodes.hookspecs import hookimpl
from hdrnodes.image import Image
from hdrnodes.models import find_models
from hdrnodes.nodes.base import Context
from hdrnodes.nodes.read import Read
from hdrnodes.nodes.write import Write
from hdrnodes.pipeline import add_stages
from hdrnodes.plugins import Plugins
from hdrnodes.runtime import Runtime, Settings
from hdrnodes.runtime.torch.executor import Torch

pytestmark = pytest.mark.skipif("default" not in find_models(), reason="engines/ has no model default")


class OnPretendedGpu(Torch):
    """Computes on the CPU what it is given there."""

    on_device = True

    def run(self, **inputs):
        assert all(isinstance(each, There) for each in inputs.values())
        return There(super().run(**{name: each.here for name, each in inputs.items()}))


def runtime(executor, tile=None):
    class OneExecutor:
        @hookimpl
        def register_executors(self):
            return [executor]

        @hookimpl
        def register_models(self):
            return {"default": find_models()["default"]}

    plugins = Plugins()
    plugins.register(OneExecutor(), "studio", "a test")
    return Runtime("torch", tile=tile, plugins=plugins, settings=Settings(cache=None))


@pytest.fixture(scope="module")
def there():
    return runtime(OnPretendedGpu)


@pytest.fixture(scope="module")
def here():
    return runtime(Torch)


def plate(height=96, width=128):
    """Colours with edges, noise, and a clipped corner, as codes."""
    random = np.random.default_rng(0)
    blocks = random.random((height // 8, width // 8, 3)).repeat(8, axis=0).repeat(8, axis=1)
    mixed = (blocks + np.roll(blocks, 1, axis=0) + np.roll(blocks, 1, axis=1)) / 3
    mixed = mixed + random.normal(0, 0.01, mixed.shape)
    mixed[:24, :40] = 1.2
    return (mixed.clip(0, 1) * 255).round().astype(np.uint8)


def chain(**knobs):
    graph = Graph(inputs=["image"])
    graph.outputs = (add_stages(graph, "image", **knobs),)
    return graph


def run(graph, runtime, image, device=None):
    (made,) = graph.run(Context(runtime=runtime, device=device, say=lambda text: None), {"image": image}).values()
    return made


def close(there, here):
    """The result of both, in stops over half's grain."""
    apart = np.log2(np.maximum(there, 0) + 2**-8) - np.log2(np.maximum(here, 0) + 2**-8)
    assert np.abs(apart).max() < 0.01


@pytest.mark.parametrize(
    ("knobs", "waits"),
    [({"curve": "srgb"}, 0), ({}, 1), ({"per_channel": True}, 1), ({"output": "mask"}, 1)],
    ids=["srgb", "estimate", "per channel", "mask"],
)
def test_of_a_frame_the_gpu_is_asked_for_the_curve_and_the_result(knobs, waits, there, here):
    expected = run(chain(**knobs), here, Image.from_array(plate()))
    with PretendedGpu() as gpu:
        run(chain(**knobs), there, Image.from_array(plate(), device=GPU))  # what is kept on the GPU is brought once
        gpu.waits.clear()
        made = run(chain(**knobs), there, Image.from_array(plate(), device=GPU))
        assert len(gpu.waits) == waits, gpu.waits
        halves, beyond = transfer.halves(made.pixels)
        assert len(gpu.waits) == waits + 1, gpu.waits
    close(numbers(made.pixels), expected.pixels)
    assert halves.dtype == np.float16 and beyond == 0
    np.testing.assert_array_equal(halves, numbers(made.pixels).astype(np.float16))


def test_of_several_tiles_the_gpu_is_asked_once_which_have_clipped(here):
    runtime_there = runtime(OnPretendedGpu, tile=256)
    codes = plate(320, 448)
    expected = run(chain(curve="srgb"), runtime(Torch, tile=256), Image.from_array(codes))
    with PretendedGpu() as gpu:
        run(chain(curve="srgb"), runtime_there, Image.from_array(codes, device=GPU))
        gpu.waits.clear()
        made = run(chain(curve="srgb"), runtime_there, Image.from_array(codes, device=GPU))
        assert len(gpu.waits) == 1, gpu.waits
    close(numbers(made.pixels), expected.pixels)


def test_pixels_that_are_no_codes_are_looked_at_once_more(there, here):
    pixels = plate().astype(np.float32) / 255
    with PretendedGpu() as gpu:
        run(chain(curve="srgb"), there, Image.from_array(pixels).to_device(GPU))
        gpu.waits.clear()
        run(chain(curve="srgb"), there, Image.from_array(pixels).to_device(GPU))
        assert len(gpu.waits) == 1, gpu.waits


@pytest.mark.parametrize("name", ["plate.png", "plate.jpg"])
def test_of_a_file_codes_go_up_and_halves_come_down(name, there, here, tmp_path, monkeypatch):
    sent, bring = [], transfer.moved
    monkeypatch.setattr(transfer, "moved", lambda array, device: sent.append(array.dtype) or bring(array, device))
    hdrnodes.write(Image.from_array(plate()), tmp_path / name)
    graph = Graph()
    last = add_stages(graph, graph.add(Read(path=str(tmp_path / name), colorspace="srgb_rec709_scene")), curve="srgb")
    graph.add(Write(path=str(tmp_path / "there.exr"), overwrite=True), image=last)
    with PretendedGpu() as gpu:
        for _ in range(2):
            gpu.waits.clear()
            graph.run(Context(runtime=there, device=str(GPU), say=lambda text: None))
        assert len(gpu.waits) == 1, gpu.waits
    assert sent == [np.uint8] * 2
    graph.set("write.path", str(tmp_path / "here.exr"))
    graph.run(Context(runtime=here, say=lambda text: None))
    there_, here_ = (hdrnodes.read(tmp_path / f"{each}.exr") for each in ("there", "here"))
    close(there_.pixels, here_.pixels)
    assert there_.bits == here_.bits == 16


def test_reconstruct_sends_codes_and_hands_out_numpy(there, here):
    with PretendedGpu() as gpu:
        for _ in range(2):
            gpu.waits.clear()
            context = Context(runtime=there, device=str(GPU), say=lambda text: None)
            made = hdrnodes.reconstruct(plate(), context=context, curve="srgb")
        assert len(gpu.waits) == 1, gpu.waits
    assert made.device is None
    close(made.pixels, hdrnodes.reconstruct(plate(), context=Context(runtime=here), curve="srgb").pixels)


def test_the_pretended_gpu_counts_what_a_real_one_is_waited_for():
    array = np.float32([[1, 2], [3, 4]])
    with PretendedGpu() as gpu:
        pageable = torch.from_numpy(array).to(GPU)
        assert len(gpu.waits) == 1
        for wait in (
            lambda: float(pageable.max()),
            lambda: pageable.cpu(),
            lambda: pageable[pageable > 2],
            lambda: torch.nonzero(pageable),
            lambda: torch.empty(2, 2).copy_(pageable),
            lambda: torch.tensor([1.0, 2.0]).to(GPU),
            lambda: bool(pageable.any()),
        ):
            gpu.waits.clear()
            wait()
            assert len(gpu.waits) == 1
        gpu.waits.clear()
        pinned = torch.empty(2, 2, pin_memory=True).copy_(torch.from_numpy(array)).to(GPU, non_blocking=True)
        assert not gpu.waits
        np.testing.assert_array_equal(numbers(pinned * 2 + pageable), 3 * array)
        with pytest.raises(AssertionError, match="in both places"):
            pinned + torch.ones(2, 2)
