"""Losses: what each term asks for; plates that do not count; the terms that nobody asked for are not computed."""

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'hdrnodes[train]'")

from hdrnodes.camera.clipping import clip, clip_mask
from hdrnodes.camera.response import SAMPLES, apply_response, constrain_curve
from hdrnodes.errors import TrainingError
from hdrnodes.primaries import LUMINANCE
from hdrnodes.training.dequantize import dequantize_losses
from hdrnodes.training.hallucinate import hallucinate_losses
from hdrnodes.training.linearize import estimated_curve, linearize_losses
from hdrnodes.training.losses import (
    batch_mean,
    counted,
    peaks_apart,
    per_plate,
    texture_apart,
    total_variation,
    weighted,
)
from hdrnodes.training.photograph import Plates
from hdrnodes.training.recipe import (
    DequantizeWeights,
    HallucinateRecipe,
    HallucinateWeights,
    LinearizeWeights,
    RefineWeights,
    load_recipe,
)
from hdrnodes.training.refine import refine_losses


@pytest.fixture
def plates():
    """Three, 32 x 48, with curves of their own; some of each clipped."""
    random = torch.Generator().manual_seed(1)
    light = torch.rand(3, 3, 32, 48, generator=random) ** 3 * 2
    light[:, :, 8:20, 8:24] = 3 + torch.rand(3, 3, 12, 16, generator=random)
    power = torch.tensor([1.5, 2.0, 2.5])[:, None, None]
    curve = constrain_curve(torch.linspace(0, 1, SAMPLES).expand(3, 1, -1) ** power)
    display = apply_response(clip(light), curve)
    return Plates(light, display, torch.round(display * 255) / 255, curve)


def of(plates, index):
    """One of the plates by itself."""
    only = slice(index, index + 1)
    return Plates(plates.light[only], plates.display[only], plates.codes[only], plates.curve[only])


def hallucinate_recipe(**weights):
    recipe = load_recipe("default").hallucinate
    return recipe.model_copy(update={"weights": HallucinateWeights(**weights)})


EACH_STAGE = {
    "dequantize": lambda plates, counts: dequantize_losses(
        plates.codes, plates, DequantizeWeights(squared=1, share=1, worse=1), counts
    ),
    "linearize": lambda plates, counts: linearize_losses(
        torch.linspace(0, 1, SAMPLES).expand(len(counts), -1),
        plates.display,
        plates,
        LinearizeWeights(picture=1, curve=1, curve_root=1, stops=1),
        counts,
    ),
    "hallucinate": lambda plates, counts: hallucinate_losses(
        clip(plates.light),
        clip(plates.light),
        plates,
        hallucinate_recipe(log=1, squared=1, tv=1, peak=1, texture=1),
        counts,
    ),
    "refine": lambda plates, counts: refine_losses(
        clip(plates.light), plates.light, RefineWeights(log=1, stops=1), counts
    ),
}


@pytest.mark.parametrize("losses", EACH_STAGE.values(), ids=EACH_STAGE)
def test_a_plate_that_does_not_count_changes_no_term_of_the_others(losses, plates):
    together = losses(plates, torch.tensor([1.0, 0.0, 1.0]))
    first, last = losses(of(plates, 0), torch.ones(1)), losses(of(plates, 2), torch.ones(1))
    assert together.keys() == first.keys()
    for name, value in together.items():
        # Over N x 1024 errors, a mask of N that broadcasts would weigh samples of a curve, or not run at all.
        torch.testing.assert_close(value, (first[name] + last[name]) / 2, msg=name)


@pytest.mark.parametrize("losses", EACH_STAGE.values(), ids=EACH_STAGE)
def test_where_no_plate_counts_there_is_no_loss(losses, plates):
    assert all(value == 0 for value in losses(plates, torch.zeros(3)).values())


def test_errors_that_a_mask_of_plates_would_broadcast_over_are_refused():
    counts = torch.ones(8)
    for error in (torch.ones(8, 8), torch.ones(8, 1), torch.ones(()), torch.ones(1)):
        with pytest.raises(ValueError, match="one value each"):
            batch_mean(error, counts)
    with pytest.raises(ValueError, match="one a pixel"):
        per_plate(torch.ones(2, 3, 4, 4), torch.ones(2, 4, 4, 1))


def test_only_plates_that_came_back_worse_count_as_worse():
    still = torch.full((2, 3, 4, 4), 0.5)
    plates = Plates(still, still, still + 2 / 255, torch.zeros(2, 1, SAMPLES))
    found = torch.stack([still[0] + 1 / 255, still[1] + 6 / 255])  # half the error, and three times it
    losses = dequantize_losses(found, plates, DequantizeWeights(worse=1), torch.ones(2))
    assert float(losses["worse"]) == pytest.approx((0 + 2) / 2, abs=1e-3)


def test_terms_without_a_weight_are_not_computed():
    def fail():
        raise AssertionError("computed")

    terms = {"squared": lambda: torch.tensor([1.0, 3.0]), "share": fail}
    found = weighted(terms, DequantizeWeights(squared=2), torch.ones(2))
    assert {name: float(value) for name, value in found.items()} == {"loss": 4, "squared": 2}
    with pytest.raises(TrainingError, match="no term of the loss has a weight; give one to squared, share"):
        weighted(terms, DequantizeWeights(), torch.ones(2))


def test_a_perceptual_weight_of_zero_runs_no_network(plates):
    class NoNetwork(torch.nn.Module):
        def forward(self, picture):
            raise AssertionError("run")

    recipe = hallucinate_recipe(log=1)
    counts, linear = torch.ones(3), clip(plates.light)
    assert set(hallucinate_losses(linear, linear, plates, recipe, counts, NoNetwork())) == {"loss", "log"}
    with pytest.raises(AssertionError, match="run"):
        hallucinate_losses(linear, linear, plates, hallucinate_recipe(perceptual=1), counts, NoNetwork())


def test_plates_that_are_mostly_black_or_white_do_not_count(plates):
    codes = torch.full((4, 3, 8, 8), 0.5)
    codes[1, :, :5], codes[2, :, :5], codes[3, :, :3] = 5 / 255, 252 / 255, 1.0
    assert counted(codes, extremes=0.5).tolist() == [1, 0, 0, 1]
    assert counted(codes, extremes=1.0).tolist() == [1, 1, 1, 1]


def test_the_peak_term_asks_for_the_brightest_and_not_for_where_it_is():
    light, dim, elsewhere = (torch.full((1, 3, 32, 32), 1.0) for _ in range(3))
    light[:, :, 4:6, 4:6], elsewhere[:, :, 8:10, 12:14] = 1000, 1000
    everywhere = torch.ones(1, 1, 32, 32)
    assert peaks_apart(elsewhere, light, everywhere) == 0
    assert 20 < peaks_apart(dim, light, everywhere) < 30  # 10 stops in one of four cells, squared
    corner = torch.zeros(1, 1, 32, 32)
    corner[..., 16:, 16:] = 1
    assert peaks_apart(dim, light, corner) == 0


def test_the_peak_term_is_not_met_by_one_pixel_or_one_channel():
    light, dot, green = (torch.full((1, 3, 32, 32), 1.0) for _ in range(3))
    light[:, :, 4:8, 4:8] = 16
    dot[:, :, 4, 4] = 16
    green[:, 1, 4:8, 4:8] = 16 / LUMINANCE[1]  # of the same luminance, nearly
    everywhere = torch.ones(1, 1, 32, 32)
    assert peaks_apart(dot, light, everywhere) > 0.5
    assert peaks_apart(green, light, everywhere) > 2


def test_the_texture_term_asks_for_as_much_of_it_and_not_for_where_it_is():
    random = torch.Generator().manual_seed(2)
    light, other = (2 ** torch.randn(1, 3, 64, 64, generator=random).mean(dim=1, keepdim=True) for _ in range(2))
    light, other = light.expand(-1, 3, -1, -1), other.expand(-1, 3, -1, -1)
    everywhere, flat = torch.ones(1, 1, 64, 64), torch.ones(1, 3, 64, 64)
    alike = texture_apart(other, light, everywhere)
    assert alike < 0.2 * texture_apart(flat, light, everywhere)
    assert (other.log2() - light.log2()).abs().mean() > (light.log2()).abs().mean()  # which pixel by pixel is worse
    left = everywhere.clone()
    left[..., 32:] = 0
    half = torch.cat([light[..., :32], flat[..., 32:]], dim=-1)
    assert texture_apart(half, light, left) < 1e-6


def test_the_texture_term_has_a_slope_where_there_is_no_texture():
    flat = torch.ones(1, 3, 32, 32, requires_grad=True)
    light = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(3)) * 4
    texture_apart(flat, light, torch.ones(1, 1, 32, 32)).sum().backward()
    assert torch.isfinite(flat.grad).all()


def test_total_variation_is_that_of_neighbours():
    ramp = torch.arange(4.0).expand(2, 3, 5, 4)
    assert total_variation(ramp).tolist() == [0.75, 0.75]  # three steps of one in four pixels
    left = torch.zeros(2, 1, 5, 4)
    left[0, ..., 0] = 1
    assert total_variation(ramp, left).tolist() == [1, 0]


def test_a_loss_over_the_frame_is_a_mean_over_it(plates):
    recipe = hallucinate_recipe(log=1)
    over_frame = HallucinateRecipe.model_validate({**recipe.model_dump(), "over": "frame"})
    linear, counts = clip(plates.light), torch.ones(3)
    clipped = hallucinate_losses(linear, linear, plates, recipe, counts)["log"]
    frame = hallucinate_losses(linear, linear, plates, over_frame, counts)["log"]
    share = clip_mask(linear, channels=1).mean(dim=(1, 2, 3))
    assert float(frame) == pytest.approx(float(clipped * share.mean()), rel=0.2)


def test_no_stage_before_learns_to_clip_less(plates):
    linear = clip(plates.light).requires_grad_()
    out = linear + clip_mask(linear, channels=1) * 0
    hallucinate_losses(out, linear, plates, hallucinate_recipe(log=1), torch.ones(3))["loss"].backward()
    # Where nothing clipped, the target is what came in.
    unclipped = (clip_mask(linear.detach(), channels=1) == 0).expand_as(linear)
    assert (linear.grad[unclipped] == 0).all() and (linear.grad[~unclipped] != 0).any()


def test_the_refine_losses_know_no_gain(plates):
    light = plates.light.clamp(min=0.2)  # darker, the floor under the stops is felt, which no gain scales
    losses = refine_losses(light * 3, light, RefineWeights(log=1, stops=1), torch.ones(3))
    assert losses["log"] < 1e-6
    assert losses["stops"] < 0.02


def test_a_curve_is_estimated_in_float32_whatever_the_rest_is_trained_in():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 12, SAMPLES))
    display = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(4))
    alone = estimated_curve(network, display)
    with torch.autocast("cpu", torch.bfloat16):
        assert not torch.equal(network(display).float(), alone)
        assert torch.equal(estimated_curve(network, display), alone)
