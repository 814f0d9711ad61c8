"""Half precision: how near it is to float32, where its graphs cast, and that an export which would overflow fails."""

import copy
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'hdrnodes[train]'")
onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'hdrnodes[train]'")

from hdrnodes.camera.clipping import clip_mask
from hdrnodes.camera.evidence import EVIDENCE
from hdrnodes.camera.response import invert_response
from hdrnodes.errors import ModelError
from hdrnodes.models import Model, engines_folder
from hdrnodes.networks import build, load
from hdrnodes.networks.audit_plates import as_plate, drawn_plates, network_inputs
from hdrnodes.networks.export import StageExport, export_model
from hdrnodes.networks.half import half_precision
from hdrnodes.networks.published import Published
from hdrnodes.networks.range_audit import LARGEST, Audit, Layer, Ranges, audit
from hdrnodes.runtime.openvino import core

# Casts from and to half in a graph: in, out, and for `hallucinate` the context. Around each normalisation over the
# frame (18 of them) and mean over it there are two more; those networks see small frames, once.
CASTS = {
    "dequantize": 2,
    "linearize": 0,
    "hallucinate": 3,
    "hallucinate_overview": 2 + 2 * 18 + 2,
    "refine": 0,
    "refine_overview": 2 + 2,
}


@pytest.fixture(scope="module", autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def default() -> dict[str, torch.nn.Module]:
    """The shipped networks, by name."""
    return {network.name: load(network) for network in described()}


@pytest.fixture(scope="module")
def plate() -> torch.Tensor:
    """A corner of a drawn plate; torch's half convolutions are slow on a CPU."""
    return drawn_plates(2)[1][..., 64:128, 64:160].contiguous()


def described():
    return Model.load(engines_folder() / "default").networks()


def reconstruct(networks, codes) -> torch.Tensor:
    """The chain of `default` as the nodes have it, but for refine, which changes nothing as it is shipped."""
    display = networks["dequantize"](codes)
    told = [tell(display) for tell in EVIDENCE.values()]
    linear = invert_response(display, networks["linearize"](display, *told)[:, None])
    context = networks["hallucinate_overview"](linear)
    radiance = networks["hallucinate"](linear, context, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    return linear + clip_mask(linear, channels=1) * radiance.clamp(min=0)


def test_the_chain_in_torchs_half_is_as_in_float32(default, plate):
    expected = reconstruct(default, plate)
    found = reconstruct({name: half_precision(network) for name, network in default.items()}, plate)
    stops = torch.log2(found.clamp(min=2**-10)) - torch.log2(expected.clamp(min=2**-10))
    clipped = (plate.amax(dim=1, keepdim=True) > 250 / 255).expand_as(stops)
    assert 0.01 < clipped.float().mean() < 0.5
    assert 0 < stops[~clipped].square().mean().sqrt() < 0.01
    assert stops[clipped].square().mean().sqrt() < 0.02


def test_the_audit_computes_what_torchs_half_does(default, plate):
    half = half_precision(default["dequantize"])
    genuine = half(plate)
    ranges = Ranges()
    with ranges.of(half):
        emulated = half(plate)
    exact = default["dequantize"](plate)
    assert (emulated - genuine).square().mean() < (exact - genuine).square().mean()
    assert (emulated - genuine).abs().max() < 2e-4  # a twentieth of a code
    assert next(iter(ranges.layers)) == "cast to half"
    assert {f"unet.down.{level}.first: convolution" for level in range(4)} < ranges.layers.keys()


@pytest.mark.parametrize("network", described(), ids=lambda network: network.name)
def test_the_shipped_graphs_cast_no_more_than_they_must(network):
    graph = onnx.load(network.verified_onnx("fp16")).graph
    half = {value.name for value in graph.value_info if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16}
    casts = [node for node in graph.node if node.op_type == "Cast" and half & {*node.input, *node.output}]
    assert len(casts) <= CASTS[network.name]
    halved = [
        tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT16 and tensor.dims[1:]
    ]
    assert bool(halved) == bool(casts) == bool(CASTS[network.name])
    for value in (*graph.input, *graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


@pytest.mark.parametrize("network", described(), ids=lambda network: network.name)
def test_the_shipped_half_graphs_answer_nearly_as_those_in_float32(network, default, plate):
    pytest.importorskip("openvino")
    overview = default.get(f"{network.name}_overview")
    (inputs,) = network_inputs(default[network.name], overview, 64, [plate])
    answers = []
    for precision in ("float32", "fp16"):
        hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        compiled = core().compile_model(network.verified_onnx(precision), "CPU", hints)
        answers.append(compiled({name: value.numpy() for name, value in inputs.items()})[0])
    # OpenVINO widens half on a CPU, so that only the weights are rounded.
    assert np.abs(answers[0] - answers[1]).max() < 1e-3 * max(1, np.abs(answers[0]).max())


def test_the_records_of_the_shipped_networks_say_what_the_audit_found(default):
    network = next(each for each in described() if each.name == "hallucinate")
    overview = default["hallucinate_overview"]
    inputs = list(network_inputs(default["hallucinate"], overview, 160, drawn_plates()))
    found = audit("hallucinate", default["hallucinate"], half_precision(default["hallucinate"]), inputs)
    found.check()
    assert found.largest.largest == pytest.approx(network.fp16.largest, rel=0.01)
    assert found.largest.name == network.fp16.largest_in
    assert found.rms == pytest.approx(network.fp16.error_rms, rel=0.2)


@pytest.mark.parametrize("scale", [1e4, 1e7], ids=["what it computes", "its weights"])
def test_an_export_that_would_overflow_fails_and_leaves_nothing(scale, default, tmp_path):
    broken = copy.deepcopy(default["dequantize"])
    broken.unet.down[1].first.weight *= scale
    stages = {"dequantize": StageExport("default", {"dequantize": broken})}
    problem = r"network dequantize: \d+ values of layer unet\.down\.1\.first: convolution overflow half precision"
    with pytest.raises(ModelError, match=problem):
        export_model(tmp_path / "broken", "broken", "1", "-", "", {}, stages)
    assert list(tmp_path.iterdir()) == []


def test_what_comes_near_the_end_of_half_is_warned_of(caplog):
    def audited(largest: float) -> Audit:
        return Audit("loud", (Layer("head: convolution", largest, values=1),), None, 0.0, 0.0)

    audited(0.4 * LARGEST).check()
    assert not caplog.text
    audited(0.6 * LARGEST).check()
    assert "network loud: layer head: convolution goes up to 3.93e+04, and half precision to 65504" in caplog.text


def test_what_half_loses_at_the_bottom_is_counted(default, plate):
    faint = copy.deepcopy(default["dequantize"])
    faint.head.weight *= 1e-6
    faint.head.bias *= 1e-6
    found = audit("faint", faint, half_precision(faint), [{"codes": plate}])
    assert found.most_lost.name == "head: convolution" and found.most_lost.lost_share > 0.9
    assert found.record()["lost_in"] == "head: convolution"


@pytest.mark.parametrize("name", ["dequantize", "linearize", "hallucinate", "refine"])
def test_published_networks_in_half_are_nearly_as_in_float32(name):
    torch.manual_seed(1)
    network = getattr(Published(), name).eval()
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):  # as if it had been trained
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
            part.weight.uniform_(0.5, 2)
            part.bias.normal_(0, 0.1)
    if name == "linearize":
        network.directions.normal_(0, 0.1)
    half = half_precision(network)
    plates = [each[..., :64, :96] for each in drawn_plates(1)]
    found = audit(name, network, half, list(network_inputs(network, None, 0, plates)))
    found.check()
    (inputs,) = network_inputs(network, None, 0, plates)
    assert found.rms < 2e-3 * float(network(*inputs.values()).abs().max())
    assert found.rms > 0
    kinds = {parameter.dtype for parameter in half.parameters()}
    assert kinds == ({torch.float16} if name in ("dequantize", "refine") else {torch.float16, torch.float32})


def test_vgg16s_features_reach_thousands_and_the_half_copy_has_them_small(plate):
    network = build("published", "hallucinate", {}).eval()
    for level in network.encoder:  # features as large as those of VGG16, which the published weights began as
        for part in level.modules():
            if isinstance(part, torch.nn.Conv2d):
                part.weight *= 2.5
    loud = network.encoder[0](255 * plate)
    for level in network.encoder[1:]:
        loud = level(torch.nn.functional.max_pool2d(loud, 2))
    found = audit("hallucinate", network, half_precision(network), [{"linear": plate}])
    encoder = [layer.largest for layer in found.layers if layer.name.startswith("encoder")]
    assert max(encoder) < float(loud.max()) / 20


def test_a_plate_of_ones_own_becomes_codes_of_modest_size():
    picture = torch.rand(40, 1200, 3)
    plate = as_plate(picture)
    assert plate.shape == (1, 3, 17, 512)
    torch.testing.assert_close(plate * 255, (plate * 255).round())


def test_a_network_of_which_nothing_may_be_half_stays_float32(default):
    half = half_precision(default["linearize"])
    assert {parameter.dtype for parameter in half.parameters()} == {torch.float32}
    assert all(network.fp16.onnx == network.onnx for network in described() if not default[network.name].half_parts)
    assert {path.name for path in Path(engines_folder(), "default").glob("*.fp16.onnx")} == {
        f"{network.name}.fp16.onnx" for network in described() if default[network.name].half_parts
    }
