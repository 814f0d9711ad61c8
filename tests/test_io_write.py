"""What we write is read back by OpenEXR itself, not by the library that wrote it."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hdrnodes.errors import WriteError
from hdrnodes.image import LINEAR, SRGB, Image, Window
from hdrnodes.io import read, write
from hdrnodes.primaries import CHROMATICITIES
from hdrnodes.whole_file import check_writable, whole_file


def noise(*shape):
    return np.random.default_rng(1).random(shape, np.float32)


def linear(*shape, **about):
    return Image(noise(*shape) * 8, colorspace=LINEAR, **about)


def header_and_channels(path):
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return dict(file.header()), {name: channel.pixels for name, channel in file.channels().items()}


def test_exr_is_half_zip_bt709_and_named_as_linear(tmp_path):
    image = linear(5, 7, 3)
    write(image, tmp_path / "a.exr")
    header, channels = header_and_channels(tmp_path / "a.exr")
    assert header["compression"] == OpenEXR.ZIP_COMPRESSION
    assert header["colorInteropID"] == LINEAR
    np.testing.assert_allclose(header["chromaticities"], CHROMATICITIES["rec709"], rtol=1e-6)
    for index, name in enumerate("RGB"):
        assert channels[name].dtype == np.float16
        np.testing.assert_array_equal(channels[name], image.pixels[..., index].astype(np.float16))


@pytest.mark.parametrize(
    ("colorspace", "primaries", "interop"),
    [("ACEScg", "ap1", "lin_ap1_scene"), ("lin_ap0_scene", "ap0", "lin_ap0_scene"), (SRGB, "rec709", SRGB)],
)
def test_primaries_follow_the_colour_space(tmp_path, colorspace, primaries, interop):
    write(Image(noise(4, 4, 3), colorspace=colorspace), tmp_path / "a.exr")
    header, _ = header_and_channels(tmp_path / "a.exr")
    np.testing.assert_allclose(header["chromaticities"], CHROMATICITIES[primaries], rtol=1e-6)
    assert header["colorInteropID"] == interop
    assert read(tmp_path / "a.exr").colorspace == interop


@pytest.mark.parametrize(
    ("asked", "stored", "level"),
    [
        ("dwaa:45", OpenEXR.DWAA_COMPRESSION, 45),
        ("dwab:100", OpenEXR.DWAB_COMPRESSION, 100),
        ("piz", OpenEXR.PIZ_COMPRESSION, None),
        ("none", OpenEXR.NO_COMPRESSION, None),
    ],
)
def test_exr_compressions(tmp_path, asked, stored, level):
    write(linear(40, 40, 3), tmp_path / "a.exr", compression=asked)
    header, _ = header_and_channels(tmp_path / "a.exr")
    assert (header["compression"], header.get("dwaCompressionLevel")) == (stored, level)


def test_alpha_depth_windows_metadata_curves_and_the_record_are_in_the_header(tmp_path):
    image = linear(
        4,
        6,
        5,
        channels=("R", "G", "B", "A", "depth.Z"),
        data_window=Window(-2, 3, 6, 4),
        display_window=Window(0, 0, 10, 8),
        metadata={"Make": "Acme", "Exif:FNumber": 2.8, "FramesPerSecond": (24000, 1001), "smpte:TimeCode": (1, 2)},
        curves=np.linspace(0, 1, 1024),
    )
    knobs = {"Hallucinate": {"threshold": 0.88}}
    write(image, tmp_path / "a.exr", record={"model": "default", "version": "0.1.0", "knobs": knobs})
    header, channels = header_and_channels(tmp_path / "a.exr")
    assert {name: channel.dtype for name, channel in channels.items()} == {
        **dict.fromkeys("RGBA", np.float16),
        "depth.Z": np.float32,
    }
    np.testing.assert_array_equal(channels["depth.Z"], image.pixels[..., 4])
    assert [tuple(map(int, corner)) for corner in header["dataWindow"]] == [(-2, 3), (3, 6)]
    assert [tuple(map(int, corner)) for corner in header["displayWindow"]] == [(0, 0), (9, 7)]
    assert header["hdrnodes:model"] == "default" and json.loads(header["hdrnodes:knobs"]) == knobs
    np.testing.assert_array_equal(np.float32(header["hdrnodes:curve"]), np.linspace(0, 1, 1024, dtype=np.float32))
    assert header["Make"] == "Acme" and abs(header["Exif:FNumber"] - 2.8) < 1e-6
    assert header["FramesPerSecond"] == Fraction(24000, 1001)
    back = read(tmp_path / "a.exr")
    assert (back.data_window, back.display_window) == (image.data_window, image.display_window)
    assert back.channels == image.channels and back.metadata["smpte:TimeCode"] == (1, 2)


@pytest.mark.parametrize("name", ["a.exr", "a.png", "a.jpg", "a.tif"])
@given(value=st.one_of(st.integers(), st.lists(st.integers()), st.binary(max_size=9), st.floats(), st.booleans()))
@settings(max_examples=60, deadline=None)
def test_no_number_in_a_header_stops_a_file_from_being_written(name, value, tmp_path_factory):
    path = tmp_path_factory.mktemp("header") / name
    write(Image(noise(2, 2, 3), colorspace=LINEAR, metadata={"Canon:ModelID": value}), path)
    if isinstance(value, int) and name == "a.exr":
        back = read(path).metadata["Canon:ModelID"]
        assert str(back) == str(int(value)) and isinstance(back, int) == (-(2**31) <= value < 2**31)


def test_straight_alpha_becomes_associated_in_exr_and_stays_in_png(tmp_path):
    pixels = np.round(noise(6, 6, 4) * 255) / 255
    pixels[0, :, 3] = 0
    image = Image(pixels, metadata={"oiio:UnassociatedAlpha": 1}, bits=8)
    write(image, tmp_path / "a.png")
    np.testing.assert_allclose(read(tmp_path / "a.png").pixels, pixels, atol=1e-6)
    write(image, tmp_path / "a.exr", pixel_type="float")
    back = read(tmp_path / "a.exr")
    np.testing.assert_allclose(back.rgb, pixels[..., :3] * pixels[..., 3:], atol=1e-7)
    assert "oiio:UnassociatedAlpha" not in back.metadata


def test_values_beyond_half_are_clamped_and_said(tmp_path, caplog):
    pixels = np.float32([[[1e6, 1, -1e6, 1e6]]])
    write(Image(pixels, channels=("R", "G", "B", "Z"), colorspace=LINEAR), tmp_path / "a.exr")
    _, channels = header_and_channels(tmp_path / "a.exr")
    assert [float(channels[name][0, 0]) for name in "RGBZ"] == [65504, 1, -65504, 1e6]
    assert "2 values beyond half's largest" in caplog.text
    write(Image(pixels, colorspace=LINEAR), tmp_path / "b.exr", pixel_type="float")
    assert read(tmp_path / "b.exr").pixels[0, 0, 0] == 1e6


@pytest.mark.parametrize(
    ("name", "about", "bits", "count"),
    [
        ("a.png", {"bits": 8}, 8, 4),
        ("a.png", {"bits": 10}, 16, 4),
        ("a.tif", {}, 16, 5),
        ("a.tiff", {"colorspace": LINEAR}, 32, 5),
        ("a.jpg", {}, 8, 3),
        ("a.webp", {}, 8, 4),
        ("a.hdr", {"colorspace": LINEAR}, 32, 3),
        ("a.dpx", {}, 10, 4),
    ],
)
def test_other_formats_take_what_they_can_and_say_what_they_leave(tmp_path, caplog, name, about, bits, count):
    pixels = np.full((32, 32, 5), 0.5, np.float32)
    pixels[..., 3] = 0.6
    write(Image(pixels, metadata={"oiio:UnassociatedAlpha": 1}, **about), tmp_path / name)
    back = read(tmp_path / name)
    assert (back.bits, len(back.channels)) == (bits, count)
    np.testing.assert_allclose(back.pixels[..., :3], 0.5, atol=0.006)
    assert ("left out" in caplog.text) == (count < 5)


@pytest.mark.parametrize(("gain", "clipped"), [(1, False), (8, True)])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.dpx"])
def test_linear_light_in_a_format_for_displays_is_said(tmp_path, caplog, name, gain, clipped):
    write(Image(noise(4, 4, 3) * gain, colorspace=LINEAR), tmp_path / name)
    assert "scene-linear light is written as it is" in caplog.text and f"--colorspace {SRGB}" in caplog.text
    assert ("clipped at 1" in caplog.text) == clipped


def test_the_record_of_the_file_it_was_read_from_does_not_travel_on(tmp_path):
    write(linear(4, 4, 3), tmp_path / "a.exr", record={"knobs": {"old": 1}, "version": "0"})
    write(read(tmp_path / "a.exr"), tmp_path / "b.exr", record={"version": "1"})
    header, _ = header_and_channels(tmp_path / "b.exr")
    assert {name: header[name] for name in header if name.startswith("hdrnodes:")} == {"hdrnodes:version": "1"}


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 40),
    count=st.integers(1, 7),
    kind=st.sampled_from(["exr", "tif"]),
)
@settings(max_examples=30, deadline=None)
def test_any_size_and_number_of_channels_comes_back(tmp_path_factory, height, width, count, kind):
    path = tmp_path_factory.mktemp("sizes") / f"a.{kind}"
    image = linear(height, width, count)
    write(image, path, pixel_type="float")
    back = read(path)
    by_name = dict(zip(back.channels, np.moveaxis(back.pixels, 2, 0), strict=True))
    assert back.colorspace == LINEAR and back.pixels.shape == image.pixels.shape
    for index, name in enumerate(image.channels if kind == "exr" else back.channels):
        np.testing.assert_array_equal(by_name[name], image.pixels[..., index])


def test_what_a_killed_run_left_of_the_same_file_is_swept_and_nothing_else(tmp_path):
    killed = """
import os, sys
from pathlib import Path
from hdrnodes.whole_file import whole_file
with whole_file(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), 9)
"""
    for name in ("a.exr", "b.exr"):
        subprocess.run([sys.executable, "-c", killed, str(tmp_path / name)], check=False)
    with whole_file(tmp_path / "a.exr") as other:  # a run that is alive
        other.write_bytes(b"mine")
        assert len(list(tmp_path.iterdir())) == 2
        write(linear(4, 4, 3), tmp_path / "a.exr")
        assert other.exists()
        (tmp_path / "a.exr").unlink()
    left = [path for path in tmp_path.iterdir() if path.name != "a.exr"]
    assert len(left) == 1 and left[0].read_bytes() == b"half"


# What cannot be written


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.xyz", {}, ".xyz files are not written; choose one of .exr"),
        ("a", {}, "has no extension"),
        ("a.exr", {"pixel_type": "uint8"}, "OpenEXR holds no uint8; choose half, float"),
        ("a.png", {"pixel_type": "float"}, "PNG holds no float; choose uint8, uint16"),
        ("a.exr", {"compression": "lzw"}, "OpenEXR has no compression 'lzw'; choose zip:1-9, none"),
        ("a.exr", {"compression": "dwaa:lots"}, "OpenEXR has no compression 'dwaa:lots'"),
        ("a.exr", {"compression": "piz:3"}, "OpenEXR has no compression 'piz:3'"),
        ("a.jpg", {"compression": "jpeg:101"}, "JPEG has no compression 'jpeg:101'"),
        ("none/a.exr", {}, "none: does not exist, and is to be written to; make it first"),
        ("folder.exr", {}, "is a folder"),
        ("old.exr", {}, "exists already"),
        ("old.exr/a.exr", {}, "is not a folder"),
        ("x" * 300 + ".exr", {}, "could not be written"),
    ],
)
def test_refusals_are_one_line_and_leave_nothing(tmp_path, name, options, words):
    (tmp_path / "folder.exr").mkdir()
    (tmp_path / "old.exr").write_bytes(b"old")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(WriteError) as error:
        write(linear(4, 4, 3), tmp_path / name, **options)
    text = str(error.value)
    starts = tuple(f"{each}: " for each in (tmp_path / name, (tmp_path / name).parent))
    assert words in text and "\n" not in text and text.startswith(starts)
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "old.exr").read_bytes() == b"old"


def test_overwriting_replaces_the_whole_file(tmp_path):
    path = tmp_path / "a.exr"
    path.write_bytes(b"old")
    write(linear(4, 4, 3), path, overwrite=True)
    assert read(path).pixels.shape == (4, 4, 3) and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root may not write to")
def test_a_folder_that_takes_no_files_is_one_line():
    with pytest.raises(WriteError, match=r"could not be written \(No such file or directory\)|not writable"):
        write(linear(4, 4, 3), "/proc/a.exr")


FULL_DISK = """
import logging, sys, numpy as np
from hdrnodes.errors import WriteError
from hdrnodes.image import Image
from hdrnodes.io import write
try:
    write(Image(np.random.default_rng(1).random((300, 300, 3), np.float32)), sys.argv[1])
except WriteError as error:
    print(error)
    sys.exit(3)
"""


def write_in_another_process(path, limit=None):
    def before():
        if limit:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does; the write fails instead
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-c", FULL_DISK, str(path)]
    return subprocess.run(command, preexec_fn=before, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["a.exr", "a.tif", "a.png", "a.hdr", "a.dpx"])
def test_a_write_that_the_system_stops_is_one_line_and_leaves_nothing(tmp_path, name):
    done = write_in_another_process(tmp_path / name, limit=20_000)
    assert done.returncode == 3 and done.stdout.count("\n") == 1, done.stderr
    assert done.stdout.startswith(f"{tmp_path / name}: could not be written")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def full_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a disk of 16 KB here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("name", ["a.exr", "a.tif", "a.png", "a.jpg", "a.webp", "a.hdr", "a.dpx"])
def test_a_full_disk_is_one_line_and_leaves_nothing(full_disk, name):
    done = write_in_another_process(full_disk / name)
    assert done.returncode == 3 and done.stdout.count("\n") == 1, done.stderr
    assert "for the disk is full; free some space" in done.stdout
    assert list(full_disk.iterdir()) == []


def test_a_name_that_is_not_utf_8_is_refused(tmp_path):
    with pytest.raises(WriteError, match="not UTF-8, which OpenImageIO cannot write to; choose another name"):
        write(linear(2, 2, 3), os.fsdecode(os.fsencode(tmp_path) + b"/pl\xe4te.exr"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("there.exr", "exists already"),
        ("folder", "is a folder"),
        ("nowhere/a.exr", "does not exist"),
        ("there.exr/a.exr", "is not a folder"),
        (f"{'long' * 80}.exr", "could not be written (File name too long)"),
    ],
)
def test_whether_a_file_could_be_written_is_found_out_without_writing(tmp_path, name, problem):
    (tmp_path / "there.exr").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError, match=re.escape(problem)):
        check_writable(tmp_path / name)
    check_writable(tmp_path / "there.exr", overwrite=True)
    check_writable(tmp_path / "new.exr")
    assert {path.name for path in tmp_path.iterdir()} == {"there.exr", "folder"}
