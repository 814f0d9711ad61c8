"""`hdrnodes evaluate`: protocols, one picture, what is undefined and why, tables and what is refused."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from cli import hdrnodes, save
from evaluation import evaluated, scene
from metric_values import VALUES, pictures

pytest.importorskip("scipy", reason="some metrics need scipy: pip install 'hdrnodes[metrics]'")

from hdrnodes.curve import Curve
from hdrnodes.errors import MetricError
from hdrnodes.io import read
from hdrnodes.metrics.base import Pair, luminance
from hdrnodes.metrics.evaluate import evaluate
from hdrnodes.metrics.protocols import PROTOCOLS, pre_mapped
from hdrnodes.metrics.registry import DEFAULTS, find_metrics, metrics


@pytest.fixture
def files(tmp_path):
    """A reference, what a method made of a plate, worse by a stop where it clipped; and the plate."""
    light = scene()
    clipped = light.max(axis=2) > 100
    test = np.where(clipped[..., None], light / 2, light) / 4
    paths = {name: tmp_path / f"{name}.exr" for name in ("pred", "ref")}
    save(paths["pred"], test, "float")
    save(paths["ref"], light, "float")
    paths["plate"] = save(tmp_path / "plate.png", np.where(clipped[..., None], 1, np.minimum(light / 100, 0.9)))
    return paths


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_gives_float32_light_and_says_what_it_did(name):
    light = scene()
    aligned = PROTOCOLS[name](light * 3, light, None)
    assert aligned.test.dtype == aligned.reference.dtype == np.float32
    assert aligned.test.shape == light.shape and len(aligned.notes) >= 2
    if name != "absolute":
        np.testing.assert_allclose(aligned.test, aligned.reference, rtol=1e-5)


def test_hdrnodes_fits_one_gain_where_nothing_clipped_and_sets_the_highlights():
    light = scene()
    clipped = light.max(axis=2) > 100
    test = np.where(clipped[..., None], 1000, light / 8)
    aligned = PROTOCOLS["hdrnodes"](test, light, clipped)
    assert aligned.gain == pytest.approx(3, abs=1e-5)
    assert np.percentile(luminance(aligned.reference), 99.9) == pytest.approx(1000, rel=1e-4)
    np.testing.assert_allclose(aligned.test[~clipped], aligned.reference[~clipped], rtol=1e-5)
    assert aligned.test.max() == 10_000  # clamped
    assert PROTOCOLS["hdrnodes"](light / 8, light, np.ones_like(clipped)).gain == pytest.approx(3, abs=1e-5)


def test_si_hdr_sets_the_maximum_and_finds_what_clipped_in_the_reference():
    light = scene()
    aligned = PROTOCOLS["si-hdr"](light / 8, light, None)
    assert aligned.reference.max() == pytest.approx(4000, rel=1e-5)
    assert aligned.gain == pytest.approx(3, abs=1e-5)
    level = np.percentile(light, 95)
    np.testing.assert_array_equal(aligned.clipped, (light > level).any(axis=2))
    ours = light.max(axis=2) > 100
    assert PROTOCOLS["si-hdr"](light, light, ours).clipped is ours  # a plate knows better


def test_liu2020_maps_each_picture_on_its_own():
    light = scene()
    mapped = pre_mapped(light)
    values = np.sort(mapped, axis=None)
    count = round(0.001 * values.size)
    assert values[count - 1] == pytest.approx(1) and values[-count] == pytest.approx(999)
    assert values[0] == 0 or values[0] >= 0
    np.testing.assert_allclose(pre_mapped(light * 5 + 3), mapped, atol=1e-2)
    np.testing.assert_allclose(pre_mapped(mapped), mapped, atol=1e-6)


def test_a_black_reference_sets_no_scale_and_a_black_output_no_gain():
    black, light = np.zeros((8, 8, 3), np.float32), scene(0, 64, 64)[:8, :8]
    for name in ("hdrnodes", "si-hdr"):
        with pytest.raises(MetricError, match="is black, and sets no scale"):
            PROTOCOLS[name](light, black, None)
        aligned = PROTOCOLS[name](black, light, None)
        assert aligned.gain == 0 and any("no gain is fitted" in note for note in aligned.notes)


def test_the_command_tells_stops_where_the_plate_clipped(files):
    _, said = evaluated(files["pred"], files["ref"], "--plate", files["plate"], "--protocol", "hdrnodes")
    image = said["images"][0]
    assert image["gain_stops"] == pytest.approx(2, abs=1e-4)
    assert image["values"]["log_rmse.log2_y.inside"] == pytest.approx(1, abs=1e-3)
    assert image["values"]["log_bias.log2_y.inside"] == pytest.approx(-1, abs=1e-3)
    assert image["values"]["log_rmse.log2_y.outside"] == pytest.approx(0, abs=1e-3)
    assert image["values"]["peak.log2_y"] == pytest.approx(-1, abs=1e-3)
    assert image["undefined"] == {} and image["ok"]
    assert list(image["values"]) == [metric.id for metric in find_metrics(DEFAULTS["hdrnodes"])]


def test_without_a_plate_the_clipped_area_is_not_known(files):
    ran, said = evaluated(files["pred"], files["ref"], "--metric", "log_rmse.*")
    image = said["images"][0]
    assert ran.exit_code == 0
    assert image["values"]["log_rmse.log2_y.inside"] is None
    assert "where the plate clipped is not known" in image["undefined"]["log_rmse.log2_y.inside"]
    assert any("no --plate is given" in note for note in image["notes"])
    assert "no --plate is given" in ran.stderr
    table = hdrnodes("evaluate", files["pred"], files["ref"]).stdout
    assert "undefined" in table and "give the plate" in table


def test_a_picture_beside_itself_has_no_psnr_and_says_so(files):
    _, said = evaluated(files["ref"], files["ref"], "--metric", "pu21.*", "--metric", "log_rmse.log2_y")
    image = said["images"][0]
    assert image["values"]["pu21.psnr_rgb"] is None
    assert image["undefined"]["pu21.psnr_rgb"] == "PSNR: is infinite; the pictures are identical"
    assert image["values"]["pu21.ssim_y"] == pytest.approx(1)
    assert image["values"]["log_rmse.log2_y"] == 0


def test_the_curve_in_the_header_is_compared_with_the_cameras(files, tmp_path):
    from hdrnodes import Image, write

    estimate, truth = Curve.named("srgb"), Curve.named("bt709")
    truth.save(tmp_path / "truth.csv")
    image = Image(scene() / 4, colorspace="lin_rec709_scene", curves=estimate.samples)
    write(image, tmp_path / "with.exr", pixel_type="float")
    command = ("--metric", "curve.rmse", "--curve", tmp_path / "truth.csv")
    _, said = evaluated(tmp_path / "with.exr", files["ref"], *command[2:])  # it need not be asked for
    expected = float(np.sqrt(np.mean((estimate.samples - truth.samples) ** 2)))
    assert said["images"][0]["values"]["curve.rmse"] == pytest.approx(expected, rel=1e-3)
    _, said = evaluated(files["pred"], files["ref"], *command)
    assert "estimated curve is not known" in said["images"][0]["undefined"]["curve.rmse"]


def test_published_values_come_out_of_files(tmp_path):
    for name in ("clip", "ref"):
        save(tmp_path / f"{name}.exr", pictures()[name], "float")
    wanted = ["pu21.psnr_rgb", "pu21.psnr_rgb.crf", "log_rmse.log2_y", "log_rmse.log10_rgb"]
    options = [word for each in wanted for word in ("--metric", each)]
    _, said = evaluated(tmp_path / "clip.exr", tmp_path / "ref.exr", *options)
    for each in wanted:
        assert said["images"][0]["values"][each] == pytest.approx(VALUES[each]["values"]["clip"], abs=1e-4)


def test_primaries_are_converted_and_said(files, tmp_path):
    from hdrnodes import write
    from hdrnodes.nodes.color_space import convert

    write(convert(read(files["ref"]), "ACEScg"), tmp_path / "acescg.exr", pixel_type="float")
    _, said = evaluated(tmp_path / "acescg.exr", files["ref"], "--metric", "log_rmse.log10_rgb")
    image = said["images"][0]
    assert image["values"]["log_rmse.log10_rgb"] < 1e-3
    assert any("PRED is converted from" in note and "ap1" in note for note in image["notes"])


def test_grey_alpha_and_what_is_no_number_are_taken_and_said(files, tmp_path):
    light = scene()
    light[0, 0, 0], light[0, 1, 0], light[0, 2, 0] = np.nan, np.inf, -1
    light[1, 0, :2] = -1
    save(tmp_path / "four.exr", np.dstack([light, np.ones(light.shape[:2])]), "float")
    _, said = evaluated(tmp_path / "four.exr", files["ref"])
    notes = said["images"][0]["notes"]
    assert {
        "PRED has 1 value that is NaN: it counts as 0",
        "PRED has 1 value that is infinite: it counts as the largest that is not",
        "PRED has 3 values below 0: they count as 0",
        "PRED has alpha, which is left out",
    } <= set(notes)
    assert all(value is not None for name, value in said["images"][0]["values"].items() if "side" not in name)
    save(tmp_path / "grey.exr", light[5:6].repeat(180, axis=0)[..., :1], "float")
    _, said = evaluated(tmp_path / "grey.exr", files["ref"])
    assert any("PRED is grey" in note for note in said["images"][0]["notes"])


@pytest.mark.parametrize("level", [0, 3])
def test_pictures_of_one_colour_have_numbers_or_reasons(level, files, tmp_path):
    save(tmp_path / "flat.exr", np.full((180, 192, 3), level), "float")
    for test, reference in ((tmp_path / "flat.exr", files["ref"]), (files["ref"], tmp_path / "flat.exr")):
        ran, said = evaluated(test, reference, "--metric", "pu21.*", "--metric", "log*", "--metric", "*linear*")
        image = said["images"][0]
        assert ran.exit_code == 0
        assert {name for name, value in image["values"].items() if value is None} == set(image["undefined"])


@pytest.mark.parametrize(
    "make, told",
    [
        (lambda path: save(path.with_suffix(".png"), scene() / 300), "is display-referred (srgb_rec709_scene)"),
        (
            lambda path: save(path, scene(0, 180, 190), "float"),
            "is 190 x 180, and REF 192 x 180; give both in one size",
        ),
        (lambda path: path, "does not exist"),
    ],
)
def test_a_picture_that_cannot_be_compared_is_one_line(make, told, files, tmp_path):
    path = make(tmp_path / "wrong.exr")
    ran, said = evaluated(path, files["ref"])
    assert (ran.exit_code, len(ran.stderr.splitlines())) == (1, 1)
    assert ran.stderr.startswith(f"{path}: {told}") and ran.stderr.strip() == said["images"][0]["error"]
    ran = hdrnodes("evaluate", files["pred"], files["ref"], "--plate", path)
    assert ran.exit_code == (0 if path.suffix == ".png" else 1)


def test_another_crop_of_the_frame_is_refused_and_a_crop_by_itself_is_taken(files, tmp_path):
    from hdrnodes import write

    image = replace(read(files["pred"]), data_window=(3, 2, 192, 180), display_window=(0, 0, 200, 190))
    write(image, tmp_path / "crop.exr")
    write(replace(image, data_window=(0, 0, 192, 180)), tmp_path / "corner.exr")
    ran = hdrnodes("evaluate", tmp_path / "crop.exr", tmp_path / "corner.exr")
    told = f"{tmp_path}/crop.exr: begins at 3, 2 of its display window, and REF at 0, 0; give both with one data window"
    assert (ran.exit_code, ran.stderr) == (1, f"{told}\n")
    assert evaluate(tmp_path / "crop.exr", files["ref"], metrics=["log_rmse.log2_y"]).undefined == {}


def test_a_plate_of_another_size_is_refused(files, tmp_path):
    save(tmp_path / "small.png", scene(0, 90, 96) / 300)
    ran = hdrnodes("evaluate", files["pred"], files["ref"], "--plate", tmp_path / "small.png")
    assert ran.exit_code == 1 and "small.png: is 96 x 90, and REF 192 x 180" in ran.stderr


def test_the_baseline_is_the_plate_through_its_inverse_response(files, tmp_path):
    held = np.minimum(scene() / 100, 1)
    save(tmp_path / "deep.png", held, "uint16")
    command = (files["pred"], files["ref"], "--plate", tmp_path / "deep.png", "--baseline", "--protocol", "hdrnodes")
    Curve(np.linspace(0, 1, 1024)).save(tmp_path / "straight.csv")
    ran, said = evaluated(*command, "--curve", tmp_path / "straight.csv", "--metric", "l*", "--metric", "curve.rmse")
    image = said["images"][0]
    assert image["against"]["pred"] is None and image["against"]["values"]["curve.rmse"] == pytest.approx(0, abs=1e-6)
    assert image["against"]["values"]["log_rmse.log2_y.outside"] < 0.02
    assert image["against"]["values"]["log_bias.log2_y.inside"] == pytest.approx(
        np.log2(100 / 280), abs=0.1
    )  # of the spot
    _, said = evaluated(*command, "--metric", "log_rmse.log2_y.outside")
    assert said["images"][0]["against"]["values"]["log_rmse.log2_y.outside"] > 0.2  # sRGB's is not this plate's
    assert hdrnodes("evaluate", files["pred"], files["ref"], "--baseline").exit_code == 2


@pytest.mark.parametrize(
    "words, told",
    [
        (["one.exr"], "name PRED and REF"),
        ([__file__, "."], "give all as one kind"),
        (["one.exr", "two.exr", "--metric", "pu21.psnr"], "did you mean pu21.psnr_"),
        (["one.exr", "two.exr", "--metric", "sharpness"], "--list"),
        (["one.exr", "two.exr", "--protocol", "liu"], "liu2020"),
        (["one.exr", "two.exr", "--frames", "1-3"], "is no pattern of frames, which --frames is for"),
    ],
)
def test_wrong_usage_is_exit_code_2(words, told):
    ran = hdrnodes("evaluate", *words)
    assert ran.exit_code == 2 and told in " ".join(ran.stderr.replace("│", " ").split())


def test_the_list_has_every_metric_and_what_it_needs():
    listed = json.loads(hdrnodes("evaluate", "--list", "--json").stdout)
    assert [each["id"] for each in listed] == list(metrics())
    assert all({"unit", "better", "range", "source", "needs", "missing"} <= set(each) for each in listed)
    table = hdrnodes("evaluate", "--list").stdout
    assert all(name in table for name in metrics() if not name.endswith(".crf")) and "ID.crf" in table


def test_a_metric_whose_package_is_missing_is_undefined_and_says_what_to_install(files, monkeypatch):
    from hdrnodes.metrics import registry

    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    _, said = evaluated(files["pred"], files["ref"], "--metric", "pu21.vsi", "--metric", "pu21.psnr_rgb")
    image = said["images"][0]
    assert image["values"]["pu21.vsi"] is None and image["values"]["pu21.psnr_rgb"] is not None
    assert image["undefined"]["pu21.vsi"] == "scipy is not installed; pip install 'hdrnodes[metrics]'"
    listed = json.loads(hdrnodes("evaluate", "--list", "--json").stdout)
    video = next(each["missing"] for each in listed if "cvvdp" in (each["missing"] or ""))
    remedy = "pip install 'hdrnodes[metrics]' && pip install --no-deps cvvdp==0.5.7"
    assert video == f"pycvvdp and torch are not installed; {remedy}"


def test_all_weights_that_are_missing_are_named(monkeypatch, tmp_path):
    from hdrnodes.metrics import registry

    monkeypatch.setattr(registry, "find_spec", lambda name: name)
    monkeypatch.setenv("HDRNODES_CACHE", str(tmp_path))
    (dists,) = {registry.missing(each) for each in metrics().values() if len(each.weights) == 2}
    assert dists.endswith(" are missing; bring it with `hdrnodes metric-weights`") and " and " in dists


@pytest.mark.parametrize(
    "error, told",
    [
        (
            RuntimeError("[enforce fail] can't allocate memory\nmore"),
            "RuntimeError: [enforce fail] can't allocate memory",
        ),
        (MemoryError(), "MemoryError"),
    ],
)
def test_a_metric_that_trips_costs_no_other_its_number(error, told, files):
    from hdrnodes.metrics.evaluate import measured

    def trips(_):
        raise error

    good = find_metrics(["log_rmse.log2_y"])[0]
    pair = Pair(scene(), scene() * 2)
    values, undefined = measured([replace(good, id="trips", function=trips), good], pair)
    assert values == {"trips": None, good.id: pytest.approx(1, abs=1e-5)}
    assert undefined == {"trips": f"cannot be computed ({told})"}


def test_the_metrics_are_listed_without_scipy_or_torch():
    code = "from hdrnodes.metrics.registry import metrics; import hdrnodes.metrics.evaluate, sys; metrics()"
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert {"scipy", "torch", "openvino"}.intersection(ran.stdout.split()) == set()


def test_from_python_it_is_one_call(files):
    found = evaluate(files["pred"], files["ref"], files["plate"], protocol="hdrnodes", metrics=["log_bias.*"])
    assert found.values["log_bias.log2_y.inside"] == pytest.approx(-1, abs=1e-3)
    assert found.test.shape == found.reference.shape == (180, 192, 3) and found.clipped.any()
    assert found.name == "ref" and not hasattr(found.scores, "test") and found.scores.values == found.values
    in_memory = evaluate(read(files["pred"]), files["ref"], files["plate"], protocol="hdrnodes", metrics=["log_bias.*"])
    assert in_memory.values == found.values and in_memory.test_path is None
    with pytest.raises(MetricError, match="protocol liu: is none of ours; choose absolute, hdrnodes"):
        evaluate(files["pred"], files["ref"], protocol="liu")
