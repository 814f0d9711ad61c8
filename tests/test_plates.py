"""Training data: scenes as half floats, views of them, and plates with every truth, the same for the same seed."""

import math

import numpy as np
import OpenImageIO as oiio
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'hdrnodes[train]'")

from tiny_material import write_material

from hdrnodes.camera.response import apply_response
from hdrnodes.errors import ReadError, TrainingError, WriteError
from hdrnodes.training.plates import PlateMaker, PlateOptions
from hdrnodes.training.randomness import Lots, generator, uniform
from hdrnodes.training.refine import half_processed
from hdrnodes.training.responses import HELD_OUT, Responses, measured_responses, transfer_functions
from hdrnodes.training.scenes import PHOTOGRAPH, Scenes
from hdrnodes.training.validation_plates import CLIPPED, Kind, validation_set
from hdrnodes.training.views import random_collages, random_views, views

PLAIN = {"size": (48, 64), "lens": 0.0, "resized": 0.0}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return write_material(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="module")
def scenes(material):
    return Scenes.read(material / "train")


@pytest.fixture(scope="module")
def responses(material):
    return measured_responses(material / "responses.npz")


@pytest.fixture(scope="module")
def draw(scenes, responses):
    """Plates by options, eight of seed 0, step 3, rank 0."""

    def plates(n=8, seed=0, step=3, rank=0, **options):
        maker = PlateMaker(scenes, Responses(responses[0]), PlateOptions(**(PLAIN | options)))
        return maker.draw(n, generator("cpu", seed, step, rank))

    return plates


def _write(path, pixels):
    assert oiio.ImageBuf(np.ascontiguousarray(pixels, np.float32)).write(str(path))


def _looking_at(scenes, index, along, down, degrees, size=(33, 33), roll=0.0, mirror=False):
    return views(
        scenes,
        torch.tensor([index]),
        size,
        centre=torch.tensor([[along, down]]),
        roll=torch.tensor([roll]),
        field_of_view=torch.tensor([math.radians(degrees)]),
        mirror=torch.tensor([mirror]),
        widest=degrees,
    )[0]


def test_scenes_are_half_floats_of_one_brightness(scenes):
    assert scenes.light.dtype == torch.half and scenes.light.isfinite().all()
    assert scenes.names == ("scene_0", "scene_1") and len(scenes) == 2
    whole = scenes.light[:, :, 1:513, 1:1025].float()
    luminance = torch.einsum("nchw,c->nhw", whole, torch.tensor([0.2126, 0.7152, 0.0722])).flatten(1)
    torch.testing.assert_close(luminance.median(dim=1).values, torch.full((2,), 0.18), rtol=2e-3, atol=0)


def test_gradients_fade_and_have_no_noise(draw):
    fading, clean, others = draw(n=16, gradients=1.0), draw(n=16, clean=1.0), draw(n=16)

    def exact(plates):
        """Plates that rounding alone has changed: no noise, no JPEG."""
        return ((plates.codes - plates.display).abs().amax(dim=(1, 2, 3)) < 0.5001 / 255).sum()

    def bends(plates):
        stops = torch.log2(plates.light + 1e-3)
        return (stops[..., 2:] - 2 * stops[..., 1:-1] + stops[..., :-2]).abs().mean()

    assert exact(fading) > 0 and exact(clean) > 0 and exact(others) == 0
    assert bends(fading) < bends(others) / 10


def test_some_are_drawn_as_often_as_asked_for():
    below = Lots(10, generator("cpu", 0, 0)).below(0.3)
    assert below.sum() == 3 and not Lots(10, generator("cpu", 0, 0)).below(0).any()


def test_a_sun_beyond_half_floats_is_as_bright_as_they_go(tmp_path):
    light = np.full((32, 64, 3), 1e-3)
    light[8:10, 30:33] = 6e4
    _write(tmp_path / "sun.exr", light)
    assert Scenes.read(tmp_path).light.max() == torch.finfo(torch.half).max


def test_a_view_straight_ahead_shows_what_stands_there(scenes):
    along, down = scenes.bright[0, 0].tolist()
    seen = _looking_at(scenes, 0, along, down, 20)
    assert seen[:, 16, 16].min() > 0.9 * scenes.light[0].amax()


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    """A panorama of four smooth waves around."""
    folder = tmp_path_factory.mktemp("waves")
    along = np.mgrid[0:512, 0:1024][1] * math.tau * 4 / 1024
    _write(folder / "waves.exr", 1.5 + np.sin(along)[..., None].repeat(3, axis=2))
    return Scenes.read(folder)


def test_the_seam_of_a_panorama_does_not_show(waves):
    across = _looking_at(waves, 0, 1.0, 0.5, 60, size=(64, 96))
    torch.testing.assert_close(across, _looking_at(waves, 0, 0.25, 0.5, 60, size=(64, 96)), rtol=2e-3, atol=2e-3)


def test_views_are_antialiased(tmp_path):
    y, x = np.mgrid[0:512, 0:1024]
    _write(tmp_path / "checker.exr", np.float32((x + y) % 2)[..., None].repeat(3, axis=2) + 0.01)
    scenes = Scenes.read(tmp_path)
    mean = scenes.light[0, 0, 1:513, 1:1025].float().mean()
    for width in (24, 64, 100):
        seen = _looking_at(scenes, 0, 0.3, 0.5, 90, size=(width * 2 // 3, width))
        torch.testing.assert_close(seen, mean.expand(seen.shape), rtol=1e-2, atol=0)
    assert _looking_at(scenes, 0, 0.3, 0.5, 30, size=(256, 384)).std() > 0.2 * mean  # near enough to see the checks


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A landscape and a portrait, of 3 : 2, red to the right and green downwards."""
    folder = tmp_path_factory.mktemp("photographs")
    for name, (height, width) in {"landscape": (200, 300), "portrait": (300, 200)}.items():
        y, x = np.mgrid[0:height, 0:width]
        _write(folder / f"{name}.exr", np.stack([(x + 1) / width, (y + 1) / height, 0 * x + 1.0], axis=-1))
    return Scenes.read(folder)


@pytest.mark.parametrize("index", [0, 1])
def test_a_view_of_a_photograph_is_a_part_of_it_the_right_way_up(photographs, index):
    assert not photographs.panorama.any() and photographs.weights.tolist() == [PHOTOGRAPH] * 2
    light = photographs.light[index, :, :514].float()
    most, least = light.amax(dim=(1, 2)), light[:2].clamp(min=0).amin(dim=(1, 2))
    seen = _looking_at(photographs, index, 0.5, 0.5, 30, size=(40, 60))
    assert (seen[0].diff(dim=1) > 0).all() and (seen[1].diff(dim=0) > 0).all()
    assert (seen[:2].amin(dim=(1, 2)) > least).all() and (seen[:2].amax(dim=(1, 2)) < most[:2]).all()
    wide = _looking_at(photographs, index, 0.5, 0.5, 100, size=(40, 60))
    assert wide[0, 20].max() - wide[0, 20].min() > 1.2 * (seen[0, 20].max() - seen[0, 20].min())
    mirrored = _looking_at(photographs, index, 0.5, 0.5, 30, size=(40, 60), mirror=True)
    torch.testing.assert_close(mirrored, seen.flip(2), rtol=1e-3, atol=1e-4)


def test_a_view_of_a_photograph_ends_inside_it(photographs):
    for along in (0.0, 1.0):
        for roll in (-0.14, 0.14):
            seen = _looking_at(photographs, 0, along, along, 60, size=(40, 60), roll=roll)
            assert (seen[0].diff(dim=1) > 0).all() and (seen[1].diff(dim=0) > 0).all()  # no border repeats


def test_panoramas_and_photographs_are_drawn_together(material, photographs, tmp_path):
    photographs.save(tmp_path / "photographs.safetensors")
    both = Scenes.read([material / "train", tmp_path / "photographs.safetensors"])
    assert both.panorama.tolist() == [True, True, False, False]
    random = generator("cpu", 0, 0)
    seen = random_views(both, torch.tensor([0, 2, 3, 1]), (20, 30), random)
    alone = random_views(photographs, torch.tensor([0, 0, 1, 0]), (20, 30), generator("cpu", 0, 0))
    torch.testing.assert_close(seen[1:3], alone[1:3])


def test_packed_scenes_come_back_as_they_were(scenes, tmp_path):
    file = tmp_path / "scenes.safetensors"
    scenes.save(file)
    again = Scenes.load(file)
    assert again.names == scenes.names
    for key in ("light", "panorama", "aspect", "turn", "bright", "weights"):
        assert torch.equal(getattr(again, key), getattr(scenes, key)), key
    with pytest.raises(WriteError, match="exists already"):
        scenes.save(file)


@pytest.mark.parametrize("content", [None, b"", b"not what it says"])
def test_what_is_no_packed_file_is_named(tmp_path, content):
    file = tmp_path / "scenes.safetensors"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ReadError, match=r"scenes\.safetensors: is no file of packed scenes"):
        Scenes.read(file)


def test_a_file_of_other_tensors_is_no_packed_file(tmp_path):
    from safetensors.torch import save_file

    save_file({"light": torch.zeros(2)}, tmp_path / "weights.safetensors")
    with pytest.raises(ReadError, match="is no file of packed scenes"):
        Scenes.read(tmp_path / "weights.safetensors")


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (lambda file: None, "holds no measured responses .*No such file"),
        (lambda file: file.write_text("hello"), "holds no measured responses"),
        (lambda file: file.write_bytes(b"PK\x03\x04 and no more"), "holds no measured responses"),
        (lambda file: np.savez(file, response=np.ones((40, 1024))), "holds no measured responses .*inverse"),
        (
            lambda file: np.savez(file, inverse=np.ones((HELD_OUT, 1024))),
            r"holds responses of the shape \(30, 1024\); give",
        ),
        (lambda file: np.savez(file, inverse=np.ones((40, 256))), r"holds responses of the shape \(40, 256\); give"),
    ],
    ids=["missing", "text", "cut off", "another key", "too few", "other samples"],
)
def test_a_file_without_measured_responses_is_refused(write, problem, tmp_path):
    write(tmp_path / "responses.npz")
    with pytest.raises(ReadError, match=r"responses\.npz: " + problem):
        measured_responses(tmp_path / "responses.npz")


def test_held_out_responses_are_not_trained_on(responses):
    training, held_out = responses
    assert len(held_out) == HELD_OUT
    assert torch.cdist(training, held_out).min() > 1e-3


def test_drawn_responses_rise_from_0_to_1(responses):
    random = torch.Generator().manual_seed(1)
    for curves in (Responses(responses[0]).draw(200, random, channels=3), transfer_functions(200, random)):
        assert (curves[..., 0] == 0).all() and (curves[..., -1] == 1).all()
        assert (curves.diff(dim=-1) >= 0).all()


def test_steps_and_workers_share_no_noise():
    drawn = {key: uniform(generator("cpu", *key), 4) for key in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 1, 1)]}
    again = {key: uniform(generator("cpu", *key), 4) for key in drawn}
    assert all(torch.equal(drawn[key], again[key]) for key in drawn)
    assert len({tuple(each.tolist()) for each in drawn.values()}) == len(drawn)


def test_lots_hold_shares_exactly():
    for n, low, high in [(8, 0.0, 0.3), (8, 0.42, 0.7), (1, 0.0, 0.5), (10, 0.3, 0.7)]:
        counts = []
        for seed in range(300):
            _, drawn = Lots(n, generator("cpu", seed, 0)).within(low, high)
            counts.append(int(drawn.sum()))
        expected = n * (high - low)
        assert math.floor(expected + 1e-9) - 1 <= min(counts) and max(counts) <= math.ceil(expected - 1e-9) + 1
        assert np.mean(counts) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("options", [{}, {"lens": 0.5, "resized": 0.5, "processed": 0.5, "odd": 0.5, "collages": 0.5}])
def test_one_seed_makes_one_set_of_plates(draw, options):
    one, same = draw(**options), draw(**options)
    for key in ("light", "display", "codes", "curve"):
        assert torch.equal(getattr(one, key), getattr(same, key)), key
    for other in ({"seed": 1}, {"step": 4}, {"rank": 1}):
        assert (draw(**options, **other).codes != one.codes).float().mean() > 0.5
    assert one.codes.shape == (8, 3, 48, 64)
    torch.testing.assert_close(one.codes * 255, (one.codes * 255).round(), rtol=0, atol=1e-4)
    assert one.light.min() >= 0 and one.light.isfinite().all() and one.light.dtype == torch.float32
    assert 0 <= one.display.min() and one.display.max() <= 1


def test_a_training_loop_in_half_precision_makes_the_same_plates(draw):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            plates = draw(lens=0.5, resized=0.5)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert torch.equal(plates.codes, draw(lens=0.5, resized=0.5).codes)


def test_plates_of_one_view_differ_by_their_cameras_alone(draw):
    plates = draw(n=4, per_view=2, odd=0.5)
    scale = plates.light[0].amax() / plates.light[1].amax()
    torch.testing.assert_close(plates.light[0], plates.light[1] * scale, rtol=1e-4, atol=1e-6)
    assert not torch.equal(plates.curve[0], plates.curve[1])
    with pytest.raises(TrainingError, match="5 plates are no multiple of 2"):
        draw(n=5, per_view=2)


@pytest.mark.parametrize("options", [{}, {"lens": 1.0}, {"resized": 1.0}])
def test_plates_clip_as_much_as_was_asked_for(draw, options):
    plates = draw(n=16, clipped=(0.1, 0.2), **options)
    share = (plates.light.amax(dim=1) >= 1).float().mean(dim=(1, 2))
    assert share.min() > 0.08 and share.max() < 0.22
    nothing = draw(n=16, clipped=(0.0, 0.0), **options)
    assert (nothing.light.amax(dim=1) > 1).float().mean() < 0.005


def test_every_curve_is_its_plates_own(draw):
    plates = draw()
    torch.testing.assert_close(
        plates.display, apply_response(plates.light.clamp(0, 1), plates.curve), atol=1e-5, rtol=0
    )
    assert draw(one_curve=True).curve.shape == (8, 1, 1024)
    assert (plates.codes - plates.display).abs().mean() < 0.02


def test_a_lens_spreads_light(draw):
    sharp, through = draw(clipped=(0.01, 0.01)), draw(clipped=(0.01, 0.01), lens=1.0)
    assert not torch.equal(sharp.light, through.light)
    spread = [each.light.amax(dim=1).flatten(1).median(dim=1).values.log2().mean() for each in (sharp, through)]
    assert spread[1] > spread[0] + 0.1  # a veil over the dark, once as much is clipped


@pytest.mark.parametrize("size", [(48, 64), (33, 51)])
def test_a_collage_is_four_pictures_made_smaller(scenes, size):
    seen = random_collages(scenes, torch.tensor([[0, 1, 1, 0], [1, 1, 1, 1]]), size, generator("cpu", 1, 2))
    assert seen.shape == (2, 3, *size) and torch.isfinite(seen).all() and seen.min() >= 0
    # Each is exposed by itself, within three stops.
    half = size[0] // 2, size[1] // 2
    for picture in (seen[..., : half[0], : half[1]], seen[..., -half[0] :, -half[1] :]):
        medians = picture.mean(dim=1).flatten(1).median(dim=1).values
        assert medians.min() > 0.2 and medians.max() < 4


def test_collages_are_sharper_than_views(draw):
    def rough(plates):
        seen = plates.light.clamp(0, 1)
        return (seen.diff(n=2, dim=-1).abs().mean() / seen.diff(dim=-1).abs().mean()).item()

    views, four = draw(n=16), draw(n=16, collages=1.0)
    assert rough(four) > 1.2 * rough(views)
    assert torch.equal(draw(n=16, collages=0.0).codes, views.codes)


def test_a_shallow_depth_of_field_leaves_a_part_in_focus(draw):
    sharp, shallow = draw(n=16), draw(n=16, shallow=1.0)

    def detail(plates):
        step = plates.light.clamp(0, 1).diff(dim=-1).abs().mean(dim=1)
        return step.unflatten(-1, (9, -1)).unflatten(-3, (6, -1)).mean(dim=(-3, -1)).flatten(1)  # of each tile

    assert torch.isfinite(shallow.light).all() and shallow.light.min() >= 0
    assert detail(shallow).mean() < 0.8 * detail(sharp).mean()
    whole = detail(shallow).amax(dim=1) / detail(sharp).amax(dim=1)
    assert whole.max() > 0.8
    assert torch.equal(draw(n=16, shallow=0.0).codes, sharp.codes)


def test_a_processed_plate_is_not_its_response_alone(draw):
    plates = draw(processed=1.0)
    plain = apply_response(plates.light.clamp(0, 1), plates.curve)
    assert ((plates.display - plain).abs().amax(dim=(1, 2, 3)) > 0.01).float().mean() > 0.8
    clipped = plates.light.amin(dim=1) >= 1.5
    assert plates.display.amin(dim=1)[clipped].mean() > 0.99
    half = draw(n=16, processed=0.5)
    apart = (half.display - apply_response(half.light.clamp(0, 1), half.curve)).abs().amax(dim=(1, 2, 3)) > 1e-3
    assert 6 <= int(apart.sum()) <= 9


def test_a_sharpened_plate_differs_where_edges_are_and_keeps_its_level(draw):
    plates = draw(sharpened=1.0)
    plain = apply_response(plates.light.clamp(0, 1), plates.curve)
    apart = plates.display - plain
    assert (apart.abs().amax(dim=(1, 2, 3)) > 0.003).all()
    assert apart.mean(dim=(1, 2, 3)).abs().mean() < 0.003  # no tone mapping
    both = draw(n=16, processed=0.25, sharpened=0.25)
    apart = (both.display - apply_response(both.light.clamp(0, 1), both.curve)).abs().amax(dim=(1, 2, 3)) > 1e-3
    assert 6 <= int(apart.sum()) <= 9


def test_a_resized_plate_keeps_its_truths(draw):
    plates = draw(n=16, resized=1.0)
    assert plates.light.shape == plates.codes.shape == (16, 3, 48, 64)
    expected = apply_response(plates.light.clamp(0, 1), plates.curve)
    error = (plates.display - expected).abs()
    assert (
        error.mean() < 0.01 and error.max() > 1e-3
    )  # at edges, where codes and light are averaged each in its own way
    few = draw(n=16, resized=0.25)
    exact = (few.display - apply_response(few.light.clamp(0, 1), few.curve)).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert int(exact.sum()) == 12


def test_the_field_of_view_is_what_was_asked_for(waves, responses):
    def steepness(least, most):
        options = PlateOptions(**PLAIN, field_of_view=(least, most), clipped=(0, 0))
        light = PlateMaker(waves, Responses(responses[0]), options).draw(16, generator("cpu", 0, 0)).light
        return light.diff(dim=3).abs().mean()

    wider = math.tan(math.radians(98) / 2) / math.tan(math.radians(32) / 2)
    assert steepness(97, 99) / steepness(31, 33) == pytest.approx(wider, rel=0.5)


def test_validation_plates_clip_as_much_as_they_say(material, responses):
    plates = validation_set(Scenes.read(material / "validation"), responses[1], views=2, size=(48, 64)).plates
    for number, each in enumerate(plates):
        clipped = float((each.light.amax(dim=1) >= 1).float().mean())
        assert clipped == pytest.approx(CLIPPED[number % len(CLIPPED)], abs=0.02)


def test_validation_plates_are_always_the_same(material, responses):
    one, same = (
        validation_set(Scenes.read(material / "validation"), responses[1], views=1, size=(24, 32)).to("cpu")
        for _ in range(2)
    )
    assert one.kinds == same.kinds == [Kind("scene_0", 0.03, "PNG"), Kind("scene_1", 0.07, "PNG")]
    assert all(torch.equal(a.codes, b.codes) for a, b in zip(one.plates, same.plates, strict=True))


def test_validation_collages_come_after_the_views(material, responses):
    scenes = Scenes.read(material / "validation")
    views = validation_set(scenes, responses[1], views=1, size=(48, 64))
    both = validation_set(scenes, responses[1], views=1, size=(48, 64), collages=2)
    assert [len(each.plates) for each in (views, both)] == [2, 6] and both.kinds[:2] == views.kinds
    assert all(torch.equal(a.codes, b.codes) for a, b in zip(views.plates, both.plates, strict=False))
    for each, kind in zip(both.plates, both.kinds, strict=True):
        assert float((each.light.amax(dim=1) >= 1).float().mean()) == pytest.approx(kind.clipped, abs=0.02)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_gpu_draws_plates_without_waiting(material, responses):
    scenes = Scenes.read(material / "train", "cuda")
    options = PlateOptions(size=(48, 64), lens=0.5, resized=0.5, processed=0.5, odd=0.5, collages=0.5, shallow=0.5)
    maker = PlateMaker(scenes, Responses(responses[0], "cuda"), options)
    maker.draw(8, generator("cuda", 0, 0))  # brings the tables there
    torch.cuda.set_sync_debug_mode("error")
    try:
        one, same = (maker.draw(8, generator("cuda", 0, 1)) for _ in range(2))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert one.codes.device.type == "cuda" and torch.equal(one.codes, same.codes)


def test_half_of_what_refine_is_scored_on_is_processed(material, responses):
    plates = validation_set(Scenes.read(material / "validation"), responses[1], views=2, size=(48, 64)).plates
    shot, again = half_processed(plates), half_processed(plates)
    for i, (before, after, same) in enumerate(zip(plates, shot, again, strict=True)):
        assert torch.equal(after.codes, same.codes) and torch.equal(after.light, before.light)
        assert torch.equal(after.display, before.display) == (i % 2 == 0)
