"""Plans, built for real by TensorRT-RTX, which needs no GPU: every network of both models, and what it refuses."""

import hashlib

import fake_tensorrt
import numpy as np
import pytest

from hdrnodes.errors import ExecutorError
from hdrnodes.models import Model, engines_folder
from hdrnodes.runtime.kept import write
from hdrnodes.runtime.tensorrt.builder import build_plan
from hdrnodes.runtime.tensorrt.library import RTX_TARGETS, library_for, tensorrt_rtx, why_no_library
from hdrnodes.runtime.tensorrt.plans import Card, Plan, onnx_of
from hdrnodes.runtime.tensorrt.profiles import FRAMES, HD, PREVIEW, WHOLE_FRAME, profiles_of

NAMES = ("dequantize", "linearize", "hallucinate", "hallucinate_overview", "refine", "refine_overview")


@pytest.fixture(scope="module")
def rtx():
    try:
        library = tensorrt_rtx()
    except (ImportError, OSError) as error:
        pytest.skip(f"TensorRT-RTX cannot be loaded: {error}")
    if library is None:
        pytest.skip("needs TensorRT-RTX: pip install tensorrt-rtx-cu13-bindings tensorrt-rtx-cu13-libs")
    return library


@pytest.fixture(scope="module")
def default():
    return Model.load(engines_folder() / "default")


@pytest.mark.parametrize(
    ("ours", "real"),
    [
        (fake_tensorrt.Builder, "Builder"),
        (fake_tensorrt.Config, "IBuilderConfig"),
        (fake_tensorrt.Engine, "ICudaEngine"),
        (fake_tensorrt.ExecutionContext, "IExecutionContext"),
        (fake_tensorrt.OnnxParser, "OnnxParser"),
        (fake_tensorrt.Profile, "IOptimizationProfile"),
        (fake_tensorrt.Runtime, "Runtime"),
        (fake_tensorrt.RuntimeCache, "IRuntimeCache"),
        (fake_tensorrt.RuntimeConfig, "IRuntimeConfig"),
    ],
)
def test_the_tensorrt_that_is_not_there_has_the_calls_of_the_real_one(rtx, ours, real):
    calls = {name for name in vars(ours) if not name.startswith("_")} - {"strategy"}
    assert calls and calls <= set(dir(getattr(rtx.module, real)))


def build(library, network, precision, target="SM89"):
    onnx, _, found = onnx_of(network, precision)
    assert found == precision
    return build_plan(library, onnx, profiles_of(network), target)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_of_default(rtx, default, name):
    (network,) = [network for network in default.networks() if network.name == name]
    plan = build(rtx, network, "fp16")
    assert len(plan) > (network.folder / network.safetensors).stat().st_size / 3  # the weights are in it


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dequantize", "linearize", "hallucinate", "refine"])
def test_every_network_of_published(rtx, published, name, tmp_path):
    from hdrnodes.networks.half import half_precision
    from hdrnodes.networks.onnx_graph import to_onnx

    path = tmp_path / f"{name}.fp16.onnx"
    path.write_bytes(to_onnx(half_precision(published[name].networks[name]), name).SerializeToString())
    profiles = WHOLE_FRAME if name == "linearize" else FRAMES
    assert len(build_plan(rtx, path, profiles, "SM89")) > 0.8 * path.stat().st_size


@pytest.fixture(scope="module")
def published(rtx):
    """The stages of the published graph, with random weights."""
    pytest.importorskip("torch", reason="needs torch: pip install 'hdrnodes[train]'")
    from hdrnodes.networks.import_checkpoint import published_stages
    from hdrnodes.networks.published import Published

    return published_stages(Published())


def test_every_target(rtx, default):
    assert set(rtx.targets) >= set(RTX_TARGETS)
    network = default.stage("refine").networks["refine"]
    for target in rtx.targets:
        assert build(rtx, network, "float32", target)


def test_fp16_plans_have_half_the_weights(rtx, default):
    network = default.stage("dequantize").networks["dequantize"]
    sizes = {precision: len(build(rtx, network, precision)) for precision in ("fp16", "float32")}
    saved = sum(sign * onnx_of(network, name)[0].stat().st_size for name, sign in (("float32", 1), ("fp16", -1)))
    assert sizes["float32"] - sizes["fp16"] > 0.8 * saved > 1e6


def small(onnx, weights, dtype, cast=False):
    """An ONNX file: pixels through one convolution."""
    size = ["batch", 3, "height", "width"]
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, size) for name in ("linear", "radiance")]
    kernel = onnx.numpy_helper.from_array(np.asarray(weights, dtype).reshape(3, 3, 1, 1), "kernel")
    half, single = (onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT)
    nodes = [onnx.helper.make_node("Conv", ["half" if cast else "linear", "kernel"], ["y"], name="the_convolution")]
    nodes.append(onnx.helper.make_node("Cast", ["y"], ["radiance"], to=single))
    if cast:
        nodes.insert(0, onnx.helper.make_node("Cast", ["linear"], ["half"], to=half))
    graph = onnx.helper.make_graph(nodes, "small", ends[:1], ends[1:], [kernel])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]).SerializeToString()


def test_a_missing_cast_is_named_with_its_file(rtx, tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'hdrnodes[train]'")
    path = tmp_path / "network.fp16.onnx"
    path.write_bytes(small(onnx, np.eye(3), np.float16))
    with pytest.raises(ExecutorError, match=r"network\.fp16\.onnx: TensorRT-RTX .*the_convolution.*Float.*Half"):
        build_plan(rtx, path, [PREVIEW], "SM89")
    path.write_bytes(small(onnx, np.eye(3), np.float16, cast=True))
    assert build_plan(rtx, path, [PREVIEW], "SM89")


def test_what_is_no_onnx(rtx, tmp_path):
    path = tmp_path / "network.onnx"
    path.write_bytes(b"no graph" * 100)
    with pytest.raises(ExecutorError, match=r"network\.onnx: TensorRT-RTX .* cannot build it"):
        build_plan(rtx, path, [PREVIEW], "SM89")
    with pytest.raises(ExecutorError) as raised:
        build_plan(rtx, path, [PREVIEW], "SM89")
    assert "\n" not in str(raised.value)


def test_profiles_cost_more_than_one(rtx, tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'hdrnodes[train]'")
    path = tmp_path / "network.onnx"
    path.write_bytes(small(onnx, np.eye(3), np.float32))
    assert len(build_plan(rtx, path, [PREVIEW, HD], "SM89")) > len(build_plan(rtx, path, [PREVIEW], "SM89"))


def test_a_plan_built_ahead_is_what_a_card_of_that_kind_looks_for(rtx, default, tmp_path):
    network = default.stage("refine").networks["refine"]
    onnx, sha256, precision = onnx_of(network, "float32")
    assert hashlib.sha256(onnx.read_bytes()).hexdigest() == sha256
    ahead = Plan(network, onnx, sha256, precision, rtx, Card("SM89"), tmp_path)
    write(ahead.path, ahead.build())
    there = Plan(network, onnx, sha256, precision, rtx, Card("SM89", "NVIDIA L4", "580.65.06"), tmp_path)
    assert there.path == ahead.path and there.path.is_file()
    before = there.path.stat().st_mtime_ns
    assert len(there.load()) > 1000
    assert len(list(tmp_path.rglob("*.plan"))) == 1 and there.path.stat().st_mtime_ns >= before
    other = Plan(network, onnx, sha256, precision, rtx, Card("SM120"), tmp_path)
    assert other.path != ahead.path


def test_cards_that_tensorrt_rtx_has_nothing_for(rtx):
    if why_no_library("SM90") is None:
        pytest.skip("TensorRT, which has something for all cards, is installed too")
    with pytest.raises(ExecutorError, match=r"TensorRT-RTX has nothing for SM90; pip install tensorrt"):
        library_for("SM90")
    assert library_for("SM120") is rtx
