"""The camera, forwards: numpy and torch agree, and each step does what cameras do."""

import numpy as np
import OpenImageIO as oiio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

torch = pytest.importorskip("torch", reason="the camera in torch needs the train extra")

from hdrnodes.camera.clipping import clip
from hdrnodes.camera.exposure import expose, stops_to_clip
from hdrnodes.camera.jpeg import jpeg
from hdrnodes.camera.local_tone_mapping import local_gain, tone_map_locally
from hdrnodes.camera.noise import add_noise
from hdrnodes.camera.optics import through_lens
from hdrnodes.camera.quantisation import quantise
from hdrnodes.camera.resizing import resize
from hdrnodes.camera.response import apply_response, constrain_curve, invert_response
from hdrnodes.camera.sharpening import sharpen

RANDOM = np.random.default_rng(5)
PICTURE = RANDOM.random((2, 3, 37, 51), np.float32) * 1.2
SRGB_LIKE = np.float32(np.linspace(0, 1, 1024) ** 2.2)
ONE_EACH = np.stack([SRGB_LIKE, np.float32(np.linspace(0, 1, 1024) ** 1.6)])[:, None]  # N x 1 x S
CORNERS = np.float32([[3, 4], [0.5, 7.3]])


def each(*values):
    """One value a picture, N x 1 x 1 x 1."""
    return np.float32(values).reshape(-1, 1, 1, 1)


STEPS = {
    "expose": lambda x, like: expose(x, 1.5),
    "add_noise": lambda x, like: add_noise(x, x * 0 + 0.3, 0.01, 0.002),
    "clip": lambda x, like: clip(x),
    "apply_response": lambda x, like: apply_response(x, like(SRGB_LIKE)),
    "apply_response, one curve each": lambda x, like: apply_response(x, like(ONE_EACH)),
    "invert_response": lambda x, like: invert_response(x, like(SRGB_LIKE)),
    "invert_response, one curve each": lambda x, like: invert_response(
        x, like(np.broadcast_to(ONE_EACH, (2, 3, 1024)).copy())
    ),
    "constrain_curve": lambda x, like: constrain_curve(x),
    "quantise": lambda x, like: quantise(x),
    "jpeg 4:2:0": lambda x, like: jpeg(clip(x), like(np.float32([75, 95]))),
    "jpeg 4:4:4": lambda x, like: jpeg(clip(x), like(np.float32([30, 100])), "4:4:4"),
    "through_lens": lambda x, like: through_lens(x, like(each(0.5, 2)), like(each(0.01, 0.05)), like(each(2, 9))),
    "sharpen": lambda x, like: sharpen(clip(x), like(each(0.3, 1)), like(each(0.6, 1.5))),
    "tone_map_locally": lambda x, like: tone_map_locally(clip(x), local_gain(clip(x), like(each(0.1, 0.3)))),
    "resize, bicubic": lambda x, like: resize(x, (20, 31), like(np.float32([1, 1.4])), like(CORNERS)),
    "resize, area": lambda x, like: resize(x, (20, 31), like(np.float32([1, 1.4])), like(CORNERS), "area"),
    "stops_to_clip": lambda x, like: stops_to_clip(x, like(np.float32([0.03, 0.15]))),
}


@pytest.mark.parametrize("step", STEPS)
def test_numpy_and_torch_agree(step):
    in_numpy = STEPS[step](PICTURE, np.asarray)
    in_torch = STEPS[step](torch.from_numpy(PICTURE), torch.from_numpy)
    assert in_numpy.dtype == np.float32 and in_torch.dtype == torch.float32
    difference = np.abs(in_numpy - in_torch.numpy())
    if step.startswith("jpeg"):  # a value that falls on a rounding edge may go either way, by a code or two
        assert difference.max() < 2.01 / 255 and (difference > 1e-5).mean() < 0.1
    else:
        assert difference.max() < 2e-5


def test_exposure_clips_the_fraction_asked_for():
    fractions = np.float32([0.05, 0.2])
    stops = stops_to_clip(PICTURE, fractions)
    brightest = expose(PICTURE, stops[:, None, None, None]).max(axis=1)
    np.testing.assert_allclose((brightest > 1).mean(axis=(1, 2)), fractions, atol=2e-3)


def test_a_black_scene_is_left_as_it_is():
    assert stops_to_clip(np.zeros((1, 3, 4, 4), np.float32), np.float32([0.1])) == 0


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("quality", [75, 90, 97])
def test_jpeg_is_what_libjpeg_writes(quality, subsampling, tmp_path):
    y, x = np.mgrid[0:53, 0:67] / 60
    smooth = np.stack([np.sin(5 * x + y), np.cos(7 * y), np.sin(9 * x * y)]) * 0.45 + 0.5
    codes = quantise(np.float32(np.clip(smooth + RANDOM.normal(0, 0.03, smooth.shape), 0, 1))[None])
    picture = oiio.ImageBuf(np.ascontiguousarray(np.uint8(np.round(codes[0] * 255)).transpose(1, 2, 0)))
    picture.specmod().attribute("Compression", f"jpeg:{quality}")
    picture.specmod().attribute("jpeg:subsampling", subsampling)
    assert picture.write(str(tmp_path / "plate.jpg"))
    theirs = oiio.ImageBuf(str(tmp_path / "plate.jpg")).get_pixels(oiio.FLOAT).transpose(2, 0, 1) * 255
    ours = jpeg(codes, np.float32([quality]), subsampling)[0] * 255
    lost, lost_by_theirs = np.abs(ours - codes[0] * 255).mean(), np.abs(theirs - codes[0] * 255).mean()
    assert lost == pytest.approx(lost_by_theirs, rel=0.03)  # in codes
    # Theirs rounds in integer arithmetic, so single values differ; what is lost is the same, and in the same places.
    assert np.abs(ours - theirs).mean() < 0.5 * lost


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, 64, elements=st.floats(-4, 4, width=32)))
def test_any_samples_become_a_response(raw):
    curve = constrain_curve(raw)
    assert curve[0] == 0 and curve[-1] == 1
    assert (np.diff(curve) >= 0).all()


def test_response_and_its_inverse_cancel():
    light = np.linspace(0, 1, 5000, dtype=np.float32)
    np.testing.assert_allclose(invert_response(apply_response(light, SRGB_LIKE), SRGB_LIKE), light, atol=1e-5)


def test_a_curve_a_channel_applies_to_the_last_axis():
    curves = np.float32([np.linspace(0, 1, 1024) ** power for power in (1, 2, 3)])
    grey = np.full((4, 5, 3), 0.5, np.float32)
    np.testing.assert_allclose(invert_response(grey, curves)[2, 3], [0.5, 0.25, 0.125], atol=1e-5)


def _lamp(y, x, light=60_000.0):
    """A dim room with one lamp of a pixel, 1 x 3 x 48 x 64."""
    room = np.full((1, 3, 48, 64), 0.1, np.float32)
    room[..., y, x] = light
    return room


@pytest.mark.parametrize("blur, glare, reach", [(0.3, 0.0, 1.0), (0.8, 0.04, 20.0), (3.0, 0.02, 0.5)])
def test_a_lens_moves_light_and_keeps_all_of_it(blur, glare, reach):
    seen = through_lens(_lamp(20, 30), each(blur), each(glare), each(reach))
    assert seen.min() >= 0.1 - 60_000 * 2e-6  # no dark ring, but for rounding
    np.testing.assert_allclose(seen.sum(), _lamp(20, 30).sum(), rtol=1e-5)
    row = seen[0, 0, 20, 30:]
    assert (np.diff(row[:12]) <= 60_000 * 1e-6).all()  # falls with the distance


def test_glare_falls_with_the_cube_of_the_distance():
    room = np.zeros((1, 1, 257, 257), np.float32)
    room[..., 128, 128] = 1e4
    veil = through_lens(room, each(0), each(1), each(6))[0, 0, 128, 128:]
    distance = np.arange(129)
    moffat = 1e4 * 6 / (2 * np.pi * (36 + distance**2) ** 1.5)
    np.testing.assert_allclose(veil[5:25], moffat[5:25], rtol=0.02)


def test_no_light_comes_in_from_the_other_side():
    seen = through_lens(_lamp(24, 1), each(1), each(0.05), each(3))[0, 0]
    assert seen[24, 10] > 5 * seen[24, -1]
    assert seen[0, 1] == pytest.approx(seen[-1, 1], rel=0.3) and seen[0, 1] > seen[0, -1]


def test_a_perfect_lens_changes_nothing():
    light = np.clip(PICTURE, 0, None)
    np.testing.assert_allclose(through_lens(light, each(0, 0), each(0, 0), each(5, 5)), light, atol=1e-6)


def test_sharpening_steepens_edges_without_colouring_them():
    edge = np.full((1, 3, 16, 16), 0.3, np.float32)
    edge[..., 8:] = 0.6
    sharp = sharpen(edge, each(0.8), each(1))[0]
    assert sharp[0, 8, 7] < 0.3 < 0.6 < sharp[0, 8, 8]
    np.testing.assert_allclose(sharp[:, :, [0, -1]], edge[0][:, :, [0, -1]], atol=1e-3)
    assert np.ptp(sharp, axis=0).max() < 1e-6
    assert sharpen(PICTURE * 3, each(2, 2), each(2, 2)).max() == 1


def test_local_tone_mapping_lifts_shadows_and_holds_what_clipped():
    light = np.full((1, 3, 60, 90), 0.01, np.float32)
    light[..., 45:] = 0.8
    light[..., :2, :] = 1
    gain = local_gain(light, each(0.3))
    mapped = tone_map_locally(light, gain)
    assert (mapped[..., :2, :] == 1).all() and mapped.max() == 1
    assert 1.5 < mapped[0, 0, 30, 5] / 0.01 < 3.5
    assert 0.6 < mapped[0, 0, 30, -5] < 0.8
    assert np.abs(np.diff(np.log2(gain[0, 0]), axis=1)).max() < 0.1  # no edge comes with it
    np.testing.assert_allclose(tone_map_locally(light, local_gain(light, each(0))), light, rtol=1e-6)


def test_resized_by_nothing_stays_as_it_is():
    for kernel in ("bicubic", "area"):
        step, corner = np.float32([1, 1]), np.float32([[4, 5], [0, 2]])
        same = resize(PICTURE, (30, 40), step, corner, kernel)
        np.testing.assert_allclose(same[0], PICTURE[0, :, 4:34, 5:45], atol=1e-6)
        np.testing.assert_allclose(same[1], PICTURE[1, :, :30, 2:42], atol=1e-6)


def test_resizing_by_two_takes_means_of_four():
    half = resize(PICTURE[:1, :, :36, :50], (18, 25), np.float32([2]), np.zeros((1, 2), np.float32), "area")
    means = PICTURE[:1, :, :36, :50].reshape(1, 3, 18, 2, 25, 2).mean(axis=(3, 5))
    np.testing.assert_allclose(half, means, atol=1e-6)


def test_resizing_is_antialiased():
    y, x = np.mgrid[0:96, 0:96]
    checker = np.float32((x + y) % 2)[None, None]
    for kernel in ("bicubic", "area"):
        small = resize(checker, (48, 48), np.float32([2]), np.zeros((1, 2), np.float32), kernel)
        np.testing.assert_allclose(small[..., 2:-2, 2:-2], 0.5, atol=1e-6)
