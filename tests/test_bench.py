"""hdrnodes bench: what it counts, what it makes, what it measures, and what it says of what it could not."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import openvino
import pytest
from cli import hdrnodes, start
from openvino import opset8

from hdrnodes.bench import rounds
from hdrnodes.bench.cells import Cell, Lane, Measured, Peak, Results, Visit, size_of
from hdrnodes.bench.child import Failed, in_child
from hdrnodes.bench.counting import cost
from hdrnodes.bench.plate import CLIPPED, make_plate
from hdrnodes.bench.rounds import measure, plan
from hdrnodes.bench.tables import markdown, notes, rows
from hdrnodes.errors import ReadError
from hdrnodes.models import Model, engines_folder

LANE = Lane("openvino", threads=2)
PEAK = Peak(flop=100e9, flop_cpu=50e9, moved=10e9, moved_cpu=8e9, what="float32, a 3 x 3 convolution")


def cell(part="whole", width=960, height=540, model="default", lane=LANE):
    return Cell(lane, model, part, width, height)


def results(*measured, executors=None):
    machine = {"threads": 2, "processor": "a processor"}
    return Results(machine, executors or {"openvino": None}, {LANE: PEAK}, list(measured))


# Counting


NETWORKS = Model.load(engines_folder() / "default").networks()


# Of linearize, torch adds up by products what the ONNX may add up otherwise.
@pytest.mark.parametrize("network", [each for each in NETWORKS if each.name != "linearize"], ids=lambda each: each.name)
def test_operations_are_those_that_torch_counts(network):
    torch = pytest.importorskip("torch", reason="compares with torch's counter")
    from torch.utils.flop_counter import FlopCounterMode

    from hdrnodes.networks import load

    module = load(network)
    inputs = module.example_inputs()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs.values())
    shapes = tuple((name, tuple(each.shape)) for name, each in inputs.items())
    assert cost(network.folder / network.onnx, shapes, 4).flop == counter.get_total_flops()


def test_operations_of_every_kind_of_convolution_and_product(tmp_path):
    torch = pytest.importorskip("torch", reason="compares with torch's counter")
    import torch.nn.functional as F
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        x = F.conv2d(torch.zeros(2, 4, 20, 28), torch.zeros(8, 4, 3, 3), stride=2)
        x = F.conv2d(x, torch.zeros(8, 2, 3, 3), groups=4)
        x = F.conv_transpose2d(x, torch.zeros(8, 6, 4, 4), stride=2)
        x = F.conv_transpose2d(x, torch.zeros(6, 2, 2, 2), groups=3)
        x = x.amax(dim=(2, 3)) @ torch.zeros(6, 10)
        x.T @ torch.zeros(2, 7)
    given = opset8.parameter([2, 4, 20, 28], np.float32, "x")
    given.output(0).set_names({"x"})
    none, zeros = ([0, 0], [0, 0], [1, 1]), lambda *shape: opset8.constant(np.zeros(shape, np.float32))
    y = opset8.convolution(given, zeros(8, 4, 3, 3), [2, 2], *none)
    y = opset8.group_convolution(y, zeros(4, 2, 2, 3, 3), [1, 1], *none)
    y = opset8.convolution_backprop_data(y, zeros(8, 6, 4, 4), [2, 2])
    y = opset8.group_convolution_backprop_data(y, zeros(3, 2, 2, 2, 2), [1, 1])
    y = opset8.matmul(opset8.reduce_max(y, np.int64([2, 3])), zeros(6, 10), False, False)
    y = opset8.matmul(y, zeros(2, 7), True, False)
    openvino.save_model(openvino.Model([y], [given]), tmp_path / "all.xml")
    assert cost(tmp_path / "all.xml", (("x", (2, 4, 20, 28)),), 4).flop == counter.get_total_flops() > 0


def test_bytes_are_of_what_convolutions_read_and_write(tmp_path):
    given, kernel = (
        opset8.parameter([1, 3, -1, -1], np.float32, "x"),
        opset8.constant(np.ones((5, 3, 3, 3), np.float32)),
    )
    given.output(0).set_names({"x"})
    answer = opset8.convolution(given, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
    openvino.save_model(openvino.Model([answer], [given]), tmp_path / "one.xml", compress_to_fp16=False)
    values, weights, ends = 8 * 8 * (3 + 5), 3 * 5 * 9, 8 * 8 * (3 + 5)
    for value_bytes in (4, 2):
        found = cost(tmp_path / "one.xml", (("x", (1, 3, 8, 8)),), value_bytes)
        assert found == (2 * 8 * 8 * weights, (values + weights) * value_bytes + ends * 4)


# The plate


@pytest.mark.parametrize("size", [(320, 180), (640, 360)])
def test_the_plate_clips_as_much_as_it_says_and_is_no_noise(size):
    codes = make_plate(*size)
    assert (codes.shape, codes.dtype) == ((size[1], size[0], 3), np.uint8)
    assert (codes.max(axis=2) == 255).mean() == pytest.approx(CLIPPED, abs=0.015)
    light = codes.mean(axis=2)
    assert np.corrcoef(light[:, 1:].ravel(), light[:, :-1].ravel())[0, 1] > 0.9
    assert np.unique(codes).size > 200


def test_a_larger_plate_is_the_same_scene():
    small, large = make_plate(320, 180).astype(float), make_plate(640, 360).astype(float)
    averaged = large.reshape(180, 2, 320, 2, 3).mean(axis=(1, 3))
    assert np.median(np.abs(averaged - small)) < 4


def test_sizes_are_those_of_video_or_16_to_9():
    assert [size_of(each) for each in (0.5, 2, 8, 33)] == [(960, 540), (1920, 1080), (3840, 2160), (7680, 4320)]
    width, height = size_of(5)
    assert width * height == pytest.approx(5e6, rel=1e-3) and width / height == pytest.approx(16 / 9, rel=1e-3)


# What comes out


def test_what_takes_longer_at_its_peak_binds_and_shares_are_of_that():
    arithmetic = Measured(cell(), [Visit([2.0, 1.0, 4.0], [3.0, 1.5, 6.0], flop=50e9, moved=1e9)])
    assert (arithmetic.bound(PEAK), arithmetic.median, arithmetic.least, arithmetic.cpu) == ("arithmetic", 2, 1, 1.5)
    assert arithmetic.of_bound(PEAK) == (pytest.approx(0.5), pytest.approx(50 / 50 / 1.5))
    bandwidth = Measured(cell(), [Visit([2.0], [4.0], flop=1e9, moved=10e9)])
    assert (bandwidth.bound(PEAK), bandwidth.of_bound(PEAK)) == ("bandwidth", (0.5, 10 / 8 / 4))
    gpu = Peak(100e9, None, 10e9, None, "fp16")
    assert bandwidth.of_bound(gpu) == (0.5, None)


def test_peaks_of_several_rounds_are_the_best_of_each():
    better = PEAK.or_better(Peak(200e9, 40e9, 5e9, 9e9, "another"))
    assert better == Peak(200e9, 50e9, 10e9, 9e9, "another")


def test_what_is_not_inference_is_of_the_whole_and_of_a_command_by_the_networks_of_the_files():
    files = Measured(cell("files"), [Visit([4.0], [8.0], inference=[3.0])])
    command = Measured(cell("command"), [Visit([6.0], [8.0])])
    stage = Measured(cell("refine"), [Visit([4.0], [8.0], inference=[3.0])])
    found = results(files, command, stage)
    assert [found.not_inference(one) for one in found.measured] == [0.25, 0.5, None]
    assert results(command).not_inference(command) is None


def test_markdown_has_parts_down_and_sizes_across():
    small = Measured(cell("whole"), [Visit([0.25, 0.5, 0.75], [1, 1, 1], [0.4] * 3, 2 * 10**9, flop=10e9, moved=1)])
    large = Measured(cell("whole", 1920, 1080), problem="out of memory")
    heads, _, whole, rate, *_ = [line for line in markdown(results(small, large)).splitlines() if line.startswith("|")]
    assert heads.split(" | ")[1:3] == ["960 x 540, ms", "1920 x 1080, ms"]
    assert whole.startswith(
        "| whole | 500 (250) | - | 1.929 | 19.3 | 2.00 GB | arithmetic, 40% (20% by CPU-s) | - | 20%"
    )
    assert rate.startswith("| whole, frames a second | 2 | - |")
    assert "openvino, default, whole, 2.1 MP: out of memory." in markdown(results(small, large))


def test_results_without_a_peak_or_a_measurement_can_be_shown():
    none = Results(
        {"threads": 2, "processor": "-"}, {"other": "not installed"}, measured=[Measured(cell(), problem="x")]
    )
    assert rows(none) == [] and markdown(none) == ""
    assert list(notes(none)) == ["other cannot run here: not installed", "openvino, default, whole, 0.52 MP: x"]
    without = Results(none.machine, {}, measured=[Measured(cell(), [Visit([1.0], [1.0], flop=1e9)])])
    assert rows(without)[0][-5:] == ["-"] * 5
    json.dumps(without.as_json(), allow_nan=False)


# Processes


def too_much():
    raise MemoryError("of 7 GB")


def unreadable():
    raise ReadError("plate.jpg", "is empty", "copy it again")


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    "work, line",
    [
        (too_much, "out of memory of 7 GB"),
        (unreadable, "plate.jpg: is empty; copy it again"),
        (killed, "its process was killed (SIGKILL); out of memory, probably"),
    ],
)
def test_what_fails_in_a_process_is_one_line(work, line):
    with pytest.raises(Failed) as raised:
        in_child(work)
    assert str(raised.value) == line


def test_a_process_answers():
    assert in_child(divmod, 17, 5) == (3, 2)


def test_a_plate_that_would_not_fit_is_left_out_by_what_smaller_ones_took(monkeypatch, tmp_path):
    monkeypatch.setattr(rounds, "available", lambda: 5 * 10**9)
    small, larger = (
        Measured(cell("whole", width, 1000), [Visit([1.0], [1.0], memory=memory)])
        for width, memory in ((1000, 10**9), (2000, 2 * 10**9))
    )
    largest = Measured(cell("whole", 8000, 1000))
    problem = rounds._too_large(largest.cell, [small, larger, largest])
    assert problem == "left out: it would take about 8.0 GB, by what smaller plates took; 5.0 are free"
    assert rounds._too_large(Measured(cell("whole", 3000, 1000)).cell, [small, larger]) is None


# The command


PLUGIN = """
from hdrnodes import hookimpl
from hdrnodes.errors import ExecutorError
from hdrnodes.runtime.openvino import OpenVINO


class Absent(OpenVINO):
    name = "absent"

    @classmethod
    def why_not(cls):
        return "no such card"


class Failing(OpenVINO):
    name = "failing"

    def run(self, **inputs):
        raise ExecutorError("network", "cannot be run", "take another")


@hookimpl
def register_executors():
    return [Absent, Failing]
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    (tmp_path / "executors.py").write_text(PLUGIN)
    monkeypatch.setenv("HDRNODES_PLUGIN_PATH", str(tmp_path))


@pytest.mark.slow
def test_all_is_measured_and_what_cannot_be_is_named(tiny_model, plugin, tmp_path):
    told = tmp_path / "bench.json"
    executors = [f"--executor={name}" for name in ("openvino", "absent", "failing")]
    arguments = ["--model", tiny_model, "--size", "0.02", "--repeats", 1, "--files", "--json", told]
    with start("bench", *executors, *arguments) as command:
        stdout, stderr = command.communicate()
    assert command.returncode == 1, stderr  # something failed
    found = json.loads(told.read_text())
    assert found["executors"][1] == {"name": "absent", "why_not": "no such card"}
    assert "absent cannot run here: no such card" in stderr
    ran = {each["part"]: each for each in found["cells"] if each["executor"] == "openvino"}
    assert list(ran) == ["dequantize", "linearize", "hallucinate", "refine", "whole", "files", "command"]
    for part, each in ran.items():
        assert each["problem"] is None, each
        assert each["least"] > 0 and each["cpu_seconds"] > 0 and each["memory"] > 10**7
        assert each["width"] * each["height"] == pytest.approx(0.02e6, rel=0.01)
        assert part == "command" or each["moved"] > 6 * each["width"] * each["height"]
        assert f"{part} " in stdout
    assert 0 < ran["hallucinate"]["fed"] and 0 < ran["whole"]["not_inference"] < 1
    failed = [each["problem"] for each in found["cells"] if each["executor"] == "failing"]
    assert len(failed) == 7 and all("cannot be run" in problem for problem in failed)
    (peak,) = [each for each in found["peaks"] if each["executor"] == "openvino"]
    assert 1e9 < peak["flop"] < 1e14 and 1e8 < peak["moved"] < 1e13 and "convolution" in peak["what"]


@pytest.mark.slow
def test_the_shares_of_default_are_shares(tmp_path):
    cells = plan([Lane("openvino")], ["default"], ["dequantize"], [(384, 216)])
    found = Results({}, {})
    measure(cells, 1, tmp_path, found, lambda _: None)
    (one,), (peak,) = found.measured, found.peaks.values()
    assert one.problem is None
    clock, cpu = one.of_bound(peak)
    assert one.bound(peak) == "arithmetic" and 0.01 < cpu < 2
    assert one.visits[0].convolutions < one.median * 3 and one.visits[0].fed == 1
    assert clock > 0.001


@pytest.mark.slow
def test_ctrl_c_prints_what_there_is(tiny_model):
    command = start("bench", "--model", tiny_model, "--executor=openvino", "--size=0.02", "--json=-", "--repeats=50")
    for line in command.stderr:
        if "whole" in line:
            break
    command.send_signal(signal.SIGINT)
    stdout, stderr = command.communicate(timeout=60)
    assert command.returncode == 130 and "interrupted" in stderr and "Traceback" not in stderr
    assert [each["part"] for each in json.loads(stdout)["cells"] if "least" in each][-1] == "whole"


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["--executor", "openvimo"], "there is no executor openvimo; did you mean openvino?"),
        (["--size", "large"], "'large' is no list of megapixels, such as 0.5,2,8,33"),
        (["--size", "0"], "sizes are from 0.001 to 1000 megapixels"),
        (["--model", "nothing"], "there is no model nothing, nor a folder"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_is_measured(arguments, problem):
    ran = hdrnodes("bench", *arguments)
    assert ran.exit_code == 2
    assert problem.replace(" ", "") in "".join(ran.stderr.replace("│", "").split())


def test_a_file_that_cannot_be_written_is_said_before_anything_is_measured(tmp_path):
    ran = hdrnodes("bench", "--json", tmp_path / "none" / "bench.json")
    assert (ran.exit_code, "does not exist" in ran.stderr) == (1, True)


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["onnx"] = None
import hdrnodes.bench.rounds
from hdrnodes.bench.counting import cost
from pathlib import Path
print(cost(Path(sys.argv[1]), (("codes", (1, 3, 96, 128)),), 4).flop)
"""


def test_the_light_install_can_count():
    (network,) = [each for each in NETWORKS if each.name == "dequantize"]
    path = network.folder / network.onnx
    ran = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, path], check=True, capture_output=True, text=True)
    assert float(ran.stdout) == cost(path, (("codes", (1, 3, 96, 128)),), 4).flop
