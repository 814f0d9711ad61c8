"""Every row of the design's table of bad input, asked of the real command, with real files."""

import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from cli import COMMAND, hdrnodes, load, plate, save

PICTURES = Path(__file__).parent / "pictures"


@pytest.fixture
def reconstruct(tiny_model):
    """The main job, with a model whose answers are known."""
    return lambda *arguments: hdrnodes("reconstruct", *arguments, "--model", tiny_model)


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def only(out):
    """The one file in a folder: nothing half-written lies beside it."""
    (path,) = out.iterdir()
    return path


def truncated(path):
    whole = save(path, plate(128, 128)).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


UNREADABLE = {
    "missing.jpg": (lambda path: None, "does not exist"),
    "zero.jpg": (lambda path: path.touch(), "is empty (0 bytes)"),
    "text.jpg": (lambda path: path.write_text("Dear diary, "), "is not an image"),
    "folder.jpg": (lambda path: path.mkdir(), "is a folder"),
    "truncated.jpg": (truncated, "is cut off or damaged"),
    "truncated.png": (truncated, "is cut off"),
    "truncated.exr": (truncated, "is cut off or damaged"),
    "truncated.tif": (truncated, "is cut off or damaged"),
    "pipe.jpg": (os.mkfifo, "is not a regular file"),
    "video.jpg": (lambda path: path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(64)), "is a video"),
    "loop.jpg": (lambda path: path.symlink_to(path), "cannot be read (Too many levels of symbolic links)"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_one_line_and_the_others_go_on(reconstruct, tmp_path, out, name):
    make, problem = UNREADABLE[name]
    make(tmp_path / name)
    ran = reconstruct(tmp_path / name, save(tmp_path / "good.jpg"), "-o", out)
    assert ran.exit_code == 1
    (line,) = [line for line in ran.stderr.splitlines() if name in line]
    assert line.startswith(f"{tmp_path / name}: ") and problem in line
    assert (ran.stdout, only(out).name) == (f"{out / 'good.exr'}\n", "good.exr")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_one_line(reconstruct, tmp_path, out):
    save(tmp_path / "plate.jpg").chmod(0)
    ran = reconstruct(tmp_path / "plate.jpg", "-o", out)
    assert (ran.exit_code, "may not be read by this user" in ran.stderr) == (1, True)


@pytest.mark.parametrize(
    "name, channels",
    [
        ("plate.png", 1),
        ("plate.png", 2),
        ("plate.png", 4),
        ("plate.tif", 2),
        ("plate.tif", 5),
        ("plate.tif", 8),
    ],
)
def test_grey_is_expanded_and_alpha_and_extras_pass_through(reconstruct, tmp_path, out, name, channels):
    before, _ = load(save(tmp_path / name, plate(channels=channels)))
    ran = reconstruct(tmp_path / name, "-o", out)
    assert ran.exit_code == 0, ran.stderr
    after, spec = load(only(out))
    extras = channels - 3 if channels > 3 else channels - 1
    assert after.shape == (24, 32, 3 + extras)
    assert list(spec.channelnames[:3]) == ["R", "G", "B"]
    np.testing.assert_allclose(after[..., 3:], before[..., before.shape[2] - extras :], atol=1 / 2048)


@pytest.mark.parametrize("name", ["plate.png", "plate.tif"])
def test_16_bit_is_accepted_and_dequantize_says_that_it_is_skipped(reconstruct, tmp_path, out, name):
    ran = reconstruct(save(tmp_path / name, pixel_type="uint16"), "-o", out)
    assert ran.exit_code == 0
    assert f"{tmp_path / name}: Dequantize: skipped, for the plate has 16 bits a sample" in ran.stderr.splitlines()


def test_a_scene_linear_exr_is_accepted_and_inverse_crf_says_that_it_is_skipped(reconstruct, tmp_path, out):
    ran = reconstruct(save(tmp_path / "plate.exr", pixel_type="half"), "-o", out, "--json")
    assert ran.exit_code == 0
    assert f"{tmp_path / 'plate.exr'}: InverseCRF: skipped, for the picture is scene-linear" in ran.stderr.splitlines()
    assert json.loads(ran.stdout)[0]["curve"] is None


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (33, 31), (97, 5)], ids=str)
def test_any_size_comes_back_exactly(reconstruct, tmp_path, out, size):
    ran = reconstruct(save(tmp_path / "plate.png", plate(*size)), "-o", out)
    assert ran.exit_code == 0, ran.stderr
    assert load(only(out))[0].shape == (*size, 3)


def test_tiles_make_the_same_picture(reconstruct, tmp_path, out):
    save(tmp_path / "plate.png", plate(300, 200))
    for name, tile in (("whole.exr", 1024), ("tiled.exr", 64)):
        assert reconstruct(tmp_path / "plate.png", "-o", out / name, "--tile", tile).exit_code == 0
    whole, tiled = (load(out / name)[0] for name in ("whole.exr", "tiled.exr"))
    np.testing.assert_allclose(tiled, whole, rtol=1e-3, atol=1e-3)


def test_a_bomb_of_20000_x_20000_pixels_is_refused_before_they_are_decoded(reconstruct, tmp_path, out):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)  # one bit a pixel: 50 MB, and packed 50 kB
    black = zlib.compress(bytes(20_000 * (1 + 20_000 // 8)), 1)
    bomb = chunk(b"IHDR", header) + chunk(b"IDAT", black) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bomb)
    ran = reconstruct(tmp_path / "bomb.png", "-o", out)
    assert ran.exit_code == 1
    assert "has 20000 x 20000 pixels of 1 channel, over the limit of 300 megapixels; " in ran.stderr
    assert "raise the limit to 400 megapixels" in ran.stderr


def test_the_limit_is_a_knob(reconstruct, tmp_path, out):
    ran = reconstruct(save(tmp_path / "plate.png"), "-o", out, "--max-megapixels", 0.0001)
    assert (ran.exit_code, "over the limit of 0.0001 megapixels" in ran.stderr) == (1, True)


def test_nan_inf_and_negative_are_replaced_counted_and_said(reconstruct, tmp_path, out):
    pixels = plate()
    pixels[0, 0], pixels[0, 1, 0], pixels[0, 2, :2] = np.nan, np.inf, -1
    ran = reconstruct(save(tmp_path / "plate.exr", pixels, "float"), "-o", out)
    assert ran.exit_code == 0
    assert "3 nan, 1 infinite, 2 negative values replaced" in ran.stderr
    assert np.isfinite(load(only(out))[0]).all()


@pytest.mark.parametrize("colour", [(0, 0, 0), (1, 1, 1), (0.2, 0.4, 0.6)], ids=["black", "white", "one colour"])
def test_a_plate_without_tones_gets_the_srgb_curve_and_says_so(reconstruct, tmp_path, out, colour):
    ran = reconstruct(save(tmp_path / "plate.png", np.tile(np.float32(colour), (24, 32, 1))), "-o", out, "--json")
    assert ran.exit_code == 0
    (said,) = json.loads(ran.stdout)
    assert (said["curve"], len(said["notes"])) == ("srgb", 1)
    assert f"{tmp_path / 'plate.png'}: {said['notes'][0]}" in ran.stderr
    assert np.isfinite(load(only(out))[0]).all()


def test_exif_orientation_is_applied(reconstruct, tmp_path, out):
    ran = reconstruct(save(tmp_path / "plate.jpg", plate(24, 32), Orientation=6), "-o", out)
    pixels, spec = load(only(out))
    assert (ran.exit_code, pixels.shape, spec.get_int_attribute("Orientation", 1)) == (0, (32, 24, 3), 1)
    assert pixels[0, -1].sum() < pixels[0, 0].sum()  # turned clockwise: the dark top left corner is at the right now


@pytest.mark.parametrize("name", ["cmyk.jpg", "ycck.jpg", "grey.jpg", "progressive.jpg", "palette.png", "animated.gif"])
def test_what_oiio_users_expect(reconstruct, out, name):
    ran = reconstruct(PICTURES / name, "-o", out)
    assert ran.exit_code == 0, ran.stderr
    before, (after, spec) = load(PICTURES / name)[0], load(only(out))
    assert after.shape[:2] == before.shape[:2]
    assert list(spec.channelnames[:3]) == ["R", "G", "B"]


def test_a_missing_output_folder_is_one_line(reconstruct, tmp_path):
    ran = reconstruct(save(tmp_path / "plate.jpg"), "-o", tmp_path / "nowhere" / "plate.exr")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr == f"{tmp_path}/nowhere: does not exist, and is to be written to; make it first\n"


def test_a_missing_output_folder_of_several_is_said_once(reconstruct, tmp_path):
    plates = [save(tmp_path / f"{name}.jpg") for name in "abc"]
    ran = reconstruct(*plates, "-o", f"{tmp_path}/nowhere/")
    missing = f"{tmp_path}/nowhere: does not exist, and is to be written to; make it first"
    assert (ran.exit_code, ran.stdout, ran.stderr.splitlines()) == (1, "", [missing, "3 of 3 failed"])


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which not even root may write")
def test_an_output_folder_that_is_not_writable_is_one_line(reconstruct, tmp_path):
    ran = reconstruct(save(tmp_path / "plate.jpg"), "-o", "/proc/plate.exr")
    assert (ran.exit_code, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)
    assert ran.stderr.startswith("/proc/plate.exr: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_without_permission_is_one_line(reconstruct, tmp_path, out):
    out.chmod(0o500)
    ran = reconstruct(save(tmp_path / "plate.jpg"), "-o", out)
    assert (ran.exit_code, "is not writable" in ran.stderr, list(out.iterdir())) == (1, True, [])


def test_a_file_in_place_of_the_output_folder_is_one_line(reconstruct, tmp_path):
    ran = reconstruct(save(tmp_path / "plate.jpg"), "-o", tmp_path / "plate.jpg" / "plate.exr")
    assert (ran.exit_code, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)


def test_an_output_that_exists_stays_as_it_is_without_overwrite(reconstruct, tmp_path, out):
    (out / "plate.exr").write_text("somebody's")
    ran = reconstruct(save(tmp_path / "plate.jpg"), "-o", out)
    remedy = "remove it, choose another name, or --overwrite"
    assert (ran.exit_code, ran.stderr) == (1, f"{out}/plate.exr: exists already, and is no picture; {remedy}\n")
    assert only(out).read_text() == "somebody's"
    assert reconstruct(tmp_path / "plate.jpg", "-o", out, "--overwrite").exit_code == 0
    assert load(only(out))[0].shape == (24, 32, 3)


def test_a_picture_of_its_own_that_cannot_say_what_made_it_is_not_taken_for_finished(reconstruct, tmp_path):
    command = save(tmp_path / "plate.jpg"), "-o", tmp_path / "plate.tif"
    assert reconstruct(*command).exit_code == 0
    ran = reconstruct(*command, "--ceiling", 2)
    assert ran.exit_code == 1 and "plate.tif: exists already, and only an EXR says what made it" in ran.stderr


def test_a_plate_is_never_written_over(reconstruct, tmp_path):
    save(tmp_path / "plate.exr", pixel_type="half")
    before = (tmp_path / "plate.exr").read_bytes()
    assert reconstruct(tmp_path / "plate.exr", "--overwrite").exit_code == 2
    assert only(tmp_path).read_bytes() == before


@pytest.mark.parametrize("suffix", [".exr", ".tif", ".png"])
def test_a_disk_that_fills_up_leaves_nothing_half_written(tiny_model, tmp_path, out, suffix):
    save(tmp_path / "plate.png", np.random.default_rng(1).random((256, 256, 3)))
    target = out / f"plate{suffix}"
    command = [*COMMAND, "reconstruct", tmp_path / "plate.png", "-o", target, "--model", tiny_model]
    ran = subprocess.run(
        [str(each) for each in command],
        capture_output=True,
        text=True,
        env={**os.environ, "HDRNODES_CACHE": str(tmp_path / "plate.png")},  # no folder: nothing is cached
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),  # bytes that a file may have
    )
    assert (ran.returncode, ran.stdout, list(out.iterdir())) == (1, "", [])
    *notes, line = ran.stderr.splitlines()  # of formats that clip scene-linear light
    assert line.startswith(f"{target}: could not be written") and len(notes) <= 1


@pytest.mark.parametrize("suffix", [".exr", ".jpg"])
def test_a_full_disk_is_named_as_such(reconstruct, tmp_path, suffix):
    disk = tmp_path / "disk"
    disk.mkdir()
    if sys.platform != "linux" or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk]).returncode:
        pytest.skip("may not mount a small disk")
    try:
        save(tmp_path / "plate.png", np.random.default_rng(1).random((256, 256, 3)))
        ran = reconstruct(tmp_path / "plate.png", "-o", disk / f"plate{suffix}")
        assert (ran.exit_code, list(disk.iterdir())) == (1, [])
        assert f"plate{suffix}: could not be written, for the disk is full; free some space" in ran.stderr
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.fixture
def broken_model(tiny_model, tmp_path):
    """A copy of the model, to be broken."""
    return Path(shutil.copytree(tiny_model, tmp_path / "broken"))


def test_a_model_file_with_one_wrong_bit_is_refused_with_its_hash(broken_model, tmp_path, out):
    network = broken_model / "dequantize.onnx"
    content = bytearray(network.read_bytes())
    content[len(content) // 2] ^= 1
    network.write_bytes(content)
    ran = hdrnodes("reconstruct", save(tmp_path / "plate.jpg"), "-o", out, "--model", broken_model)
    assert (ran.exit_code, list(out.iterdir())) == (1, [])
    assert ran.stderr.startswith(f"{network}: is not the file that model.toml describes (SHA-256 ")


def test_a_broken_model_is_said_once_and_stops_the_job(broken_model, tmp_path, out):
    (broken_model / "dequantize.onnx").write_bytes(b"")
    plates = [save(tmp_path / f"{name}.jpg") for name in "abc"]
    ran = hdrnodes("reconstruct", *plates, "-o", out, "--model", broken_model, "--json")
    assert (ran.exit_code, list(out.iterdir())) == (1, [])
    assert ran.stderr.count("dequantize.onnx") == 1
    assert [said["ok"] for said in json.loads(ran.stdout)] == [False] * 3


@pytest.mark.parametrize("missing", ["model.toml", "refine.onnx"])
def test_a_folder_that_is_no_whole_model_is_refused(broken_model, tmp_path, out, missing):
    (broken_model / missing).unlink()
    ran = hdrnodes("reconstruct", save(tmp_path / "plate.jpg"), "-o", out, "--model", broken_model)
    assert (ran.exit_code, list(out.iterdir()), len(ran.stderr.splitlines())) == (1, [], 1)
    assert missing in ran.stderr


@pytest.mark.parametrize(
    "told, instead", [('["codes"]', '["image"]'), ("onnx = 'dequantize.onnx'", "onnx = 'linearize.onnx'")]
)
def test_a_model_whose_networks_do_not_fit_is_refused(broken_model, tmp_path, out, told, instead):
    toml = broken_model / "model.toml"
    text = toml.read_text().replace('"dequantize.onnx"', "'dequantize.onnx'").replace('[\n    "codes",\n]', '["codes"]')
    assert told in text
    text = text.replace(told, instead)
    if "linearize.onnx" in instead:  # the file of another network, with its own hash
        from hdrnodes.models import file_sha256

        text = text.replace(file_sha256(broken_model / "dequantize.onnx"), file_sha256(broken_model / "linearize.onnx"))
    toml.write_text(text)
    ran = hdrnodes("reconstruct", save(tmp_path / "plate.jpg"), "-o", out, "--model", broken_model)
    assert (ran.exit_code, list(out.iterdir()), len(ran.stderr.splitlines())) == (1, [], 1)
    assert "this is a bug" not in ran.stderr


def test_a_model_that_nobody_knows_is_a_wrong_command(tmp_path, out):
    ran = hdrnodes("reconstruct", save(tmp_path / "plate.jpg"), "-o", out, "--model", "defualt")
    assert (ran.exit_code, list(out.iterdir())) == (2, [])
