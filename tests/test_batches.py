"""Networks take several pictures at once, and answer each as they would alone; what they count by, checked by hand."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'hdrnodes[train]'")

from hdrnodes.models import Model, engines_folder
from hdrnodes.networks import build, load
from hdrnodes.networks.default.statistics import COUNT, LEVELS, TONES, statistics
from hdrnodes.networks.published import NETWORKS
from hdrnodes.runtime.openvino import core

SHIPPED = Model.load(engines_folder() / "default").networks()


def three(network, size):
    """Three of each input, no two alike; pixels of one size, and whatever else the network takes."""
    random = torch.Generator().manual_seed(3)
    given = {}
    for name, example in network.example_inputs().items():
        shape = (3, example.shape[1], *(size if example.shape[2:] else ()))
        given[name] = torch.rand(shape, generator=random)
    if "window" in given:
        given["window"] = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.5, 0.25, 1.0, 0.75], [0.0, 0.0, 1.0, 1.0]])
    return given


@pytest.mark.parametrize("precision", ["float32", "fp16"])
@pytest.mark.parametrize("network", SHIPPED, ids=lambda network: network.name)
def test_shipped_graphs_answer_a_batch_as_its_members(network, precision):
    pytest.importorskip("openvino")
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = core().compile_model(network.verified_onnx(precision), "CPU", hints)
    inputs = {name: value.numpy() for name, value in three(load(network), (37, 50)).items()}
    together = compiled(inputs)[0].copy()
    alone = [compiled({name: value[k : k + 1] for name, value in inputs.items()})[0].copy() for k in range(3)]
    assert network.batched
    np.testing.assert_allclose(together, np.concatenate(alone), atol=2e-5)
    if network.name != "refine_overview":  # as it is shipped it answers nothing
        assert np.abs(together[0] - together[1]).max() > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_published_networks_answer_a_batch_as_its_members(name):
    torch.manual_seed(1)
    network = build("published", name, {}).eval()
    inputs = three(network, (37, 50))
    with torch.no_grad():
        together = network(*inputs.values())
        alone = [network(*(value[k : k + 1] for value in inputs.values())) for k in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), atol=2e-5, rtol=1e-4)


def test_statistics_count_tones_as_a_histogram_does():
    display = torch.rand(2, 3, 21, 34)
    found = statistics(display)
    assert found.shape == (2, COUNT)
    for each, numbers in zip(display.numpy(), found.numpy(), strict=True):
        luma = 0.25 * each[0] + 0.5 * each[1] + 0.25 * each[2]
        for tones, shares in zip(
            (luma, each.max(axis=0), each.min(axis=0)), numbers.reshape(-1)[: 3 * TONES].reshape(3, -1), strict=True
        ):
            counts = np.bincount(np.rint(tones * (TONES - 1)).astype(int).ravel(), minlength=TONES)
            np.testing.assert_allclose(shares, counts / tones.size, atol=1e-6)


def test_statistics_of_steps_are_zero_where_nothing_steps_and_grow_with_contrast():
    flat, weak, strong = (
        0.5 + contrast * (torch.arange(64) % 2 - 0.5).expand(1, 3, 48, 64) for contrast in (0, 0.02, 0.04)
    )
    bends = slice(3 * TONES + LEVELS, 3 * TONES + 2 * LEVELS)
    middle = LEVELS // 2
    told = [statistics(each)[0, bends][middle] for each in (flat, weak, strong)]
    assert told[0] < told[1] < told[2]
