"""`hdrnodes reconstruct`: what it writes, where, and what it says."""

import json
import os
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from cli import hdrnodes, header, load, plate, save

import hdrnodes as library
from hdrnodes.cli.knob_options import stage_options
from hdrnodes.pipeline import STAGES


@pytest.fixture
def reconstruct(tiny_model):
    return lambda *arguments: hdrnodes("reconstruct", *arguments, "--model", tiny_model)


@pytest.fixture
def shot(tmp_path):
    """Frames 1001, 1002, 1004 and 1005, each of its own brightness; and the pattern that names them."""
    for frame in (1001, 1002, 1004, 1005):
        save(tmp_path / f"plate.{frame}.png", plate(seed=frame) * (frame - 1000) / 5)
    return tmp_path / "plate.####.png"


def test_without_an_output_the_exr_is_beside_the_plate(reconstruct, tmp_path):
    ran = reconstruct(save(tmp_path / "plate.jpg"))
    assert (ran.exit_code, ran.stdout) == (0, f"{tmp_path}/plate.exr\n")


def test_the_picture_is_what_python_makes(tiny_runtime, tiny_plugins, reconstruct, tmp_path):
    from hdrnodes.nodes.base import Context

    save(tmp_path / "plate.png")
    knobs = {"ceiling": 3.0, "threshold": 0.5, "curve": "srgb"}
    options = [each for name, value in knobs.items() for each in (f"--{name}", value)]
    assert reconstruct(tmp_path / "plate.png", "--pixel-type", "float", *options).exit_code == 0
    context = Context(runtime=tiny_runtime, plugins=tiny_plugins)
    expected = library.reconstruct(tmp_path / "plate.png", context=context, **knobs)
    np.testing.assert_array_equal(load(tmp_path / "plate.exr")[0], expected.pixels)


def test_the_header_says_what_made_it(reconstruct, tiny_model, tmp_path):
    from hdrnodes.models import file_sha256

    assert reconstruct(save(tmp_path / "plate.jpg"), "--ceiling", 3.5).exit_code == 0
    made_by = OpenEXR.File(str(tmp_path / "plate.exr")).header()
    assert made_by["hdrnodes:version"] == library.__version__
    assert json.loads(made_by["hdrnodes:knobs"])["hallucinate"]["ceiling"] == 3.5
    (model,) = json.loads(made_by["hdrnodes:model_hashes"]).values()
    assert (model["name"], model["version"]) == ("tiny", "3.1")
    assert model["onnx_sha256"]["refine"] == file_sha256(tiny_model / "refine.onnx")
    assert "[nodes.hallucinate.knobs]" in made_by["hdrnodes:graph"]


def test_several_plates_go_to_a_folder_under_their_own_names(reconstruct, tmp_path):
    (tmp_path / "out").mkdir()
    plates = [save(tmp_path / name) for name in ("a.jpg", "b.png", "c.tif")]
    ran = reconstruct(*plates, "-o", tmp_path / "out")
    assert ran.exit_code == 0
    assert ran.stdout.splitlines() == [f"{tmp_path}/out/{name}.exr" for name in "abc"]


@pytest.mark.parametrize("pattern", ["plate.####.png", "plate.%04d.png", "plate.@@@@.png"])
def test_a_pattern_is_done_frame_by_frame_and_gaps_are_listed(reconstruct, shot, tmp_path, pattern):
    ran = reconstruct(tmp_path / pattern, "-o", tmp_path / "out.####.exr")
    assert ran.exit_code == 1
    assert ran.stdout.splitlines() == [f"{tmp_path}/out.{frame}.exr" for frame in (1001, 1002, 1004, 1005)]
    assert ran.stderr.splitlines()[0] == f"{tmp_path / pattern}: frame 1003 missing; the others go on"


def test_a_range_picks_frames_and_those_that_are_not_there_are_gaps(reconstruct, shot, tmp_path):
    ran = reconstruct(shot, "-o", tmp_path / "out.####.exr", "--frames", "1000-1008x2", "--json")
    said = {entry["input"][-8:-4]: entry["ok"] for entry in json.loads(ran.stdout)}
    assert (ran.exit_code, said) == (1, {"1000": False, "1002": True, "1004": True, "1006": False, "1008": False})
    assert "frames 1000,1006,1008 missing" in ran.stderr
    gap, made = (next(each for each in json.loads(ran.stdout) if each["frame"] == frame) for frame in (1000, 1002))
    assert set(made) - set(gap) == {"curve"}


def test_a_range_without_gaps_is_done(reconstruct, shot, tmp_path):
    ran = reconstruct(shot, "--frames", "1001-1002")
    assert (ran.exit_code, ran.stdout.split()) == (0, [f"{tmp_path}/plate.{frame}.exr" for frame in (1001, 1002)])


def test_a_pattern_without_frames_is_one_line_and_the_others_go_on(reconstruct, tmp_path):
    ran = reconstruct(tmp_path / "none.####.jpg", save(tmp_path / "plate.jpg"))
    assert (ran.exit_code, ran.stdout) == (1, f"{tmp_path}/plate.exr\n")
    assert ran.stderr.startswith(f"{tmp_path}/none.####.jpg: no frame of it exists; ")


def test_frames_of_a_shot_share_one_curve_that_a_later_run_finds_again(reconstruct, shot, tmp_path):
    command = (shot, "-o", tmp_path / "out.####.exr", "--scope", "shot")
    assert len(reconstruct(*command).stdout.split()) == 4
    outputs = sorted(tmp_path.glob("out.*.exr"))
    curves = [header(path, "hdrnodes:curve") for path in outputs]
    assert curves == [curves[0]] * 4
    before = [load(path)[0] for path in outputs]
    outputs[0].unlink()
    outputs[2].unlink()
    ran = reconstruct(*command)
    assert "2 of 4 are there already, and stay; 2 to do" in ran.stderr
    for path, pixels in zip(outputs, before, strict=True):
        np.testing.assert_array_equal(load(path)[0], pixels)


def test_frames_on_their_own_have_a_curve_each(reconstruct, shot, tmp_path):
    reconstruct(shot, "-o", tmp_path / "out.####.exr")
    assert len({header(path, "hdrnodes:curve") for path in tmp_path.glob("out.*.exr")}) == 4


def test_frames_made_with_other_knobs_are_not_taken_for_finished(reconstruct, shot, tmp_path):
    reconstruct(shot)
    ran = reconstruct(shot, "--ceiling", 2)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert f"{tmp_path}/plate.1001.exr: exists already, made with other knobs; choose another name" in ran.stderr
    assert len(reconstruct(shot, "--ceiling", 2, "--overwrite").stdout.split()) == 4


def test_a_wider_range_would_be_another_shot_with_another_curve(reconstruct, shot, tmp_path):
    command = (shot, "-o", tmp_path / "out.####.exr", "--scope", "shot")
    assert reconstruct(*command, "--frames", "1001-1002").exit_code == 0
    ran = reconstruct(*command)
    assert ran.exit_code == 1
    assert f"{tmp_path}/out.1001.exr: exists already, made with another curve" in ran.stderr
    ran = reconstruct(*command, "--overwrite")
    assert len({header(path, "hdrnodes:curve") for path in tmp_path.glob("out.*.exr")}) == 1


def test_a_curve_file_with_other_contents_is_another_curve(reconstruct, shot, tmp_path):
    curve = tmp_path / "camera.csv"
    library.Curve.named("srgb").save(curve)
    command = (shot, "--curve", curve, "--frames", "1001-1002")
    assert [reconstruct(*command).exit_code for _ in range(2)] == [0, 0]
    library.Curve.named("bt709").save(curve, overwrite=True)
    ran = reconstruct(*command)
    assert (ran.exit_code, "plate.1002.exr: exists already, made with another curve" in ran.stderr) == (1, True)


def test_a_plate_that_was_replaced_is_another_and_a_copy_is_not(reconstruct, shot, tmp_path):
    command = (shot, "-o", tmp_path / "out.####.exr", "--frames", "1001-1002")
    assert reconstruct(*command).exit_code == 0
    os.utime(tmp_path / "plate.1001.png", (0, 0))
    save(tmp_path / "plate.1002.png", plate(seed=7))
    ran = reconstruct(*command)
    assert (ran.exit_code, "out.1001" in ran.stderr) == (1, False)
    assert "out.1002.exr: exists already, made from another plate" in ran.stderr


@pytest.mark.parametrize(
    ("kind", "spoil", "told"),
    [
        ("exr", lambda path: path.write_bytes(path.read_bytes()[:-100]), "cut off or damaged"),
        ("png", lambda path: path.write_bytes(path.read_bytes()[:-200]), "cut off or damaged"),
        ("jpg", lambda path: path.write_bytes(path.read_bytes()[:-40]), "cut off or damaged"),
        ("tif", lambda path: path.write_bytes(b"half a dozen bytes"), "is no picture"),
        ("tif", lambda path: save(path, plate(8, 9)), "has 9 x 8 pixels"),
    ],
)
def test_what_is_not_whole_is_not_finished(reconstruct, shot, tmp_path, kind, spoil, told):
    command = (shot, "-o", tmp_path / f"out.####.{kind}", "--frames", "1001-1002")
    assert [reconstruct(*command).exit_code for _ in range(2)] == [0, 0]
    spoil(tmp_path / f"out.1001.{kind}")
    ran = reconstruct(*command)
    assert ran.exit_code == 1
    assert f"{tmp_path}/out.1001.{kind}: exists already, " in ran.stderr and told in ran.stderr
    assert "1 of 2 are there already" in ran.stderr


def test_frames_that_somebody_else_made_are_not_taken_for_finished(reconstruct, shot, tmp_path):
    save(tmp_path / "plate.1001.exr", pixel_type="half")
    ran = reconstruct(shot, "--frames", "1001-1002")
    assert (ran.exit_code, ran.stdout) == (1, f"{tmp_path}/plate.1002.exr\n")
    assert "plate.1001.exr: exists already, and hdrnodes did not make it" in ran.stderr


def test_json_says_how_each_plate_went(reconstruct, tmp_path):
    save(tmp_path / "good.jpg")
    ran = reconstruct(tmp_path / "good.jpg", tmp_path / "missing.jpg", "--json")
    good, missing = json.loads(ran.stdout)
    assert (good["ok"], good["error"], good["curve"]) == (True, None, "estimate")
    assert good["output"] == f"{tmp_path}/good.exr" and good["seconds"] > 0
    assert (missing["ok"], missing["error"].split(": ")[1]) == (False, "does not exist; check the path")


def test_colours_are_converted_through_ocio(reconstruct, tmp_path):
    assert reconstruct(save(tmp_path / "plate.jpg"), "--colorspace", "ACEScg").exit_code == 0
    chromaticities = header(tmp_path / "plate.exr", "chromaticities")
    np.testing.assert_allclose(chromaticities[:2], (0.713, 0.293), atol=1e-3)  # AP1's red


def test_compression_and_pixel_type_are_as_asked(reconstruct, tmp_path):
    asked = ("--compression", "dwaa:45", "--pixel-type", "float")
    assert reconstruct(save(tmp_path / "plate.jpg"), *asked).exit_code == 0
    spec = load(tmp_path / "plate.exr")[1]
    assert (spec.getattribute("compression")[:4], str(spec.format)) == ("dwaa", "float")


def test_the_mask_can_be_written_instead(reconstruct, tmp_path):
    assert reconstruct(save(tmp_path / "plate.png"), "--hallucinate-output", "mask").exit_code == 0
    pixels, _ = load(tmp_path / "plate.exr")
    assert (pixels.min(), pixels.max()) == (0, 1)


def test_a_curve_file_is_taken(reconstruct, tmp_path):
    save(tmp_path / "plate.jpg")
    assert hdrnodes("curve", tmp_path / "plate.jpg", "-o", tmp_path / "given.csv").exit_code == 0
    ran = reconstruct(tmp_path / "plate.jpg", "--curve", tmp_path / "given.csv", "--json")
    assert json.loads(ran.stdout)[0]["curve"] == f"{tmp_path}/given.csv"


def test_a_falling_curve_file_is_one_line_and_exit_code_1(reconstruct, tmp_path):
    (tmp_path / "falls.csv").write_text("display,linear\n0,0\n0.5,0.8\n0.75,0.2\n1,1\n")
    ran = reconstruct(save(tmp_path / "plate.jpg"), "--curve", tmp_path / "falls.csv")
    assert (ran.exit_code, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)
    assert ran.stderr.startswith(f"{tmp_path}/falls.csv: ")


def test_verbose_says_which_executor_was_taken(reconstruct, tmp_path):
    ran = reconstruct(save(tmp_path / "plate.jpg"), "-v", "--executor", "openvino")
    assert ran.stderr.splitlines()[0] == "executor: openvino, as asked for"


def test_a_note_is_said_once_for_many_plates_and_counted(reconstruct, tmp_path):
    plates = [save(tmp_path / f"{name}.png", pixel_type="uint16") for name in "abc"]
    ran = reconstruct(*plates)
    assert ran.stderr.count(f"{tmp_path}/a.png: Dequantize: skipped") == 1
    assert "Dequantize: skipped, for the plate has 16 bits a sample (and 2 more like it)" in ran.stderr.splitlines()


def test_a_name_that_is_no_utf_8_is_one_line(reconstruct, tmp_path):
    try:
        path = save(tmp_path / "plate.jpg").rename(Path(os.fsdecode(os.fsencode(tmp_path) + b"/pl\xe4te.jpg")))
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    ran = reconstruct(path)
    assert (ran.exit_code, len(ran.stderr.splitlines()), "this is a bug" in ran.stderr) == (1, 1, False)


@pytest.mark.parametrize(
    "wrong, told",
    [
        (("--ceiling", "99"), "0<x<=16"),
        (("--scope", "film"), "'frame', 'shot'"),
        (("--curve", "rec709"), "'rec709' is not allowed"),
        (("--executor", "openvin"), "did you mean openvino"),
        (("--colorspace", "ACESgc"), "did you mean ACEScg"),
        (("--frames", "1-5"), "--frames is for patterns"),
        (("--tile", "0"), "--tile"),
        (("--memory", "6Q"), "6Q is no size; write 6G, 512M or 1.5GiB"),
        (("--memory", "-6G"), "-6G is no size"),
        (("--memory", "512"), "512 is too little; give 256M or more"),
        (("--threads", "0"), "--threads"),
        (("--precision", "fp8"), "'float32', 'fp16', 'bf16'"),
        (("--halucinate-model", "x"), "--hallucinate-model"),
    ],
)
def test_a_wrong_command_is_exit_code_2_and_names_what_is_wrong(reconstruct, tmp_path, wrong, told):
    ran = reconstruct(save(tmp_path / "plate.jpg"), *wrong)
    unwrapped = " ".join(ran.stderr.replace("│", " ").split())
    assert (ran.exit_code, told in unwrapped, (tmp_path / "plate.exr").exists()) == (2, True, False), unwrapped


def test_how_networks_are_to_run_reaches_the_runtime(reconstruct, tmp_path, monkeypatch):
    class Told(Exception):
        pass

    def runtime(executor, tile, plugins, settings):
        raise Told(executor, tile, settings.precision, settings.threads, settings.hint, settings.memory)

    monkeypatch.setattr("hdrnodes.runtime.Runtime", runtime)
    given = "--executor openvino --tile 512 --precision bf16 --threads 3 --hint throughput --memory 1.5GiB".split()
    ran = reconstruct(save(tmp_path / "plate.jpg"), *given)
    assert "('openvino', 512, 'bf16', 3, 'throughput', 1610612736)" in ran.stderr


def test_a_precision_that_an_executor_has_not_is_one_line(reconstruct, tmp_path):
    ran = reconstruct(save(tmp_path / "plate.jpg"), "--executor", "openvino", "--precision", "fp16")
    assert (ran.exit_code, ran.stderr) == (
        1,
        "executor openvino: computes in float32 or bf16, and was asked for fp16; fp16 is for GPUs; give "
        "--precision auto\n",
    )


@pytest.mark.parametrize(
    "wrong", [("-o", "one.exr"), ("--frames", "1001-")], ids=["one name for many", "a range that is none"]
)
def test_a_contradiction_is_exit_code_2(reconstruct, shot, wrong):
    assert reconstruct(shot, *wrong).exit_code == 2


def test_a_compression_that_there_is_not_is_found_before_the_work(reconstruct, tmp_path):
    ran = reconstruct(save(tmp_path / "plate.jpg"), "--compression", "zap", "--json")
    (said,) = json.loads(ran.stdout)
    assert (ran.exit_code, said["seconds"]) == (1, 0)
    assert "OpenEXR has no compression 'zap'; choose zip" in ran.stderr


def test_every_knob_of_the_stages_is_an_option_with_its_range_and_doc():
    text = " ".join(hdrnodes("reconstruct", "--help").stdout.replace("│", " ").split())
    offered = stage_options()
    for stage, node in STAGES.items():
        for knob, info in node.knobs().items():
            option = knob if offered.get(knob) == info and knob != "model" else f"{stage}_{knob}"
            assert offered[option] == info
            assert f"--{option.replace('_', '-')}" in text
