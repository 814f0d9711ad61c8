"""The perceptual loss, on random weights."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'hdrnodes[train]'")

from hdrnodes.errors import ModelError
from hdrnodes.metrics.weights import MEAN, STD, VGG16
from hdrnodes.training.vgg import LAYERS, VGGFeatures, perceptual_loss


@pytest.fixture(scope="module")
def weights():
    """Random, but they keep the size of what passes; of one layer more than is needed."""
    random, weights = np.random.default_rng(1), {}
    for name in (*LAYERS, "conv4_1"):
        weight, bias = VGG16.shapes()[f"{name}.weight"], VGG16.shapes()[f"{name}.bias"]
        scale = np.float32((2 / np.prod(weight[1:])) ** 0.5)
        weights[f"{name}.weight"] = random.standard_normal(weight, np.float32) * scale
        weights[f"{name}.bias"] = random.random(bias, np.float32) / 10
    return weights


@pytest.fixture(scope="module")
def features(weights, tmp_path_factory):
    from safetensors.numpy import save_file

    path = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    save_file(weights, path)
    return VGGFeatures.load(path)


@pytest.fixture
def light():
    """2 x 3 x 24 x 19, scene-linear; 5 stops above the clip level at the brightest."""
    return torch.rand(2, 3, 24, 19, generator=torch.Generator().manual_seed(1)) ** 4 * 32


def test_features_are_those_of_the_weights_computed_by_hand(features, weights):
    picture = np.random.default_rng(2).random((16, 24, 3), np.float32)
    x = (picture - np.float32(MEAN)) / np.float32(STD)
    wanted = []
    for name in LAYERS:
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))  # H, W, in, 3, 3
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        x = np.maximum(np.einsum("hwiyx,oiyx->hwo", windows, weight, optimize=True) + bias, 0)
        if name in ("conv1_2", "conv2_2", "conv3_3"):
            x = x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, -1).max(axis=(1, 3))
            wanted.append(x)
    found = features(torch.from_numpy(picture).permute(2, 0, 1)[None])
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours[0].permute(1, 2, 0).numpy(), theirs, atol=1e-4)


def test_odd_sizes_are_rounded_down(features):
    shapes = [tuple(each.shape) for each in features(torch.rand(2, 3, 25, 19))]
    assert shapes == [(2, 64, 12, 9), (2, 128, 6, 4), (2, 256, 3, 2)]


def test_equal_pictures_have_no_loss(features, light):
    assert perceptual_loss(features, light, light.clone()) == 0


def test_the_gradient_reaches_the_output_and_no_weight(features, light):
    output, target = (light * 0.7).requires_grad_(), light.requires_grad_()
    loss = perceptual_loss(features, output, target)
    loss.backward()
    assert loss > 0
    assert torch.isfinite(output.grad).all()
    assert (output.grad != 0).float().mean() > 0.9
    assert target.grad is None
    assert all(not weight.requires_grad and weight.grad is None for weight in features.parameters())


@pytest.mark.parametrize("stops", [0.5, 4, 11])
def test_highlights_far_above_the_clip_level_still_differ(features, light, stops):
    target = light.clamp(max=0.5)
    target[:, :, :8, :8] = 2.0**stops
    near, far = target.clone(), target.clone()
    near[:, :, :8, :8] *= 2**0.5
    far[:, :, :8, :8] /= 2
    assert 0 < perceptual_loss(features, near, target) < perceptual_loss(features, far, target)


def test_a_picture_is_not_judged_by_the_highlights_of_another(features, light):
    dim = light[:1].clamp(max=1)
    bright = torch.cat([dim, torch.full_like(dim, 4096)])
    alone = perceptual_loss(features, dim / 2, dim)
    both = perceptual_loss(features, torch.cat([dim / 2, bright[1:]]), bright)
    torch.testing.assert_close(2 * both, alone)


def test_only_what_the_mask_covers_counts(features):
    target = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    output = target.clone()
    output[..., :16] = 0
    left = torch.zeros(1, 1, 64, 64)
    left[..., :16] = 1
    inside, everywhere = perceptual_loss(features, output, target, left), perceptual_loss(features, output, target)
    assert inside > 2 * everywhere  # the mean over a quarter, where all of the difference is
    assert perceptual_loss(features, output, target, left.flip(-1)) == 0
    assert perceptual_loss(features, output, target, 0 * left) == 0
    torch.testing.assert_close(perceptual_loss(features, output, target, torch.ones_like(left)), everywhere)


def test_loading_something_else_is_refused(tmp_path):
    from safetensors.numpy import save_file

    with pytest.raises(ModelError, match=r"none\.safetensors: is missing; bring it with `hdrnodes metric-weights`"):
        VGGFeatures.load(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("hello, this is no such file")
    with pytest.raises(ModelError, match=r"text\.safetensors: cannot be read"):
        VGGFeatures.load(tmp_path / "text.safetensors")
    save_file({"conv1_1.bias": np.zeros(64, np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match=r"other\.safetensors: cannot be read: .*conv1_1\.weight"):
        VGGFeatures.load(tmp_path / "other.safetensors")
