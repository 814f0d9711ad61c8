"""Frames: in memory while a job of them fits, else in scratch files, which cost no memory once they are released."""

import subprocess
import sys

import numpy as np
import pytest

from hdrnodes import frames
from hdrnodes.errors import WriteError
from hdrnodes.image import LINEAR, SRGB, Image
from hdrnodes.io import read, write

SHAPE = (512, 256, 3)  # 1.5 MB
LITTLE = frames.PROCESS + 1_000_000


@pytest.mark.parametrize(("memory", "in_a_file"), [(LITTLE, True), (4_000_000_000, False)])
def test_a_frame_lies_in_a_file_where_a_job_of_them_does_not_fit(memory, in_a_file):
    with frames.allowed(memory):
        frame = frames.zeros(SHAPE)
    assert frame.shape == SHAPE and frame.dtype == np.float32
    assert (frames.scratch_of(frame) is not None) == in_a_file


def test_frames_of_nobodys_job_lie_in_memory():
    assert frames.scratch_of(frames.zeros((4, 4, 3))) is None


def test_what_is_free_is_shared_unless_it_is_said():
    with frames.allowed(None) as memory:
        assert 0 < memory < frames.available()
        with frames.allowed(5) as inner:
            assert inner == 5
    with frames.allowed(7) as again:
        assert again == 7


def test_released_pixels_are_still_there():
    with frames.allowed(LITTLE):
        frame = frames.zeros(SHAPE)
    noise = np.random.default_rng(0).random(SHAPE, np.float32)
    for first in range(0, SHAPE[0], 100):
        rows = slice(first, first + 100)
        frame[rows] = noise[rows]
        frames.release(frame[rows])
    image = Image(frame)
    frames.release(image.rgb[7:9, 5:])
    frames.release(np.zeros(3))  # not a frame of ours: left alone
    np.testing.assert_array_equal(image.pixels, noise)


def test_a_mapping_of_somebody_elses_keeps_what_is_in_it(tmp_path):
    path = tmp_path / "frame"
    path.write_bytes(bytes(4 * 600 * 600 * 3))
    changed = np.memmap(path, np.float32, "c", shape=(600, 600, 3))  # in memory alone
    changed[:] = 7
    frames.release(changed)
    assert frames.scratch_of(changed) is None and changed.min() == 7


def test_the_file_has_no_name_and_goes_with_its_last_array(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with frames.allowed(LITTLE):
        part = frames.zeros(SHAPE)[3:5]
    part[:] = 1
    assert not [*tmp_path.iterdir()]
    owner = frames.scratch_of(part)
    del part
    owner.close()  # raises BufferError where an array still looks into it


def test_a_folder_without_room_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    with frames.allowed(LITTLE), pytest.raises(WriteError, match=r"missing: a scratch file of .* GB cannot .*TMPDIR"):
        frames.zeros(SHAPE)


MEASURE = """
import psutil
from hdrnodes import frames
process = psutil.Process()
with frames.allowed(frames.PROCESS):
    frame = frames.zeros((4096, 4096, 3))
before, most = process.memory_info().rss, 0
for first in range(0, 4096, 256):
    frame[first : first + 256] = first
    most = max(most, process.memory_info().rss - before)
    frames.release(frame[first : first + 256])
print(most / frame.nbytes, (process.memory_info().rss - before) / frame.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what is released elsewhere is the system's business")
def test_released_pixels_take_no_memory():
    ran = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    most, after = map(float, ran.stdout.split())
    assert most < 0.1  # a sixteenth is being written
    assert after < 0.03


def test_a_copy_lies_in_rows_whatever_it_is_of():
    noise = np.random.default_rng(0).random(SHAPE, np.float32)
    turned = noise.swapaxes(0, 1)[::-1]
    with frames.allowed(LITTLE):
        copied = frames.copy(turned)
    assert copied.flags.c_contiguous and frames.scratch_of(copied) is not None
    np.testing.assert_array_equal(copied, turned)


@pytest.mark.parametrize(("name", "pixel_type"), [("a.jpg", "uint8"), ("a.png", "uint16"), ("a.exr", "half")])
@pytest.mark.parametrize("orientation", [1, 6])
def test_files_are_read_and_written_the_same_by_scratch_files(tmp_path, name, pixel_type, orientation, monkeypatch):
    monkeypatch.setattr(frames, "BAND", 8000)  # pixels: many bands
    pixels = np.random.default_rng(0).random((300, 200, 3), np.float32)
    colorspace = LINEAR if name.endswith("exr") else SRGB
    write(
        Image(pixels, colorspace=colorspace, metadata={"Orientation": orientation}),
        tmp_path / name,
        pixel_type=pixel_type,
    )
    in_memory = read(tmp_path / name)
    with frames.allowed(frames.PROCESS):
        in_a_file = read(tmp_path / name)
        assert frames.scratch_of(in_a_file.pixels) is not None
        write(in_a_file, tmp_path / f"again {name}", pixel_type=pixel_type)
    write(in_memory, tmp_path / f"once {name}", pixel_type=pixel_type)
    np.testing.assert_array_equal(in_a_file.pixels, in_memory.pixels)
    again, once = (read(tmp_path / f"{which} {name}") for which in ("again", "once"))
    np.testing.assert_array_equal(again.pixels, once.pixels)
