"""The published system: its own numbers, stage by stage and whole; sizes it never took; ONNX."""

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'hdrnodes[train]'")

import parity

from hdrnodes.errors import ModelError
from hdrnodes.networks.half import half_precision
from hdrnodes.networks.import_checkpoint import published_stages
from hdrnodes.networks.onnx_graph import to_onnx
from hdrnodes.networks.published import NETWORKS, from_tensorflow
from hdrnodes.networks.published.unet import twice_the_size
from hdrnodes.runtime.openvino import core

PARITY = 1e-4  # of each output's range


@pytest.fixture(scope="module")
def reference():
    return parity.reference()


@pytest.fixture(scope="module")
def weights():
    return parity.weights()


@pytest.fixture(scope="module")
def published(weights, reference):
    return from_tensorflow(weights, (reference["emor_g0"], reference["emor_hinv"]))


@pytest.fixture(scope="module")
def picture(reference):
    """A picture of the reference as a tensor, N x C x H x W."""
    return lambda name: torch.from_numpy(reference[name]).permute(0, 3, 1, 2)


def nhwc(tensor) -> np.ndarray:
    return tensor.permute(0, 2, 3, 1).numpy()


@pytest.fixture(scope="module", autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def test_dequantize_has_parity(published, picture, reference):
    codes = picture("input")
    raw = codes + torch.tanh(published.dequantize.unet(codes))
    assert parity.relative_difference(nhwc(raw), reference["deq_raw"]) < PARITY
    assert parity.relative_difference(nhwc(published.dequantize(codes)), reference["C_pred"]) < PARITY


def test_linearize_has_parity_inside_too(published, picture, reference):
    seen = {}
    hook = published.linearize.weigh.register_forward_hook(
        lambda module, inputs, output: seen.update(lin_feat512=inputs[0], lin_pca_w=output)
    )
    curve = published.linearize(picture("C_pred"))
    hook.remove()
    for name, value in seen.items():
        assert parity.relative_difference(value.numpy(), reference[name]) < PARITY, name
    assert parity.relative_difference(curve.numpy(), reference["invcrf"]) < PARITY


def test_hallucinate_has_parity(published, picture, reference):
    radiance = published.hallucinate(picture("B_pred"))
    assert parity.relative_difference(nhwc(radiance), np.maximum(reference["hal_raw"], 0)) < PARITY


def test_refine_has_parity(published, picture, reference):
    refined = published.refine(picture("A_pred"), picture("B_pred"), picture("C_pred"))
    assert parity.relative_difference(nhwc(refined), reference["ref_out"]) < PARITY


def test_the_whole_has_parity(published, picture, reference):
    result = published(picture("input"))
    assert result._fields == ("C", "curve", "B", "A", "out")
    assert parity.relative_difference(result.curve.numpy(), reference["invcrf"]) < PARITY
    for tensor, name in (("C", "C_pred"), ("B", "B_pred"), ("A", "A_pred"), ("out", "ref_out")):
        assert parity.relative_difference(nhwc(getattr(result, tensor)), reference[name]) < PARITY, name


def test_twice_the_size_is_tensorflow_ones_bilinear():
    x = torch.tensor([[0.0, 1.0, 4.0], [2.0, 2.0, 2.0]])[None, None]
    rows = torch.tensor([[0, 0.5, 1, 2.5, 4, 4], [2, 2, 2, 2, 2, 2]])
    expected = torch.stack([rows[0], (rows[0] + rows[1]) / 2, rows[1], rows[1]])
    torch.testing.assert_close(twice_the_size(x)[0, 0], expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 45), (37, 50)], ids=str)
def test_any_size_comes_back_finite_and_in_range(published, size):
    result = published(torch.rand(2, 3, *size))
    assert result.out.shape == result.C.shape == (2, 3, *size)
    assert all(tensor.isfinite().all() for tensor in result)
    assert result.C.min() >= 0 and result.C.max() <= 1
    assert (result.curve.diff() >= 0).all()
    assert (result.curve[:, 0] == 0).all() and (result.curve[:, -1] == 1).all()


def test_an_edge_is_continued_so_the_corner_is_that_of_the_picture_made_larger(published):
    codes = torch.rand(1, 3, 32, 32)
    codes[..., 24:, :], codes[..., 24:] = codes[..., 23:24, :], codes[..., 23:24]
    torch.testing.assert_close(published.dequantize(codes[..., :24, :24]), published.dequantize(codes)[..., :24, :24])


@pytest.mark.slow
@pytest.mark.parametrize("size", [(61, 83), (32, 32)], ids=str)
@pytest.mark.parametrize("stage", NETWORKS)
def test_onnx_agrees_with_torch_at_sizes_other_than_the_examples(published, onnx_of, stage, size):
    network = getattr(published, stage)
    inputs = {name: torch.rand(1, 3, *size) for name in network.example_inputs()}
    result = onnx_of(stage)({name: value.numpy() for name, value in inputs.items()})[network.output]
    assert parity.relative_difference(result, network(*inputs.values()).numpy()) < 1e-3


@pytest.fixture(scope="module")
def onnx_of(published):
    """Stage name -> its ONNX, compiled by OpenVINO in float32; each exported once."""
    pytest.importorskip("openvino")
    compiled = {}

    def compile_stage(stage):
        if stage not in compiled:
            graph = to_onnx(getattr(published, stage), stage).SerializeToString()
            hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
            compiled[stage] = core().compile_model(core().read_model(graph), "CPU", hints)
        return compiled[stage]

    return compile_stage


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "inputs", "output"),
    [
        ("dequantize", ["input"], "C_pred"),
        ("linearize", ["C_pred"], "invcrf"),
        ("hallucinate", ["B_pred"], "hal_raw"),
        ("refine", ["A_pred", "B_pred", "C_pred"], "ref_out"),
    ],
)
def test_fp16_onnx_is_near_the_published_numbers(published, picture, reference, stage, inputs, output):
    pytest.importorskip("openvino")
    graph = to_onnx(half_precision(getattr(published, stage)), stage).SerializeToString()
    compiled = core().compile_model(core().read_model(graph), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answer = torch.from_numpy(compiled([picture(name).numpy() for name in inputs])[0])
    found = answer.numpy() if answer.ndim == 2 else nhwc(answer)
    assert parity.relative_difference(found, np.maximum(reference[output], 0)) < 5e-3


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["dequantize", "hallucinate", "refine"])
def test_a_tile_with_its_halo_is_as_the_whole(published, stage):
    described = published_stages(published)[stage]
    network, beyond, halo = described.networks[stage], 2 * described.multiple, described.halo
    inner, tile = beyond + halo, slice(beyond, beyond + 2 * halo + 32)
    pictures = torch.rand(len(network.example_inputs()), 1, 3, 2 * inner + 32, 2 * inner + 32)
    whole = network(*pictures)[..., inner : inner + 32, inner : inner + 32]
    tiled = network(*pictures[..., tile, tile])[..., halo : halo + 32, halo : halo + 32]
    assert parity.relative_difference(tiled.numpy(), whole.numpy()) < PARITY


@pytest.mark.parametrize("stage", NETWORKS)
def test_a_stage_can_be_built_by_name(stage):
    from hdrnodes.networks import build

    assert type(build("published", stage, {})) is NETWORKS[stage]


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("Hallucination_Net/encoder/h6/conv/b_conv2d", None, "is missing; its shape should be (512,)"),
        ("Refinement_Net/conv2d/kernel", None, "is missing; its shape should be (7, 7, 9, 16)"),
        (
            "Dequantization_Net/conv2d_2/kernel",
            np.zeros((3, 3, 16, 32)),
            "has the shape (3, 3, 16, 32), the published graph's has (5, 5, 16, 32)",
        ),
        ("ae_invcrf_decode_net/dense/kernel", np.full((512, 11), np.nan), "holds NaN or infinity"),
    ],
    ids=["missing", "missing kernel", "other shape", "NaN"],
)
def test_variables_that_do_not_fit_are_named_with_their_shapes(weights, reference, name, value, problem):
    broken = {key: array for key, array in weights.items() if key != name}
    if value is not None:
        broken[name] = value
    with pytest.raises(ModelError, match=re.escape(f"TensorFlow variable {name}: {problem}")):
        from_tensorflow(broken, (reference["emor_g0"], reference["emor_hinv"]))


def test_a_response_basis_of_another_size_is_refused(weights, reference):
    with pytest.raises(ModelError, match=re.escape("has the shape (11, 1024), the published graph's has (1024, 11)")):
        from_tensorflow(weights, (reference["emor_g0"], reference["emor_hinv"].T))
