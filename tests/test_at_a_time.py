"""How many pictures are made at a time, and what that leaves for networks."""

import numpy as np
import OpenImageIO as oiio
import pytest

import hdrnodes
from hdrnodes import frames
from hdrnodes.cli.at_a_time import make_room
from hdrnodes.cli.running import take_model_folders
from hdrnodes.image import Image
from hdrnodes.plugins import installed_plugins
from hdrnodes.runtime import Runtime, Settings
from hdrnodes.runtime.openvino import OpenVINO

FRAME = 3 * 4 * 540 * 960  # bytes


@pytest.fixture(autouse=True)
def oiio_threads():
    names = ("threads", "exr_threads")
    before = {name: oiio.get_int_attribute(name) for name in names}
    yield
    for name in names:
        oiio.attribute(name, before[name])


@pytest.fixture
def plates(tmp_path):
    paths = [tmp_path / f"{number}.jpg" for number in range(5)]
    for path in paths:
        hdrnodes.write(Image.from_array(np.zeros((540, 960, 3), np.uint8)), path)
    return paths


@pytest.fixture
def run(plates, tiny_model):
    """How many of some plates are made at a time, and the runtime that made room for them."""

    def make(allowed, count=5, **settings):
        plugins = installed_plugins()
        take_model_folders([str(tiny_model)], plugins)
        runtime = Runtime("openvino", plugins=plugins, settings=Settings(memory=allowed, cache=None, **settings))
        return make_room(plates[:count], [str(tiny_model)], runtime), runtime

    return make


def test_one_is_read_one_computed_one_written(run):
    count, runtime = run(4 * 10**9)
    assert count == 3
    assert runtime.settings.memory == 4 * 10**9 - 2 * frames.AT_ONCE * FRAME
    assert oiio.get_int_attribute("threads") == oiio.get_int_attribute("exr_threads") == 1


def test_where_requests_run_side_by_side_there_are_enough_for_all_cores(run):
    assert run(4 * 10**9, hint="throughput", threads=10)[0] == 5
    assert run(4 * 10**9, hint="throughput", threads=2)[0] == 4


def test_a_picture_alone_has_all_that_there_is(run):
    count, runtime = run(4 * 10**9, count=1, threads=2)
    assert (count, runtime.settings.memory) == (1, 4 * 10**9)
    assert oiio.get_int_attribute("threads") == 2


def test_networks_keep_the_least_that_they_need(run, monkeypatch):
    """Not: more pictures, and then an error that there is too little memory."""
    room = 4 * 10**9
    for others, expected in ((2, 3), (1, 2), (0, 1)):
        least = room - others * frames.AT_ONCE * FRAME
        monkeypatch.setattr("hdrnodes.cli.at_a_time.least_memory", lambda model, least=least: least)
        count, runtime = run(room)
        assert count == expected and runtime.settings.memory >= least


def test_frames_that_lie_in_files_are_made_one_after_another(run):
    assert run(frames.PROCESS + 10**7)[0] == 1


def test_networks_on_a_gpu_need_none_of_the_machines_memory(run, monkeypatch):
    monkeypatch.setattr("hdrnodes.cli.at_a_time.least_memory", lambda model: 4 * 10**9)
    assert run(4 * 10**9)[0] == 1
    monkeypatch.setattr(OpenVINO, "free_memory", classmethod(lambda cls: 10**10))
    assert run(4 * 10**9)[0] > 1
