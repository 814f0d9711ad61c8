"""`hdrnodes reconstruct --preview`: the contact sheet shows what was made, and goes with its picture."""

import json

import numpy as np
import pytest
from cli import hdrnodes, header, load, plate, save

from hdrnodes.canvas import BLUE, VERMILION
from hdrnodes.curve_plot import Layout
from hdrnodes.preview import shortened, text_width

GAP, LABEL = 16, 26
STOPS = (-4, -2, 0, 2)


@pytest.fixture
def reconstruct(tiny_model):
    return lambda *arguments: hdrnodes("reconstruct", *arguments, "--preview", "--model", tiny_model)


def tile(sheet, row, column, height=360, width=480):
    top, left = GAP + row * (LABEL + height + GAP) + LABEL, GAP + column * (width + GAP)
    return sheet[top : top + height, left : left + width]


def encoded(light):
    """IEC 61966-2-1, in float64."""
    x = np.clip(np.asarray(light, np.float64), 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)


def test_the_tiles_are_plate_mask_and_result_at_its_exposures(reconstruct, tiny_model, tmp_path):
    source = save(tmp_path / "plate.png")  # 24 x 32: each pixel is 15 x 15 of a tile
    ran = reconstruct(source, "--pixel-type", "float")
    assert (ran.exit_code, ran.stdout.splitlines()) == (0, [f"{tmp_path}/plate.exr", f"{tmp_path}/plate.preview.png"])
    sheet, spec = load(tmp_path / "plate.preview.png")
    assert (spec.width, spec.height) == (4 * 480 + 5 * GAP, 2 * (360 + LABEL) + 3 * GAP)
    hdrnodes("reconstruct", source, "-o", tmp_path / "mask.exr", "--hallucinate-output", "mask", "--model", tiny_model)
    light = load(tmp_path / "plate.exr")[0]
    assert light.max() > 1.5  # something was invented, and is white at 0 stops
    expected = {(0, 0): load(source)[0], (0, 1): load(tmp_path / "mask.exr")[0]}
    expected |= {(1, column): encoded(light * 2.0**stops) for column, stops in enumerate(STOPS)}
    for place, pixels in expected.items():
        shown = tile(sheet, *place)
        for corner in (0, 7, 14):  # enlarged by a whole number, and not blurred
            np.testing.assert_allclose(shown[corner::15, corner::15], pixels, atol=0.51 / 255 + 1e-3, err_msg=place)


@pytest.mark.parametrize("per_channel", [False, True])
def test_the_curve_is_the_one_in_the_header(reconstruct, tmp_path, per_channel):
    save(tmp_path / "plate.png")
    reconstruct(tmp_path / "plate.png", *["--per-channel"] * per_channel)
    shown = tile(load(tmp_path / "plate.preview.png")[0], 0, 2)
    curve = np.reshape(header(tmp_path / "plate.exr", "hdrnodes:curve"), (-1, 1024))
    for display in (0.3, 0.6, 0.9):
        x, y = Layout.small(480, 360).place(display, float(np.interp(display, np.linspace(0, 1, 1024), curve[0])))
        around = shown[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].reshape(-1, 3)
        lines = [BLUE, VERMILION] if per_channel else [BLUE]  # red's may lie under blue's
        assert min(np.abs(around - colour).max(axis=1).min() for colour in lines) < 0.05


def test_larger_pictures_are_averaged_as_light(reconstruct, tmp_path):
    codes = np.random.default_rng(3).integers(0, 200, (480, 960, 1)).repeat(3, axis=2) / 255
    save(tmp_path / "plate.png", codes)
    assert reconstruct(tmp_path / "plate.png", "--pixel-type", "float").exit_code == 0
    sheet = load(tmp_path / "plate.preview.png")[0]
    light = load(tmp_path / "plate.exr")[0].astype(np.float64)
    mean = light.reshape(240, 2, 480, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(tile(sheet, 1, 3, 240), encoded(mean * 4), atol=0.51 / 255 + 1e-3)
    display = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    expected = encoded(display.reshape(240, 2, 480, 2, 3).mean(axis=(1, 3)))
    np.testing.assert_allclose(tile(sheet, 0, 0, 240), expected, atol=0.51 / 255 + 1e-3)


def test_a_result_in_another_colour_space_looks_the_same(reconstruct, tmp_path):
    save(tmp_path / "plate.png")
    reconstruct(tmp_path / "plate.png", "-o", tmp_path / "a.exr")
    assert reconstruct(tmp_path / "plate.png", "-o", tmp_path / "b.exr", "--colorspace", "ACEScg").exit_code == 0
    one, other = (load(tmp_path / f"{name}.preview.png")[0] for name in "ab")
    np.testing.assert_allclose(tile(one, 1, 2), tile(other, 1, 2), atol=2 / 255)


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((1, 1, 3), 0.5),
        np.zeros((5, 4, 1)),
        np.ones((1, 700, 3)),
        np.ones((700, 3, 4)) * 0.5,
    ],
    ids=["one pixel", "black, grey", "a row, all clipped", "a column with alpha"],
)
def test_plates_of_any_kind_have_a_sheet(reconstruct, tmp_path, pixels):
    ran = reconstruct(save(tmp_path / "plate.png", pixels))
    assert (ran.exit_code, len(ran.stdout.splitlines())) == (0, 2)
    sheet, spec = load(tmp_path / "plate.preview.png")
    assert spec.nchannels == 3 and spec.width > 1400 and spec.height > 500
    assert np.isfinite(sheet).all() and len(np.unique(sheet.reshape(-1, 3), axis=0)) > 20


def test_a_plate_that_is_linear_has_no_curve_to_show(reconstruct, tmp_path):
    save(tmp_path / "plate.exr", 3 * plate(), "float")
    assert reconstruct(tmp_path / "plate.exr", "-o", tmp_path / "out.exr").exit_code == 0
    sheet = load(tmp_path / "out.preview.png")[0]
    assert np.ptp(tile(sheet, 0, 1)) == 0  # nothing was invented
    assert np.abs(tile(sheet, 0, 2) - BLUE).max(axis=2).min() > 0.3


@pytest.fixture
def shot(tmp_path):
    for frame in (1, 2, 3):
        save(tmp_path / f"plate.{frame:04}.png", plate(seed=frame))
    return tmp_path / "plate.####.png"


def test_every_frame_has_one_and_the_same_command_makes_what_is_missing(reconstruct, shot, tmp_path):
    command = (shot, "-o", tmp_path / "out.####.exr", "--scope", "shot")
    ran = reconstruct(*command)
    sheets = [tmp_path / f"out.{frame:04}.preview.png" for frame in (1, 2, 3)]
    pictures = [tmp_path / f"out.{frame:04}.exr" for frame in (1, 2, 3)]
    assert ran.stdout.splitlines() == [str(path) for pair in zip(pictures, sheets, strict=True) for path in pair]
    before = {path: path.stat().st_mtime_ns for path in (*pictures, *sheets)}
    whole = load(sheets[1])[0]
    sheets[1].unlink()
    ran = reconstruct(*command)
    assert "2 of 3 are there already, and stay; 1 to do" in ran.stderr
    # Half floats of the EXR, in place of the float ones that it was made of.
    np.testing.assert_allclose(load(sheets[1])[0], whole, atol=2 / 255)
    del before[sheets[1]]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_run_without_sheets_can_be_given_them_later(reconstruct, shot, tmp_path, tiny_model):
    hdrnodes("reconstruct", shot, "--model", tiny_model)
    ran = reconstruct(shot, "--json")
    assert [each["preview"] for each in json.loads(ran.stdout)] == [
        f"{tmp_path}/plate.{frame:04}.preview.png" for frame in (1, 2, 3)
    ]
    assert all(each["ok"] and each["curve"] == "estimate" for each in json.loads(ran.stdout))
    assert len(list(tmp_path.glob("*.preview.png"))) == 3


def test_a_sheet_of_somebody_else_is_not_replaced_unasked(reconstruct, shot, tmp_path):
    there = tmp_path / "plate.0002.preview.png"
    there.write_bytes(b"mine")
    ran = reconstruct(shot)
    assert (ran.exit_code, there.read_bytes()) == (1, b"mine")
    assert f"{there}: exists already; choose another name, or --overwrite" in ran.stderr.splitlines()
    assert not (tmp_path / "plate.0002.exr").exists() and (tmp_path / "plate.0003.preview.png").exists()
    assert reconstruct(shot, "--overwrite").exit_code == 0
    assert load(there)[1].width > 1000


def test_a_sheet_that_was_cut_off_is_named(reconstruct, shot, tmp_path):
    reconstruct(shot)
    there = tmp_path / "plate.0001.preview.png"
    there.write_bytes(there.read_bytes()[:4000])
    ran = reconstruct(shot)
    assert ran.exit_code == 1 and f"{there}: exists already, cut off or damaged" in ran.stderr


def test_one_picture_that_is_there_stays_and_gets_the_sheet_that_it_lacks(reconstruct, tmp_path):
    save(tmp_path / "plate.png")
    assert reconstruct(tmp_path / "plate.png").exit_code == 0
    made, sheet = tmp_path / "plate.exr", tmp_path / "plate.preview.png"
    before = made.stat().st_mtime_ns
    sheet.unlink()
    assert reconstruct(tmp_path / "plate.png").exit_code == 0
    assert sheet.exists() and made.stat().st_mtime_ns == before
    ran = reconstruct(tmp_path / "plate.png")
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert ran.stderr == f"{tmp_path / 'plate.png'}: is done already, and what was made stays\n"
    assert reconstruct(tmp_path / "plate.png", "--ceiling", 2).exit_code == 1


def test_long_names_keep_both_ends():
    name = f"{'a' * 300}_v012.exr"
    short = shortened(name, 400)
    assert text_width(short, 15) <= 400 and short.startswith("aaa") and short.endswith("v012.exr")
