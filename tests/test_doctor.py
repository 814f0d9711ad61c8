"""doctor: what it says of this machine is so; of others, what their probes say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from cli import COMMAND, hdrnodes, start

import hdrnodes as library
from hdrnodes import machine
from hdrnodes.errors import WriteError
from hdrnodes.runtime import Runtime, compiled, gpus
from hdrnodes.runtime.torch import TorchOnGpu, build


def found(*arguments):
    return json.loads(hdrnodes("doctor", "--json", *arguments).stdout)


def test_doctor_tells_what_there_is():
    ran = hdrnodes("doctor", "--json")
    found = json.loads(ran.stdout)
    assert found["hdrnodes"] == library.__version__
    assert {"jpeg", "openexr", "png", "tiff"} <= set(found["formats"]["read"])
    assert {each["name"]: each["runs"] for each in found["executors"]}["openvino"] is True
    assert found["plugins"]["loaded"]["hdrnodes"] == "built-in"
    assert found["packages"]["numpy"] == np.__version__
    problems = [model["problem"] for model in found["models"]]
    assert (ran.exit_code == 0) == (problems != [] and not any(problems))
    table = hdrnodes("doctor").stdout
    assert all(f"executor {each['name']}" in table for each in found["executors"])


def test_what_auto_takes_is_what_a_runtime_takes():
    runtime = Runtime("auto")
    assert found()["auto"] == {"takes": runtime.executor.name, "reason": runtime.reason}
    assert f"takes {runtime.reason}" in hdrnodes("doctor").stdout


def test_doctor_tells_the_machine():
    told = found()
    assert told["cpu"]["cores"] == machine.cores() >= 1
    assert told["cpu"]["name"]
    assert told["memory"]["total"] == psutil.virtual_memory().total
    assert 0 < told["memory"]["free"] <= told["memory"]["total"]


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="there is no /proc/cpuinfo")
def test_instructions_are_those_that_torch_finds():
    torch = pytest.importorskip("torch")
    level = torch.backends.cpu.get_cpu_capability()
    told = machine.instructions()
    assert ("AVX-512" in told) >= (level == "AVX512")
    assert ("AVX2" in told) >= (level in ("AVX2", "AVX512"))


@pytest.mark.skipif(TorchOnGpu.why_not() is not None, reason=f"needs a GPU: {TorchOnGpu.why_not()}")
@pytest.mark.gpu
def test_doctor_tells_the_gpus():
    import torch

    told, seen = found(), build.gpus_of_torch()
    assert {gpu.name for gpu in seen} <= {gpu["name"] for gpu in told["gpus"]}
    assert told["gpus"][0]["memory"] == pytest.approx(torch.cuda.get_device_properties(0).total_memory, rel=0.05)
    assert told["auto"]["takes"] in ("tensorrt", "torch")


SMI = """#!/bin/sh
case "$1" in
    --query-gpu=name,compute_cap,memory.total,memory.free,driver_version) ;;
    *) echo "unknown option $1" >&2; exit 2 ;;
esac
printf '%s'
exit %d
"""


def path_with_smi(folder, says, code=0):
    program = folder / "nvidia-smi"
    program.write_text(SMI % (says, code))
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for nvidia-smi")
def test_gpus_are_what_nvidia_smi_says(tmp_path, monkeypatch):
    says = "NVIDIA H200, 9.0, 143771, 143000, 580.65.06\\nNVIDIA GB10, 12.1, [N/A], [N/A], 580.95\\n"
    monkeypatch.setenv("PATH", path_with_smi(tmp_path, says))
    assert gpus.driver_version.__wrapped__() == "580.65.06"
    told = found()["gpus"]
    assert told[0] == {
        "name": "NVIDIA H200",
        "compute_capability": "9.0",
        "memory": 143771 * 2**20,
        "free_memory": 143000 * 2**20,
        "driver": "580.65.06",
    }
    assert [gpu["memory"] for gpu in told] == [143771 * 2**20, 0]
    table = hdrnodes("doctor").stdout
    assert "NVIDIA H200, compute capability 9.0, 149.9 GB free of 150.8 GB, driver 580.65.06" in table
    assert "NVIDIA GB10, compute capability 12.1, the machine's memory, driver 580.95" in table


@pytest.mark.parametrize(("says", "code"), [("NVIDIA-SMI has failed because it could not communicate", 9), ("", 0)])
@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for nvidia-smi")
def test_a_driver_that_fails_is_no_gpu(tmp_path, monkeypatch, says, code):
    monkeypatch.setenv("PATH", path_with_smi(tmp_path, says, code))
    assert gpus.gpus() == [] and gpus.driver_version.__wrapped__() is None


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HDRNODES_CACHE", str(tmp_path))
    return tmp_path


def test_doctor_counts_what_is_compiled_and_clears_that_alone(cache, tiny_plugins):
    assert found()["cache"] == {"folder": str(cache), "compiled": {}}
    Runtime("openvino", plugins=tiny_plugins).run("dequantize", "default", np.zeros((4, 5, 3), np.float32))
    weights = cache / "metric-weights" / "alexnet.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"w" * 1000)
    size = sum(file.stat().st_size for file in (cache / "openvino").iterdir())
    assert size > 0
    assert found()["cache"]["compiled"] == {"openvino": {"networks": 1, "size": size}}
    assert "1 network of openvino" in hdrnodes("doctor").stdout
    assert found("--clear-cache")["cache"] == {"folder": str(cache), "compiled": {}, "cleared": size}
    assert "0 MB removed, no compiled networks" in hdrnodes("doctor", "--clear-cache").stdout
    assert weights.read_bytes() == b"w" * 1000
    assert [file.name for file in cache.iterdir()] == ["metric-weights"]


def test_plans_are_counted_without_what_lies_beside_them(cache):
    folder = cache / "tensorrt"
    folder.mkdir()
    for name in ("default-dequantize-fp16-SM89-1.plan", "default-dequantize-fp16-SM89-1.jit", "11.4-SM89.timing"):
        (folder / name).write_bytes(b"1234567")
    assert found()["cache"]["compiled"] == {"tensorrt": {"networks": 1, "size": 21}}


def test_a_cache_that_may_not_be_cleared_is_one_line(cache, monkeypatch):
    (cache / "openvino").mkdir()

    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(compiled.shutil, "rmtree", refuse)
    with pytest.raises(WriteError, match="openvino: cannot be removed: Permission denied; end what uses it, or remove"):
        compiled.forget(cache, ["openvino"])
    ran = hdrnodes("doctor", "--clear-cache")
    assert (ran.exit_code, len(ran.stderr.splitlines())) == (1, 1)


def test_where_torch_has_no_cuda_doctor_does_not_import_it():
    if TorchOnGpu.why_not() is None or build.is_built_for_cuda():
        pytest.skip("this torch is asked itself")
    code = "import sys; from hdrnodes.cli import main; main(['doctor'], standalone_mode=False)"
    code += "; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "False", ran.stderr


@pytest.mark.skipif(build.is_built_for_cuda(), reason="this torch is asked itself, which takes longer")
def test_doctor_takes_a_second_of_cpu():
    import resource

    def seconds():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*COMMAND, "doctor"], capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(2)) < 1


def test_doctor_names_skipped_plugins_and_broken_models_of_plugins(tiny_model, tmp_path):
    (tmp_path / "broken.py").write_text("raise RuntimeError('licence server is down')")
    (tmp_path / "ours.py").write_text(f"""
import pathlib, hdrnodes
@hdrnodes.hookimpl
def register_models():
    return {{"whole": pathlib.Path({str(tiny_model)!r}), "gone": pathlib.Path("/nowhere")}}
""")
    stdout, _ = start("doctor", "--json", HDRNODES_PLUGIN_PATH=tmp_path).communicate()
    found = json.loads(stdout)
    assert found["plugins"]["skipped"]["broken"] == "RuntimeError: licence server is down"
    problems = {model["name"]: model["problem"] for model in found["models"] if model["plugin"] == "ours"}
    assert problems["whole"] is None
    assert problems["gone"].startswith("/nowhere: no such model folder")
    table, _ = start("doctor", HDRNODES_PLUGIN_PATH=tmp_path).communicate()
    assert "SKIPPED: RuntimeError: licence server is down" in table and "BROKEN: /nowhere" in table
