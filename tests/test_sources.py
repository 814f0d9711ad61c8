"""Loaders: scenes from folders of float pictures, plates with their light, in every layout and in bad states."""

import logging

import numpy as np
import OpenImageIO as oiio
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'hdrnodes[train]'")

from hdrnodes.camera.response import SAMPLES, apply_response
from hdrnodes.errors import ReadError
from hdrnodes.training.clip_level import clip_level, likeness
from hdrnodes.training.pairs import PairMaker, PlatePair, load_pairs
from hdrnodes.training.sources import load


def light_of(number=1, size=(32, 48)):
    """A room with a window that is some stops brighter; soft enough to be told from any other number's."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    random = np.random.default_rng(number)
    waves = sum(np.sin(x * a + y * b + c) for a, b, c in random.uniform(0.05, 0.4, (6, 3)) * [1, 1, 20])
    light = 0.25 * np.exp(0.6 * waves)[..., None] * random.uniform(0.7, 1.0, 3)
    light[4:9, 10:20] += 8
    return np.float32(light)


def write(path, pixels, kind="float", **attributes):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.atleast_3d(pixels)
    height, width, channels = pixels.shape
    spec = oiio.ImageSpec(width, height, channels, kind)
    for name, value in attributes.items():
        spec.attribute(name, *value) if isinstance(value, tuple) else spec.attribute(name, value)
    buffer = oiio.ImageBuf(spec)
    buffer.set_pixels(buffer.roi, np.ascontiguousarray(pixels, np.float32))
    assert buffer.write(str(path)), buffer.geterror()
    return path


def plate_of(light, power=2.2):
    """What a camera with that gamma makes of it, as 0..1 on 8-bit codes."""
    return np.round(np.clip(light, 0, 1) ** (1 / power) * 255) / 255


def write_pair(plate, light, number=1, exposure=1.0, size=(32, 48)):
    truth = light_of(number, size)
    write(plate, plate_of(truth * exposure), "uint8")
    write(light, truth)
    return truth * exposure


# Scenes


def test_scenes_come_from_every_kind_of_float_picture_in_every_folder(tmp_path):
    light = light_of()
    for name in ("stanford/office.hdr", "fairchild/booth.exr", "a.pfm", "b.tif", ".hidden.exr", ".trash/c.exr"):
        write(tmp_path / name, light)
    write(tmp_path / "d.tif", light / 10, "uint16")  # photographs are no scenes
    write(tmp_path / "e.png", light / 10, "uint8")
    found = list(load(tmp_path))
    assert [source.name for source in found] == ["a", "b", "fairchild/booth", "stanford/office"]
    for source in found:
        np.testing.assert_allclose(source.light, light, rtol=0.01)  # .hdr has 8-bit mantissas
        assert source.light.dtype == np.float32


def test_a_single_file_is_a_scene(tmp_path):
    assert [source.name for source in load(write(tmp_path / "one.exr", light_of()))] == ["one"]


def test_large_scenes_are_averaged_by_area(tmp_path):
    light = light_of(size=(64, 96))
    write(tmp_path / "large.exr", light)
    (source,) = load(tmp_path, longest_side=48)
    np.testing.assert_allclose(source.light, light.reshape(32, 2, 48, 2, 3).mean(axis=(1, 3)), rtol=1e-5)


@pytest.mark.parametrize(
    ("file", "size", "attributes", "panorama"),
    [
        ("room_photo_studio_view.exr", (16, 32), {}, True),
        ("room.exr", (16, 31), {}, False),
        ("views/room.exr", (16, 32), {}, False),
        ("Photos/studio/room.exr", (16, 32), {}, False),
        ("photos/panoramas/room.exr", (16, 32), {}, True),
        ("views/room_latlong.exr", (16, 32), {}, True),
        ("views/room.exr", (16, 32), {"textureformat": "LatLong Environment"}, True),
        ("room_latlong.exr", (16, 16), {}, False),
    ],
)
def test_a_panorama_is_told_by_its_shape_its_header_and_names(tmp_path, file, size, attributes, panorama):
    write(tmp_path / "set" / file, light_of(size=size), **attributes)
    (source,) = load(tmp_path / "set")
    assert source.panorama == panorama


def test_the_folder_that_is_given_may_say_what_it_holds(tmp_path):
    write(tmp_path / "views" / "room.exr", light_of(size=(16, 32)))
    assert not next(load(tmp_path / "views")).panorama
    assert not next(load(tmp_path)).panorama


def test_grey_is_expanded_and_further_channels_are_dropped(tmp_path):
    light = light_of()
    write(tmp_path / "grey.exr", light[..., :1])
    write(tmp_path / "more.exr", np.concatenate([light, light[..., :2] * 7], axis=2))
    grey, more = load(tmp_path)
    np.testing.assert_array_equal(grey.light, light[..., [0, 0, 0]])
    np.testing.assert_array_equal(more.light, light)


def test_colours_are_converted_to_bt709(tmp_path):
    ap1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)
    grey = np.full((8, 8, 3), 0.25, np.float32)
    red = grey * [1, 0.2, 0.2]
    write(tmp_path / "grey.exr", grey, chromaticities=("float[8]", ap1))
    write(tmp_path / "red.exr", red, chromaticities=("float[8]", ap1))
    found = {source.name: source.light[0, 0] for source in load(tmp_path)}
    np.testing.assert_allclose(found["grey"], 0.25, atol=1e-3)
    assert found["red"][0] > 0.35 and found["red"][1] < 0.05  # ACEScg's red is redder than BT.709's


def test_primaries_that_no_colour_space_has_are_said(tmp_path, caplog):
    odd = (0.7, 0.3, 0.2, 0.7, 0.1, 0.1, 0.3, 0.3)
    write(tmp_path / "odd.exr", light_of(), chromaticities=("float[8]", odd))
    np.testing.assert_array_equal(next(load(tmp_path)).light, light_of())
    assert "odd.exr: has primaries that no colour space here has" in caplog.text


def test_a_colour_space_that_is_not_known_is_said_with_the_file(tmp_path, caplog):
    write(tmp_path / "odd.exr", light_of(), colorInteropID="show_plate_log")
    with pytest.raises(ReadError, match="none of its 1 pictures"):
        next(load(tmp_path))
    assert "odd.exr: cannot be converted to BT.709" in caplog.text


def test_what_cannot_be_computed_with_is_taken_out_and_counted(tmp_path, caplog):
    light = light_of()
    light[0, 0], light[1, 1, 0], light[2, 2, :2] = np.nan, np.inf, -3
    write(tmp_path / "hurt.exr", light)
    (source,) = load(tmp_path)
    assert np.isfinite(source.light).all() and source.light.min() == 0
    assert "hurt.exr: 3 nan values, 1 infinite values, 2 negative values taken out" in caplog.text


def test_a_file_that_cannot_be_used_is_left_out_with_a_line(tmp_path, caplog):
    for name in "ab":
        write(tmp_path / f"{name}.exr", light_of())
    (tmp_path / "a.exr").write_bytes((tmp_path / "b.exr").read_bytes()[:-2000])
    (tmp_path / "empty.hdr").touch()
    (tmp_path / "text.exr").write_text("not a picture")
    write(tmp_path / "black.exr", np.zeros((8, 8, 3)))
    write(tmp_path / "cube.exr", light_of(size=(48, 8)), textureformat="CubeFace Environment")
    assert [source.name for source in load(tmp_path)] == ["b"]
    assert len(caplog.records) == 5
    for name in ("a.exr: is cut off", "black.exr: is black", "cube.exr: is a cube map", "empty.hdr: is empty"):
        assert name in caplog.text
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_one_scene_as_two_files_is_taken_once(tmp_path, caplog):
    write(tmp_path / "room.exr", light_of())
    write(tmp_path / "room.hdr", light_of())
    assert len(list(load(tmp_path))) == 1
    assert "room.hdr: left out, for room.exr is the same scene" in caplog.text


def test_links_are_followed_and_never_in_circles(tmp_path):
    write(tmp_path / "disk" / "room.exr", light_of())
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "more").symlink_to(tmp_path / "disk", target_is_directory=True)
    (tmp_path / "disk" / "back").symlink_to(tmp_path / "set", target_is_directory=True)
    assert [source.name for source in load(tmp_path / "set")] == ["more/room"]


@pytest.mark.parametrize("state", ["missing", "empty", "photographs", "broken"])
def test_a_folder_without_scenes_is_an_error_that_names_it(tmp_path, state):
    folder = tmp_path / "scenes"
    if state != "missing":
        folder.mkdir()
    if state == "photographs":
        write(folder / "a.png", light_of(), "uint8")
        write(folder / "b.tif", light_of(), "uint16")
    if state == "broken":
        (folder / "a.exr").write_bytes(b"v/1\x01 and then nothing")
    said = {"missing": "does not exist", "broken": "none of its 1 pictures can be used"}
    with pytest.raises(ReadError, match=said.get(state, "holds no .exr")) as caught:
        next(load(folder))
    assert caught.value.subject == folder


# Pairs

LAYOUTS = {
    "HDR-Real": ("HDR-Real/LDR_in/{}.jpg", "HDR-Real/HDR_gt/{}.hdr"),
    "to test with": ("HDR-Eye/{}/input.jpg", "HDR-Eye/{}/gt.hdr"),
    "HDR-Synth": ("{}/input.png", "{}/gt.hdr"),
    "SI-HDR": ("sihdr/input/clip_97/{}.png", "sihdr/reference/{}.exr"),
    "two folders": ("show/LDR/shot/{}.tif", "show/hdr/shot/{}.tif"),
    "one folder": ("{}.jpeg", "{}.exr"),
    "marked names": ("shot/{}_LDR.png", "shot/{}_hdr.exr"),
    "other marks": ("{}.plate.png", "{}-reference.exr"),
}


@pytest.mark.parametrize("plate, light", LAYOUTS.values(), ids=LAYOUTS)
def test_pairs_are_found_in_every_layout(tmp_path, plate, light, caplog):
    truths = [
        write_pair(tmp_path / plate.format(name), tmp_path / light.format(name), number, exposure=1.5)
        for number, name in enumerate(("00001", "00002"))
    ]
    pairs = list(load_pairs(tmp_path))
    assert [pair.name for pair in pairs] == [plate.format(name).rpartition(".")[0] for name in ("00001", "00002")]
    for pair, truth in zip(pairs, truths, strict=True):
        assert pair.codes.dtype == np.uint8 and pair.light.dtype == np.float32
        assert np.abs(np.log2(np.median(pair.light / truth))) < 0.15
    assert not caplog.records


def test_pairs_lie_in_folders_of_any_name_when_they_are_named(tmp_path):
    write_pair(tmp_path / "jpg" / "a.jpg", tmp_path / "merged" / "a.exr")
    assert [pair.name for pair in load_pairs(tmp_path, folders=("jpg", "merged"))] == ["jpg/a"]
    with pytest.raises(ReadError, match="elsewhere: is no folder"):
        next(load_pairs(tmp_path, folders=("jpg", "elsewhere")))


def test_plates_of_one_light_have_one_scene(tmp_path):
    write_pair(tmp_path / "input/clip_95/001.png", tmp_path / "reference/001.exr", exposure=2)
    write_pair(tmp_path / "input/clip_97/001.png", tmp_path / "reference/001.exr")
    pairs = list(load_pairs(tmp_path))
    assert [pair.name for pair in pairs] == ["input/clip_95/001", "input/clip_97/001"]
    assert pairs[0].scene == pairs[1].scene
    assert np.median(pairs[0].light) == pytest.approx(2 * np.median(pairs[1].light), rel=0.1)


def test_pictures_beside_the_lights_are_no_plates(tmp_path):
    write_pair(tmp_path / "ldr/a.png", tmp_path / "hdr/a.exr")
    write(tmp_path / "hdr/a.jpg", plate_of(light_of()), "uint8")  # somebody's preview
    assert [pair.name for pair in load_pairs(tmp_path)] == ["ldr/a"]


def test_of_many_pairs_evenly_spaced_ones_are_taken(tmp_path):
    for number in range(6):
        write_pair(tmp_path / f"{number}.png", tmp_path / f"{number}.exr", number)
    assert [pair.name for pair in load_pairs(tmp_path, most=3)] == ["0", "2", "4"]
    assert len(list(load_pairs(tmp_path, most=9))) == 6


def bad_states(folder):
    write_pair(folder / "ldr/alone.png", folder / "elsewhere/alone.exr")
    write(folder / "hdr/lonely.exr", light_of())
    write_pair(folder / "ldr/size.png", folder / "hdr/size.exr")
    write(folder / "hdr/size.exr", light_of(size=(32, 47)))
    write_pair(folder / "ldr/broken.png", folder / "hdr/broken.exr")
    (folder / "hdr/broken.exr").write_bytes(b"v/1\x01 and then nothing")
    write_pair(folder / "ldr/deep.png", folder / "hdr/deep.exr")
    write(folder / "ldr/deep.png", plate_of(light_of()), "uint16")
    write_pair(folder / "ldr/other.png", folder / "hdr/other.exr", 3)
    write(folder / "hdr/other.exr", light_of(4))
    write_pair(folder / "ldr/white.png", folder / "hdr/white.exr")
    write(folder / "ldr/white.png", np.ones((32, 48, 3)), "uint8")


def test_what_cannot_be_paired_is_left_out_with_a_line(tmp_path, caplog):
    bad_states(tmp_path)
    write_pair(tmp_path / "ldr/right.png", tmp_path / "hdr/right.exr")
    assert [pair.name for pair in load_pairs(tmp_path)] == ["ldr/right"]
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 6
    for line in (
        "hdr/lonely.exr: has no partner, nor have 1 more there; left out",
        f"size.png: has 48 x 32 pixels, but {tmp_path / 'hdr/size.exr'} 47 x 32; give both one size",
        "hdr/broken.exr: is OpenEXR, and its header is cut off or damaged",
        "deep.png: has 16 bits",
        "other.png: does not show what",
        "white.png: has no tones to tell its exposure by",
    ):
        assert any(line in said for said in lines), line


def test_no_usable_pair_is_an_error_that_names_the_folder(tmp_path):
    bad_states(tmp_path)
    with pytest.raises(ReadError, match="none of its 5 pairs can be used") as caught:
        next(load_pairs(tmp_path))
    assert caught.value.subject == tmp_path


def test_a_scene_of_a_test_set_without_its_light_is_said(tmp_path, caplog):
    write_pair(tmp_path / "1/input.jpg", tmp_path / "1/gt.hdr")
    write(tmp_path / "2/input.jpg", plate_of(light_of()), "uint8")
    assert len(list(load_pairs(tmp_path))) == 1
    assert "2/input.jpg: has no partner" in caplog.text


@pytest.mark.parametrize("content", ["missing", "nothing", "plates", "lights"])
def test_a_folder_without_pairs_is_an_error_that_names_it(tmp_path, content):
    folder = tmp_path / "set"
    if content != "missing":
        folder.mkdir()
    if content == "plates":
        write(folder / "a.png", plate_of(light_of()), "uint8")
    if content == "lights":
        write(folder / "a.exr", light_of())
    said = "is no folder" if content == "missing" else "holds no plate"
    with pytest.raises(ReadError, match=said) as caught:
        next(load_pairs(folder))
    assert caught.value.subject == folder


@pytest.mark.parametrize("power", [0.8, 1.0, 1.8, 2.6])
def test_light_is_1_where_the_plate_clips_whatever_its_curve(power):
    """By the camera's own code, and with a unit of light that says nothing."""
    truth = light_of(size=(96, 128))
    curve = torch.linspace(0, 1, SAMPLES)[None, None] ** power
    display = apply_response(torch.from_numpy(truth.clip(0, 1)).permute(2, 0, 1)[None], curve)[0].permute(1, 2, 0)
    codes = np.uint8(np.round(display.numpy() * 255))
    unit = 1234.5
    assert abs(np.log2(clip_level(codes, truth * np.float32(unit)) / unit)) < 0.2
    assert likeness(codes, truth) > 0.85
    assert abs(likeness(codes, light_of(9, truth.shape[:2]))) < 0.7


def test_a_plate_of_one_tone_has_no_clip_level():
    for tone in (0, 255):
        assert clip_level(np.full((20, 20, 3), tone, np.uint8), np.ones((20, 20, 3), np.float32)) is None
    assert likeness(np.zeros((20, 20, 3), np.uint8), light_of(size=(20, 20))) == 0


# Crops


def numbered(number, size, scene=None):
    """A pair whose codes and light both say where a pixel is."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    codes = np.uint8(np.stack([y, x, np.full_like(x, number)], axis=2))
    return PlatePair(str(number), codes, np.float32(codes) * 4, scene or str(number))


def test_crops_hold_plate_and_light_of_one_place():
    maker = PairMaker([numbered(0, (40, 60)), numbered(1, (60, 40)), numbered(2, (30, 30))], (16, 24))
    drawn = maker.draw(64, torch.Generator().manual_seed(1))
    assert drawn.codes.shape == drawn.light.shape == (64, 3, 16, 24)
    assert drawn.codes.dtype == drawn.light.dtype == torch.float32
    torch.testing.assert_close(drawn.light, drawn.codes * 255 * 4)
    assert set(drawn.codes[:, 2].mul(255).round().unique().tolist()) == {0, 1, 2}
    assert len({tuple((crop[:2, 0, 0] * 255).round().tolist()) for crop in drawn.codes}) > 40
    # How y and x grow down and across a crop: eight ways of lying there, four of them mirrored.
    ways = {
        tuple((255 * torch.stack([crop[:2, 1, 0], crop[:2, 0, 1]]) - 255 * crop[:2, 0, 0]).round().flatten().tolist())
        for crop in drawn.codes
    }
    assert len(ways) == 8


def test_one_seed_draws_one_set_of_crops():
    maker = PairMaker([numbered(0, (40, 60)), numbered(1, (40, 60))], (16, 24))
    one, same, other = (maker.draw(8, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.codes, same.codes) and torch.equal(one.light, same.light)
    assert not torch.equal(one.codes, other.codes)


def test_scenes_are_drawn_alike_however_many_plates_they_have():
    pairs = [numbered(number, (16, 16), scene="one" if number else "other") for number in range(10)]
    numbers = PairMaker(pairs, (16, 16)).draw(400, torch.Generator().manual_seed(1)).codes[:, 2, 0, 0] * 255
    assert float((numbers < 0.5).float().mean()) == pytest.approx(0.5, abs=0.1)


def test_a_picture_as_high_as_a_crop_is_wide_is_turned():
    drawn = PairMaker([numbered(0, (24, 16))], (16, 24)).draw(8, torch.Generator().manual_seed(1))
    assert drawn.codes.shape == (8, 3, 16, 24)


def test_pairs_smaller_than_the_crops_are_left_out_with_a_line(caplog):
    with caplog.at_level(logging.WARNING):
        maker = PairMaker([numbered(0, (40, 60)), numbered(1, (10, 60))], (16, 24))
    assert len(maker) == 1
    assert "1: 60 x 10 pixels are too few for crops of 24 x 16" in caplog.text
    with pytest.raises(ReadError, match="none is as large as 24 x 16"):
        PairMaker([numbered(1, (10, 60))], (16, 24))


def test_light_beyond_half_is_held_as_the_brightest_half():
    pair = numbered(0, (16, 16))
    pair = PlatePair(pair.name, pair.codes, np.full((16, 16, 3), 1e6, np.float32), pair.scene)
    assert PairMaker([pair], (16, 16)).draw(1, torch.Generator().manual_seed(1)).light.max() == 65504
