"""The other commands: help, nodes, run, curve, import-checkpoint, train; and what is raised on the way."""

import json
import os
import subprocess
import sys
import time
from importlib import import_module

import numpy as np
import pytest
from cli import COMMAND, hdrnodes, header, load, plate, save, start

import hdrnodes as library
from hdrnodes.cli import COMMANDS, load_command
from hdrnodes.curve import Curve
from hdrnodes.plugins import installed_plugins


def python(code, *arguments, **environment):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})


@pytest.fixture
def graph_file(tmp_path, tiny_model):
    """A graph of the tiny model's InverseCRF between a Read and a Write of frames."""
    path = tmp_path / "graph.toml"
    path.write_text(f"""
        format = 1
        [nodes.plate]
        node = "Read"
        knobs = {{path = "{tmp_path}/plate.####.png"}}
        [nodes.linear]
        node = "InverseCRF"
        sources = {{image = "plate"}}
        knobs = {{model = "{tiny_model}", scope = "shot"}}
        [nodes.picture]
        node = "Write"
        sources = {{image = "linear"}}
        knobs = {{path = "{tmp_path}/out.####.exr"}}
    """)
    return path


@pytest.fixture
def frames(tmp_path):
    return [save(tmp_path / f"plate.{frame:04}.png", plate(seed=frame) * frame / 3) for frame in (1, 2, 3)]


def test_help_is_there_in_under_a_second_and_loads_nothing_of_weight():
    code = (
        "import sys; from hdrnodes.cli import main; main(['--help'], standalone_mode=False); "
        "print('|', *sys.modules, file=sys.stderr)"
    )
    start = time.perf_counter()
    ran = python(code)
    assert time.perf_counter() - start < 1
    loaded = set(ran.stderr.partition("|")[2].split())
    assert "hdrnodes.cli" in loaded
    assert {"torch", "openvino", "OpenImageIO", "numpy", "pydantic"} & loaded == set()
    assert all(name in ran.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_in_the_list_what_it_says_itself(name):
    pytest.importorskip("torch", reason="training's commands need torch")
    first_line = load_command(name).help.splitlines()[0]
    assert first_line == COMMANDS[name][1]


def test_version():
    assert hdrnodes("--version").stdout == f"hdrnodes, version {library.__version__}\n"


def test_a_mistyped_command_is_exit_code_2_with_the_nearest():
    ran = hdrnodes("reconstrukt")
    assert (ran.exit_code, "did you mean reconstruct?" in ran.stderr) == (2, True)


@pytest.mark.parametrize("arguments", [("train", "--help"), ("import-checkpoint", ".")])
def test_what_needs_torch_says_what_to_install_where_there_is_none(arguments):
    code = "import sys; sys.modules['torch'] = None; from hdrnodes.cli import main; main(sys.argv[1:])"
    ran = python(code, *arguments)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "torch: is not installed; pip install 'hdrnodes[train]'\n"


def test_a_bug_is_one_line_and_its_traceback_is_for_who_asks(monkeypatch):
    monkeypatch.setattr(import_module("hdrnodes.cli.nodes"), "installed_plugins", lambda: 1 / 0)
    ran = hdrnodes("nodes")
    assert ran.exit_code == 1
    assert ran.stderr == "ZeroDivisionError: division by zero; this is a bug, and --verbose shows the traceback\n"
    assert "Traceback" in hdrnodes("nodes", "--verbose").stderr


def test_nodes_lists_every_node_with_what_it_does():
    lines = hdrnodes("nodes").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(installed_plugins().nodes)
    assert "Undo the camera's response" in next(line for line in lines if line.startswith("InverseCRF"))


@pytest.mark.parametrize("name", installed_plugins().nodes)
def test_nodes_tells_of_every_knob(name):
    knobs = installed_plugins().nodes[name].knobs()
    text = hdrnodes("nodes", name).stdout
    assert all(knob in text and info.doc in text and info.allowed in text for knob, info in knobs.items())
    said = json.loads(hdrnodes("nodes", name.lower(), "--json").stdout)
    assert [(knob["name"], knob["doc"]) for knob in said["knobs"]] == [(i.name, i.doc) for i in knobs.values()]


def test_an_unknown_node_is_exit_code_2():
    ran = hdrnodes("nodes", "Halucinate")
    assert (ran.exit_code, "did you mean Hallucinate?" in ran.stderr) == (2, True)


def test_a_plugin_of_a_folder_is_listed_and_runs_in_a_graph(tmp_path):
    (tmp_path / "negative.py").write_text("""
from hdrnodes import Knob, Node, hookimpl

class Negative(Node):
    '''Turn light into dark.'''
    amount: float = Knob(1.0, ge=0, le=1, doc="How much of it.")
    def process(self, inputs, context):
        image = inputs["image"]
        return image.with_rgb(image.rgb + self.amount * (1 - 2 * image.rgb))

@hookimpl
def register_nodes():
    return [Negative]
""")
    save(tmp_path / "plate.png")
    (tmp_path / "graph.toml").write_text(f"""
format = 1
nodes.a = {{node = "Read", knobs = {{path = "{tmp_path}/plate.png"}}}}
nodes.b = {{node = "Negative", sources = {{image = "a"}}}}
nodes.c = {{node = "Write", sources = {{image = "b"}}, knobs = {{path = "{tmp_path}/negative.png"}}}}
""")
    listed = start("nodes", "Negative", HDRNODES_PLUGIN_PATH=tmp_path).communicate()[0]
    assert "Turn light into dark." in listed and "How much of it." in listed
    running = start("run", tmp_path / "graph.toml", HDRNODES_PLUGIN_PATH=tmp_path)
    assert running.communicate()[0] == f"{tmp_path}/negative.png\n"
    np.testing.assert_allclose(load(tmp_path / "negative.png")[0], 1 - load(tmp_path / "plate.png")[0], atol=1e-6)


def test_run_makes_every_frame_with_one_curve_and_keeps_those_that_are_there(graph_file, frames, tmp_path):
    ran = hdrnodes("run", graph_file)
    outputs = [tmp_path / f"out.000{frame}.exr" for frame in (1, 2, 3)]
    assert (ran.exit_code, ran.stdout.split()) == (0, [str(path) for path in outputs])
    curves = {header(path, "hdrnodes:curve") for path in outputs}
    assert len(curves) == 1
    outputs[1].unlink()
    ran = hdrnodes("run", graph_file, "--json")
    assert "2 of 3 are there already" in ran.stderr
    assert [said["skipped"] for said in json.loads(ran.stdout)] == [True, False, True]
    assert {header(path, "hdrnodes:curve") for path in outputs} == curves


def test_run_turns_knobs_and_takes_a_range(graph_file, frames, tmp_path):
    ran = hdrnodes("run", graph_file, "--set", "linear.curve=srgb", "--frames", "2-4")
    assert (ran.exit_code, len(ran.stdout.split())) == (1, 2)
    assert f"{tmp_path}/plate.####.png: frame 4 missing" in ran.stderr
    np.testing.assert_allclose(header(tmp_path / "out.0002.exr", "hdrnodes:curve"), Curve.named("srgb").samples[0])


@pytest.mark.parametrize(
    "wrong, told",
    [
        ("linear.curv=srgb", "did you mean curve?"),
        ("liner.curve=srgb", "did you mean linear?"),
        ("linear.scope=film", "give one of frame, shot"),
        ("linear.scope", "write node.knob=value"),
        ("picture.path=one.exr", "every frame would be written to one.exr"),
    ],
)
def test_run_names_a_wrong_knob_with_exit_code_2(graph_file, frames, wrong, told):
    ran = hdrnodes("run", graph_file, "--set", wrong)
    assert (ran.exit_code, told in " ".join(ran.stderr.replace("│", " ").split())) == (2, True)


@pytest.mark.parametrize(
    "text, told",
    [
        (None, "no such file or directory"),
        ("format = ", "is no TOML"),
        ("format = 1\n[nodes.a]\nnode = 'Exposer'", "did you mean Exposure?"),
        (
            "format = 1\ninputs = ['image']\n[nodes.a]\nnode = 'Exposure'\nsources = {image = 'image'}",
            "wants to be given",
        ),
    ],
)
def test_run_says_in_one_line_what_is_wrong_with_a_graph_file(tmp_path, text, told):
    path = tmp_path / "graph.toml"
    if text is not None:
        path.write_text(text)
    ran = hdrnodes("run", path)
    assert (ran.exit_code, ran.stderr.startswith(str(path)), len(ran.stderr.splitlines())) == (1, True, 1)
    assert told in ran.stderr


def test_curve_goes_to_stdout_as_csv_and_to_files_as_asked(tiny_model, tmp_path):
    save(tmp_path / "plate.jpg")
    command = ("curve", tmp_path / "plate.jpg", "--model", tiny_model)
    files = [tmp_path / f"curve.{suffix}" for suffix in ("csv", "spi1d", "cube", "png")]
    ran = hdrnodes(*command, *(each for path in files for each in ("-o", path)))
    assert (ran.exit_code, ran.stdout.split()) == (0, [str(path) for path in files])
    assert hdrnodes(*command).stdout == files[0].read_text()
    for path in files[1:3]:
        np.testing.assert_allclose(Curve.load(path).samples, Curve.load(files[0]).samples, atol=1e-6)
    assert load(files[3])[0].shape[2] >= 3
    ran = hdrnodes(*command, "-o", files[0], "-o", tmp_path / "new.cube")
    assert (ran.exit_code, ran.stdout) == (1, f"{tmp_path}/new.cube\n")
    assert ran.stderr.startswith(f"{files[0]}: exists already")


def test_the_curve_of_a_plate_is_the_one_that_reconstruct_takes(tiny_model, tmp_path):
    save(tmp_path / "plate.jpg")
    said = json.loads(hdrnodes("curve", tmp_path / "plate.jpg", "--json", "--model", tiny_model).stdout)
    hdrnodes("reconstruct", tmp_path / "plate.jpg", "--model", tiny_model)
    np.testing.assert_allclose(header(tmp_path / "plate.exr", "hdrnodes:curve"), said["samples"][0], atol=1e-7)
    assert (said["source"], said["notes"]) == ("estimate", [])


def test_the_curve_of_a_shot_is_the_one_that_reconstruct_takes(tiny_model, frames, tmp_path):
    pattern = tmp_path / "plate.####.png"
    said = json.loads(hdrnodes("curve", pattern, "--per-channel", "--json", "--model", tiny_model).stdout)
    hdrnodes("reconstruct", pattern, "--scope", "shot", "--per-channel", "--model", tiny_model)
    assert np.shape(said["samples"]) == (3, 1024)
    curve = np.reshape(header(tmp_path / "plate.0002.exr", "hdrnodes:curve"), (3, 1024))
    np.testing.assert_allclose(curve, said["samples"], atol=1e-7)


def test_curve_refuses_a_scene_linear_picture_and_goes_on_with_the_others(tiny_model, tmp_path):
    save(tmp_path / "linear.exr", pixel_type="half")
    command = ("curve", "--model", tiny_model, tmp_path / "linear.exr")
    ran = hdrnodes(*command)
    assert (ran.exit_code, ran.stdout) == (1, "")
    said = [line for line in ran.stderr.splitlines() if "skipped" not in line]
    assert len(said) == 1  # and nothing of a curve that was taken instead
    assert said[0].startswith(f"{tmp_path}/linear.exr: is scene-linear already")
    ran = hdrnodes(*command, save(tmp_path / "plate.jpg"))
    assert (ran.exit_code, len(ran.stdout.splitlines())) == (1, 1025)


def test_import_checkpoint_says_in_one_line_that_a_folder_holds_none(tmp_path):
    pytest.importorskip("torch", reason="model folders are made with torch")
    ran = hdrnodes("import-checkpoint", tmp_path, "-o", tmp_path / "published")
    assert (ran.exit_code, len(ran.stderr.splitlines())) == (1, 1)
    assert ran.stderr.startswith(f"{tmp_path}: holds no TensorFlow checkpoint")


def test_python_m_hdrnodes_is_the_command():
    ran = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, f"hdrnodes, version {library.__version__}\n")
