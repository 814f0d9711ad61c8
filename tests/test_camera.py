"""The camera, forwards: numpy and torch agree, and each step does what cameras do."""

import numpy as np
import OpenImageIO as oiio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

torch = pytest.importorskip("torch", reason="the camera in torch needs the train extra")

from hdrnodes.camera.clipping import clip  # noqa: E402  (after the skip)
from hdrnodes.camera.exposure import expose, stops_to_clip  # noqa: E402
from hdrnodes.camera.jpeg import jpeg  # noqa: E402
from hdrnodes.camera.noise import add_noise  # noqa: E402
from hdrnodes.camera.quantisation import quantise  # noqa: E402
from hdrnodes.camera.response import apply_response, constrain_curve, invert_response  # noqa: E402

RANDOM = np.random.default_rng(5)
PICTURE = RANDOM.random((2, 3, 37, 51), np.float32) * 1.2
SRGB_LIKE = np.float32(np.linspace(0, 1, 1024) ** 2.2)
ONE_EACH = np.stack([SRGB_LIKE, np.float32(np.linspace(0, 1, 1024) ** 1.6)])[:, None]  # N x 1 x S
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
