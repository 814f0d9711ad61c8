"""The stages together: as the nodes run them; what is fixed stays so; the published encoder starts from VGG16."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'hdrnodes[train]'")

from safetensors.torch import save_file
from test_training_losses import hallucinate_recipe
from tiny_material import panorama

import hdrnodes
from hdrnodes.errors import ModelError
from hdrnodes.metrics.weights import VGG16
from hdrnodes.models import engines_folder
from hdrnodes.networks.published.hallucinate import Hallucinate
from hdrnodes.nodes.base import Context
from hdrnodes.training.hallucinate import hallucinate_losses, with_invented
from hdrnodes.training.photograph import Plates
from hdrnodes.training.published_model import start_from_vgg16
from hdrnodes.training.start import start_from
from hdrnodes.training.system import System
from hdrnodes.training.trainable import FIRST_THREE, STAGES, trainable
from hdrnodes.training.vgg import VGGFeatures
from hdrnodes.training.whole_score import whole_score


def system(*stages, fixed=()):
    """Of `default`, with its weights."""
    model = trainable("default")
    networks = {stage: model.make(stage) for stage in stages}
    start_from(engines_folder() / "default", model, networks)
    return System(networks, fixed)


@pytest.fixture
def codes():
    """A plate of 128 x 192 that clips a little, H x W x 3 uint8."""
    light = np.kron(panorama(1), np.ones((4, 3, 1), np.float32)) * 0.8
    return np.uint8(np.round(np.clip(light, 0, 1) ** (1 / 2.2) * 255))


def as_batch(codes):
    return torch.from_numpy(np.float32(codes) / 255).permute(2, 0, 1)[None]


def test_the_system_is_what_the_nodes_make_of_a_plate(codes):
    with torch.no_grad():
        answers = system(*STAGES).eval()(as_batch(codes))
    found = hdrnodes.reconstruct(codes, ceiling=16, context=Context(executor="openvino"))
    np.testing.assert_allclose(found.curves[0], answers.curve[0].numpy(), atol=1e-4)
    np.testing.assert_allclose(found.rgb, answers.refined[0].permute(1, 2, 0).numpy(), rtol=2e-3, atol=1e-4)
    assert found.rgb.max() > 1.1  # something was invented


def test_fixed_stages_are_not_trained(codes):
    whole = system(*STAGES, fixed=FIRST_THREE).train()
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    optimiser = torch.optim.SGD([each for each in whole.parameters() if each.requires_grad], lr=1.0)
    whole(as_batch(codes)).refined.log1p().mean().backward()
    optimiser.step()
    moved = {name.split(".")[1] for name, value in whole.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"refine"}  # no running mean of linearize either
    assert whole.stages["refine"].training and not whole.stages["linearize"].training


def test_gradients_of_the_light_reach_every_stage(codes):
    whole = system(*STAGES).train()
    whole(as_batch(codes).expand(2, -1, -1, -1)).refined.log1p().mean().backward()
    graded = {name: each.grad for name, each in whole.named_parameters() if each.grad is not None}
    assert {name.split(".")[1] for name, each in graded.items() if each.any()} == set(STAGES)


def test_a_top_code_stays_what_it_is():
    codes = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    codes[..., :16] = 1
    found = system(*FIRST_THREE).eval()(codes)
    assert (found.dequantized[..., :16] == 1).all() and (found.linear[..., :16] == 1).all()
    assert torch.equal(found.refined, found.hallucinated)


def test_a_whole_score_knows_no_gain_and_tells_inside_from_outside():
    light = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 0.8 + 0.1
    light[..., :8, :] = 4.0
    codes = light.clamp(max=1)
    assert whole_score(light * 5, light, codes)["score"] < 1e-3
    halved = light.clone()
    halved[..., :8, :] /= 2
    found = whole_score(halved, light, codes)
    assert found["inside"] == pytest.approx(1, abs=1e-3) and found["outside"] < 1e-3


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory):
    """A file such as `hdrnodes metric-weights` writes, with random weights that keep the size of what passes."""
    random = torch.Generator().manual_seed(1)
    tensors = {}
    for name, shape in VGG16.shapes().items():
        spread = (2 / (9 * shape[1])) ** 0.5 if len(shape) == 4 else 0.1
        tensors[name] = torch.randn(shape, generator=random) * spread
    file = tmp_path_factory.mktemp("vgg16") / "vgg16.safetensors"
    save_file(tensors, file)
    return file


@torch.no_grad()
def test_the_published_encoder_starts_as_vgg16(vgg16):
    network = Hallucinate()
    start_from_vgg16(network, vgg16)
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    pool3 = VGGFeatures.load(vgg16)(picture)[2]
    x = 255 * picture.flip(1) - network.vgg_mean
    for level in list(network.encoder)[:3]:
        x = torch.nn.functional.max_pool2d(level(x), 2)
    # Zeros around the picture mean another colour to each, which reaches 24 pixels in.
    ours, theirs = x[..., 3:-3, 3:-3] / 57.6, pool3[..., 3:-3, 3:-3]
    assert (ours - theirs).abs().max() < 1e-3 * theirs.abs().max()


def test_a_file_without_all_of_vgg16_is_refused(vgg16, tmp_path):
    from safetensors.torch import load_file

    some = {name: value for name, value in load_file(vgg16).items() if not name.startswith("conv5")}
    save_file(some, tmp_path / "some.safetensors")
    with pytest.raises(ModelError, match=r"some\.safetensors: cannot be read"):
        start_from_vgg16(Hallucinate(), tmp_path / "some.safetensors")


def test_the_perceptual_term_is_that_of_the_plates_that_count(vgg16):
    random = torch.Generator().manual_seed(3)
    light = torch.rand(2, 3, 64, 64, generator=random) * 3
    plates = Plates(light, light.clamp(max=1), light.clamp(max=1), torch.linspace(0, 1, 1024).expand(2, 1, -1))
    recipe = hallucinate_recipe(perceptual=1).model_copy(update={"perceptual_share": 1.0})
    features, linear = VGGFeatures.load(vgg16), light.clamp(max=1)
    both = hallucinate_losses(linear, linear, plates, recipe, torch.tensor([1.0, 0.0]), features)
    first = Plates(light[:1], plates.display[:1], plates.codes[:1], plates.curve[:1])
    alone = hallucinate_losses(linear[:1], linear[:1], first, recipe, torch.ones(1), features)
    torch.testing.assert_close(both["loss"], alone["loss"])
    assert both["loss"] > 0


def test_what_is_invented_is_added_where_it_clipped():
    linear = torch.tensor([0.5, 0.94, 1.0]).expand(1, 3, 1, 3)
    found = with_invented(lambda each: torch.full_like(each, 8.0), linear)
    torch.testing.assert_close(found[0, 0, 0], torch.tensor([0.5, 0.94 + 4, 9.0]))
    darker = torch.full_like(linear, -0.5, requires_grad=True)
    assert torch.equal(with_invented(lambda each: darker.detach(), linear), linear)
    with_invented(lambda each: darker, linear).sum().backward()
    assert darker.grad.any()  # it can learn its way up again
