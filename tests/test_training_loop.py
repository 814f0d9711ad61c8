"""The training loop: killed runs go on exactly, processes train as one, bad losses are left out, bad folders said."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'hdrnodes[train]'")

from safetensors.torch import load_file
from tiny_run import Blur, network

from hdrnodes.curve import Curve
from hdrnodes.errors import TrainingError, WriteError
from hdrnodes.training.board import curve_picture, exposures
from hdrnodes.training.checkpoints import load_weights
from hdrnodes.training.distributed import together
from hdrnodes.training.loop import Schedule, train
from hdrnodes.training.optimiser import SkippingAdamW
from hdrnodes.training.randomness import generator

TINY_RUN = Path(__file__).with_name("tiny_run.py")
SHORT = Schedule(steps=12, rate=0.01, warm_up=3, average=0.9, validate_every=6)


def _lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def _untimed(file):
    return [{k: v for k, v in line.items() if k != "seconds_per_step"} for line in _lines(file)]


def _start(*arguments, processes=1):
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    return subprocess.Popen(
        [sys.executable, *torchrun, str(TINY_RUN), *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(*arguments, processes=1):
    process = _start(*arguments, processes=processes)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0, said
    return said


def _same_files(one, other):
    for name in ("last.safetensors", "best.safetensors"):
        ours, theirs = load_file(one / name), load_file(other / name)
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []


@pytest.mark.slow
def test_a_run_killed_twice_has_the_losses_of_one_that_was_not(tmp_path):
    _run(tmp_path / "whole")
    killed = tmp_path / "killed"
    for so_far in (3, 18):
        process = _start(killed, "--pause", "0.05")
        deadline = time.monotonic() + 60
        while not (killed / "losses.jsonl").exists() or len(_lines(killed / "losses.jsonl")) < so_far:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    assert "goes on from step" in _run(killed)
    losses = _lines(killed / "losses.jsonl")
    assert [line["step"] for line in losses] == list(range(1, 41))
    assert losses == _lines(tmp_path / "whole" / "losses.jsonl")
    assert _untimed(killed / "log.jsonl") == _untimed(tmp_path / "whole" / "log.jsonl")
    _same_files(killed, tmp_path / "whole")


def test_a_run_that_failed_goes_on_exactly(tmp_path):
    class Failed(Exception):
        pass

    class Fails(Blur):
        def step(self, network, random):
            if self.steps == 9:
                raise Failed
            return super().step(network, random)

    train(network(), Blur(), SHORT, tmp_path / "whole")
    with pytest.raises(Failed):
        train(network(), Fails(), SHORT, tmp_path / "failed")
    assert _lines(tmp_path / "failed" / "log.jsonl")[-1]["step"] == 6  # what there is to go on from
    torch.manual_seed(99)
    train(network(), Blur(), SHORT, tmp_path / "failed")
    assert _lines(tmp_path / "failed" / "losses.jsonl") == _lines(tmp_path / "whole" / "losses.jsonl")
    assert _untimed(tmp_path / "failed" / "log.jsonl") == _untimed(tmp_path / "whole" / "log.jsonl")
    _same_files(tmp_path / "failed", tmp_path / "whole")


def test_no_step_is_in_the_logs_twice_though_half_a_line_was_written(tmp_path):
    train(network(), Blur(), SHORT, tmp_path)
    for name in ("losses.jsonl", "log.jsonl"):
        with (tmp_path / name).open("a") as opened:
            opened.write('{"step": 13, "loss": 1.0}\n{"step": 14, "lo')
    train(network(), Blur(), Schedule(**{**vars(SHORT), "steps": 14}), tmp_path)
    assert [line["step"] for line in _lines(tmp_path / "losses.jsonl")] == list(range(1, 15))
    assert [line["step"] for line in _lines(tmp_path / "log.jsonl")] == [0, 6, 12, 14]


def test_a_run_that_is_done_is_not_run_again(tmp_path):
    train(network(), Blur(), SHORT, tmp_path)
    before = (tmp_path / "last.safetensors").stat().st_mtime_ns
    again = Blur()
    assert train(network(), again, SHORT, tmp_path) == tmp_path / "best.safetensors"
    assert again.drawn == [] and (tmp_path / "last.safetensors").stat().st_mtime_ns == before


def test_the_rate_rises_then_falls_and_more_steps_raise_it_again():
    schedule = Schedule(steps=1000, rate=2.0, warm_up=100)
    rates = [schedule.rate_at(step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.02) and max(rates) == rates[99] == 2.0
    assert all(now >= then for now, then in zip(rates[100:], rates[101:], strict=False))
    assert rates[-1] == pytest.approx(0.04, rel=0.01)
    assert Schedule(steps=4000, rate=2.0, warm_up=100).rate_at(999) > 1.5


def test_training_fits_in_either_precision(tmp_path):
    for precision in ("bf16", "float32"):
        schedule = Schedule(steps=150, rate=0.02, warm_up=10, average=0.9, validate_every=150)
        best = train(network(), Blur(), schedule, tmp_path / precision, precision=precision)
        losses = [line["loss"] for line in _lines(tmp_path / precision / "losses.jsonl")]
        assert sum(losses[-10:]) < 0.1 * sum(losses[:10])
        fitted = network()
        load_weights(fitted, best)
        assert not torch.equal(fitted[0].weight, network()[0].weight)
        assert torch.equal(fitted[0].bias, network()[0].bias)  # frozen


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """The folder of a run of two processes."""
    folder = tmp_path_factory.mktemp("two")
    _run(folder, processes=2)
    return folder


@pytest.mark.slow
def test_two_processes_end_with_the_same_weights_and_drew_different_plates(two_processes):
    first, second = (json.loads((two_processes / f"ended_{rank}.json").read_text()) for rank in (0, 1))
    assert first["ended"] == second["ended"]  # running statistics too, each of other plates
    assert len(first["drawn"]) == len(second["drawn"]) == 40
    assert not set(first["drawn"]) & set(second["drawn"])
    assert [line["step"] for line in _lines(two_processes / "log.jsonl")] == [0, 15, 30, 40]


class BothBatches(Blur):
    """What two processes draw, with what they draw it, in one."""

    def loss(self, network, random):
        buffers = [each for each in network.buffers() if each.is_floating_point()]
        before, after, losses = [each.clone() for each in buffers], [], []
        for rank in (0, 1):
            own = generator("cpu", 0, self.steps, rank)
            torch.manual_seed(own.initial_seed())
            for buffer, kept in zip(buffers, before, strict=True):
                buffer.data.copy_(kept)  # autograd would ask what became of it
            losses.append(super().loss(network, own))
            after.append([each.clone() for each in buffers])
        for buffer, one, other in zip(buffers, *after, strict=True):
            buffer.data.copy_((one + other) / 2)
        return sum(losses) / 2


@pytest.mark.slow
def test_two_processes_train_as_one_with_both_their_batches(two_processes, tmp_path):
    one = network()
    schedule = Schedule(40, 0.01, warm_up=5, average=0.9, validate_every=15)
    train(one, BothBatches(), schedule, tmp_path, precision="float32")
    ended = json.loads((two_processes / "ended_0.json").read_text())["ended"]
    for name, value in one.state_dict().items():
        if "num_batches" not in name:
            torch.testing.assert_close(torch.tensor(ended[name]), value, rtol=1e-4, atol=1e-5)
    ours, theirs = (_lines(each / "losses.jsonl") for each in (tmp_path, two_processes))
    assert [line["loss"] for line in ours] == pytest.approx([line["loss"] for line in theirs], rel=1e-4)


@pytest.mark.slow
def test_where_one_process_fails_all_stop_with_one_line(tmp_path):
    process = _start(tmp_path, "--fails", 1, 4, processes=2)
    said = process.communicate(timeout=120)[1]
    assert process.returncode != 0
    assert said.count("scene_7.exr: is not what it was; copy it again") == 1
    assert "lost" not in said and 'tiny_run.py", line' not in said


def test_a_loss_that_is_not_finite_leaves_everything_as_it_was(tmp_path):
    ended = {}
    for name, wrong in {"without": (), "with": (6, 7)}.items():
        schedule = Schedule(6 + len(wrong), 0.01, warm_up=100)  # whose rates do not depend on the number of steps
        train(network(), Blur(wrong=wrong), schedule, tmp_path / name)
        ended[name] = load_file(tmp_path / name / "last.safetensors")
    for key, value in ended["without"].items():
        if not key.startswith("average."):  # which goes on towards the weights as they are
            assert torch.equal(value, ended["with"][key]), key
    log = _lines(tmp_path / "with" / "log.jsonl")[-1]
    assert log["skipped"] == 2
    assert [line.get("loss") for line in _lines(tmp_path / "with" / "losses.jsonl")][6:] == [None, None]


def test_ten_losses_that_are_not_finite_stop_the_run(tmp_path):
    schedule = Schedule(**{**vars(SHORT), "steps": 40, "validate_every": 5})
    with pytest.raises(TrainingError, match=rf"{tmp_path}: the loss was not finite 10 steps in a row, up to step 17; "):
        train(network(), Blur(wrong=(2, *range(7, 30))), schedule, tmp_path)
    assert all(value.isfinite().all() for value in load_file(tmp_path / "last.safetensors").values())


def test_fused_steps_are_those_of_plain_adamw_whatever_the_memory_format():
    ours, theirs = network(), network()
    plain = torch.optim.AdamW([each for each in theirs.parameters() if each.requires_grad], 0.01, weight_decay=0.1,
                              foreach=False)  # fmt: skip
    skipping = SkippingAdamW(ours, 0.01, 0.1)
    for seed in range(3):
        for made, optimiser in ((ours, skipping), (theirs, plain)):
            optimiser.zero_grad()
            torch.manual_seed(seed)
            made(torch.rand(2, 3, 8, 8)).square().mean().backward()
            if made is ours:
                skipping.skip(torch.tensor(False))
            optimiser.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    train(torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1)), Blur(), SHORT, tmp_path)
    with pytest.raises(
        TrainingError, match=r"last.safetensors: is of another network \(\S+weight: 3 x 3 x 1 x 1 there"
    ):
        train(torch.nn.Sequential(torch.nn.Conv2d(3, 3, 3, padding=1)), Blur(), SHORT, tmp_path)
    with pytest.raises(TrainingError, match=r"best.safetensors: is of another network"):
        load_weights(network(), tmp_path / "best.safetensors")


def test_a_checkpoint_that_is_none_is_refused(tmp_path):
    (tmp_path / "last.safetensors").write_bytes(b"no")
    with pytest.raises(TrainingError, match=r"last.safetensors: is no checkpoint that can be read .*; move its folder"):
        train(network(), Blur(), SHORT, tmp_path)


def test_a_full_disk_is_said_and_the_last_checkpoint_is_whole(tmp_path):
    resource = pytest.importorskip("resource", reason="no limits on the size of files here")
    train(network(), Blur(), SHORT, tmp_path)
    before = (tmp_path / "last.safetensors").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
        with pytest.raises(WriteError, match=r"safetensors: could not be written"):
            train(network(), Blur(), Schedule(**{**vars(SHORT), "steps": 18}), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "last.safetensors").read_bytes() == before
    assert not list(tmp_path.glob(".hdrnodes*"))
    train(network(), Blur(), Schedule(**{**vars(SHORT), "steps": 18}), tmp_path)
    assert len(_lines(tmp_path / "losses.jsonl")) == 18


def test_devices_that_are_not_there_are_said():
    for name in ("gpu", "meta", *([] if torch.cuda.is_available() else ["cuda"]), "cuda:99"):
        with pytest.raises(TrainingError, match=name), together(name):
            pass
    with together() as workers:
        assert workers.leads and workers.count == 1


def test_tensorboard_shows_losses_scores_and_pictures_of_each_step_once(tmp_path):
    pytest.importorskip("tensorboard", reason="needs tensorboard: pip install 'hdrnodes[train]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    class Fails(Blur):
        def step(self, network, random):
            assert self.steps < 9
            return super().step(network, random)

    with pytest.raises(AssertionError):
        train(network(), Fails(), SHORT, tmp_path)
    train(network(), Blur(), SHORT, tmp_path)
    seen = EventAccumulator(str(tmp_path / "board")).Reload()
    losses = _lines(tmp_path / "losses.jsonl")
    for tag in ("loss", "root", "gradient_norm"):
        events = seen.Scalars(f"train/{tag}")
        assert [event.step for event in events] == [6, 12]  # not even a second went by
        means = [sum(line[tag] for line in losses[start : start + 6]) / 6 for start in (0, 6)]
        assert [event.value for event in events] == pytest.approx(means, rel=1e-6)
    rates = [event.value for event in seen.Scalars("train/rate")]
    assert rates == pytest.approx([SHORT.rate_at(5), SHORT.rate_at(11)])
    assert [event.step for event in seen.Scalars("validation/score")] == [0, 6, 12]
    assert min(event.value for event in seen.Scalars("speed/plates_per_second")) > 0
    (first, *_) = seen.Images("ramp")
    assert (first.width, first.height) == (8, 8)


def test_without_tensorboard_a_line_says_so_and_training_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    train(network(), Blur(), SHORT, tmp_path)
    assert capsys.readouterr().err.count("no TensorBoard here: pip install") == 1
    assert not (tmp_path / "board").exists()


def test_progress_says_loss_score_and_time_left(tmp_path, monkeypatch, capsys):
    train(network(), Blur(), SHORT, tmp_path / "plain")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("plain: step 0 of 12, score ")
    assert ", loss 0." in lines[1] and lines[1].endswith("seconds left") and "step 6 of 12" in lines[1]
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal then
    monkeypatch.setenv("COLUMNS", "120")
    train(network(), Blur(), SHORT, tmp_path / "terminal")
    said = capsys.readouterr().err
    assert "12/12" in said and "step 6 of 12" in said


def test_pictures_for_the_board():
    strip = exposures(torch.tensor([0.0, 0.125, 1.0, 20.0])[None, None].expand(3, 1, 4))
    display = Curve.named("srgb").samples[0]
    expected = [[light * 2.0**stops for light in (0.0, 0.125, 1.0, 20.0)] for stops in (-3, 0, 3)]
    back = [display[round(float(value) * 1023)] for value in strip[0, 0]]
    assert back == pytest.approx([min(1, each) for row in expected for each in row], abs=2e-3)
    plot = curve_picture(*torch.linspace(0, 1, 1024).pow(torch.tensor([[1.0], [2.2]])))
    assert plot.shape == (3, 760, 960) and 0 <= plot.min() and plot.max() <= 1
    assert math.isclose(float(plot[:, 5, 5].min()), 1)  # paper
