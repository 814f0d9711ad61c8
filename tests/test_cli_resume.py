"""A job that is killed, or interrupted, leaves whole frames; the same command makes the rest."""

import shutil
import signal
import time

import numpy as np
import pytest
from cli import load, plate, save, start

FRAMES = 40


@pytest.fixture
def job(tiny_model, tmp_path):
    """The command for a sequence that takes seconds, and the folder that it writes to."""
    first = save(tmp_path / "plate.0001.png", plate(400, 600))
    for frame in range(2, FRAMES + 1):
        shutil.copy(first, tmp_path / f"plate.{frame:04}.png")
    out = tmp_path / "out"
    out.mkdir()
    pattern, target = tmp_path / "plate.####.png", out / "plate.####.exr"
    return ("reconstruct", pattern, "-o", target, "--model", tiny_model), out


def visible(folder):
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def start_and_wait_for_frames(command, out, count=3):
    running = start(*command)
    deadline = time.monotonic() + 60
    while len(visible(out)) < count:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return running


def test_after_kill_9_the_frames_that_are_there_are_whole_and_the_same_command_makes_the_rest(job):
    command, out = job
    running = start_and_wait_for_frames(command, out)
    running.kill()
    running.communicate()
    there = visible(out)
    assert 3 <= len(there) < FRAMES
    expected = load(there[0])[0]
    for path in there:
        np.testing.assert_array_equal(load(path)[0], expected)
    untouched = {path: path.stat().st_mtime_ns for path in there}
    resumed = start(*command)
    stdout, stderr = resumed.communicate()
    assert resumed.returncode == 0, stderr
    rest = FRAMES - len(there)
    assert f"{len(there)} of {FRAMES} are there already, and stay; {rest} to do" in stderr.splitlines()
    assert len(stdout.splitlines()) == rest
    assert {path: path.stat().st_mtime_ns for path in there} == untouched
    frames = visible(out)
    assert len(frames) == FRAMES
    np.testing.assert_array_equal(load(frames[-1])[0], expected)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_job_that_is_stopped_ends_cleanly(job, stop):
    command, out = job
    running = start_and_wait_for_frames(command, out)
    running.send_signal(stop)
    stdout, stderr = running.communicate()
    assert running.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert "and the same command does the rest" in stderr.splitlines()[-1]
    assert visible(out) == sorted(out.iterdir())
    assert {str(path) for path in visible(out)} >= set(stdout.splitlines()) != set()


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["paths", "JSON"])
def test_ctrl_c_that_ends_the_reader_of_the_results_too_is_told_all_the_same(job, more):
    command, out = job
    running = start_and_wait_for_frames((*command, *more), out)
    with running:
        running.send_signal(signal.SIGSTOP)  # so that it learns of both at once
        running.stdout.close()
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGCONT)
        stderr = running.stderr.read()
    assert running.returncode == 130, stderr
    assert stderr.splitlines()[-1].startswith("interrupted; ") and "Exception" not in stderr
