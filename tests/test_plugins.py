"""Plugins: the three sources, the errors, the watchers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hdrnodes.errors import GraphError, ModelError, PluginError
from hdrnodes.hookspecs import hookimpl
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context, Node
from hdrnodes.plugins import Plugins

GRAIN = """
from hdrnodes.hookspecs import hookimpl
from hdrnodes.nodes.base import Knob, Node

class Grain(Node):
    '''Add grain.'''
    amount: float = Knob(0.1, ge=0, le=1, doc="How much.")
    def process(self, inputs, context):
        return inputs["image"]

@hookimpl
def register_nodes():
    return [Grain]
"""


class Watcher:
    def __init__(self, heard, trouble=None):
        self.heard, self.trouble = heard, trouble

    @hookimpl
    def before_node(self, node, context):
        self.heard.append(("before", node.name))
        if self.trouble:
            raise self.trouble

    @hookimpl
    def after_node(self, output, node):
        self.heard.append(("after", node.name, output.pixels.shape))


class Registers:
    def __init__(self, *given):
        self.given = given

    @hookimpl
    def register_nodes(self):
        return self.given


def node_class(name):
    return type(name, (Node,), {"__doc__": "A test's.", "process": lambda self, inputs, context: inputs["image"]})


@pytest.fixture
def plugins():
    return Plugins()


@pytest.fixture
def install_plugin(tmp_path, monkeypatch):
    """Puts a distribution with one entry point and one module on sys.path, as pip would."""

    def install(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[hdrnodes]\n{name} = {name}\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, name, raising=False)

    yield install
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


def test_built_ins_come_through_the_same_door(plugins):
    assert plugins.nodes == {}
    plugins.load_builtins()
    assert {"Read", "Dequantize", "InverseCRF", "Hallucinate", "Refine", "Write"} <= set(plugins.nodes)
    assert plugins.sources == {"hdrnodes": "built-in"}
    assert plugins.owner("node", "Refine") == "hdrnodes"


def test_a_node_of_an_installed_package_is_found(plugins, install_plugin):
    install_plugin("studio_grain", GRAIN)
    plugins.load_entry_points()
    assert plugins.nodes["Grain"](amount=0.5).amount == 0.5
    assert plugins.sources["studio_grain"] == "entry point studio_grain"


def test_a_plugin_that_raises_on_import_is_skipped_and_named(plugins, install_plugin):
    install_plugin("studio_tools", "raise RuntimeError('licence server is down')")
    install_plugin("studio_grain", GRAIN)
    plugins.load_entry_points()
    assert str(plugins.skipped["studio_tools"]) == "licence server is down"
    assert "Grain" in plugins.nodes


def test_files_and_packages_of_a_folder_are_found_and_broken_ones_skipped(plugins, tmp_path):
    (tmp_path / "grain.py").write_text(GRAIN)
    (tmp_path / "broken.py").write_text("import no_such_module_anywhere")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)")
    (tmp_path / "_helper.py").write_text("raise RuntimeError('not a plugin')")
    (tmp_path / "notes.txt").write_text("not Python")
    package = tmp_path / "glow"
    package.mkdir()
    (package / "__init__.py").write_text("from .node import register_nodes")
    (package / "node.py").write_text(GRAIN.replace("Grain", "Glow"))
    plugins.load_folders([tmp_path, tmp_path / "missing"])
    assert set(plugins.nodes) == {"Grain", "Glow"}
    assert list(plugins.sources) == ["glow", "grain"]
    assert list(plugins.skipped) == ["broken", "leaves", str(tmp_path / "missing")]
    assert isinstance(plugins.skipped["broken"], ModuleNotFoundError)
    assert "is no folder" in str(plugins.skipped[str(tmp_path / "missing")])


def test_a_plugin_whose_model_folder_is_no_good_is_skipped(plugins, tmp_path):
    source = "from hdrnodes import hookimpl\nfrom hdrnodes.models import Model\n"
    source += "@hookimpl\ndef register_models():\n    return {'m': Model.load('/none').folder}\n"
    (tmp_path / "models.py").write_text(source)
    plugins.load_folders([tmp_path])
    assert isinstance(plugins.skipped["models"], ModelError)


def test_the_folders_of_the_environment_variable_are_searched(tmp_path):
    (tmp_path / "grain.py").write_text(GRAIN)
    script = "from hdrnodes.plugins import installed_plugins; print(installed_plugins().sources['grain'])"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={"HDRNODES_PLUGIN_PATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    assert ran.stdout.strip() == str(tmp_path / "grain.py")


def test_two_plugins_that_claim_one_node_are_both_named_and_the_registry_stays(plugins):
    ours, theirs, extra = node_class("Blur"), node_class("Blur"), node_class("Extra")
    plugins.register(Registers(ours), "house_blur")
    with pytest.raises(PluginError) as raised:
        plugins.register(Registers(extra, theirs), "vendor_blur")
    assert str(raised.value) == (
        "node Blur: is claimed by plugin house_blur (registered by a program) and by plugin vendor_blur "
        "(registered by a program); rename one of them, or remove a plugin"
    )
    assert plugins.nodes == {"Blur": ours}
    assert list(plugins.sources) == ["house_blur"]
    plugins.register(Registers(extra), "vendor_blur")  # its name is free: nothing of the refused one stayed
    assert plugins.nodes == {"Blur": ours, "Extra": extra}


def test_a_collision_between_files_stops_the_loading(plugins, tmp_path):
    (tmp_path / "grain_a.py").write_text(GRAIN)
    (tmp_path / "grain_b.py").write_text(GRAIN)
    with pytest.raises(PluginError, match=r"node Grain: is claimed by plugin grain_a .* and by plugin grain_b"):
        plugins.load_folders([tmp_path])


def test_two_plugins_of_one_name_are_refused(plugins):
    plugins.register(Registers(node_class("One")), "studio", "here")
    with pytest.raises(PluginError, match="plugin studio: comes from here and from there"):
        plugins.register(Registers(node_class("Two")), "studio", "there")
    assert set(plugins.nodes) == {"One"}


class Typo:
    @hookimpl
    def register_node(self):
        return []


class WrongArgument:
    @hookimpl
    def before_node(self, nodes):
        pass


class Wrapper:
    @hookimpl(wrapper=True)
    def before_node(self):
        return (yield)


class Fails:
    @hookimpl
    def register_models(self):
        raise KeyError("path")


@pytest.mark.parametrize(
    ("plugin", "problem"),
    [
        (Typo(), "there is no hook register_node; did you mean register_nodes"),
        (WrongArgument(), "hook 'before_node'.*hookimpl definition: before_node"),
        (Wrapper(), "before_node is a wrapper; make it a plain hook"),
        (Fails(), r"register_models raised KeyError\('path'\)"),
        (object(), "has no hook; mark its functions with hdrnodes.hookimpl"),
        (Registers(int), "register_nodes gave .*int.*; return a sequence of Node classes"),
        (Registers(node_class("A"), node_class("A")), "node A: is given twice by plugin bad"),
    ],
)
def test_a_plugin_that_breaks_the_contract_is_refused_whole(plugins, plugin, problem):
    with pytest.raises(PluginError, match=problem):
        plugins.register(plugin, "bad")
    assert (plugins.nodes, plugins.sources) == ({}, {})
    plugins.register(Registers(node_class("Good")), "bad")  # the name was not taken by the refused one


def test_watchers_hear_of_every_node_the_last_registered_first(plugins):
    heard, context, image = [], Context(), Image(np.zeros((2, 3, 3), np.float32))
    node = node_class("Blur")()
    plugins.register(Watcher(heard), "first")
    second = []
    plugins.register(Watcher(second), "second")
    plugins.before_node(node, {"image": image}, context)
    plugins.after_node(node, {"image": image}, image, context)
    assert heard == second == [("before", "Blur"), ("after", "Blur", (2, 3, 3))]


def test_a_watcher_that_fails_is_named_and_the_others_still_hear(plugins):
    heard, said = [], []
    plugins.register(Watcher(heard), "sound")
    plugins.register(Watcher([], trouble=ValueError("no farm")), "farm_log")
    plugins.before_node(node_class("Blur")(), {}, Context(say=said.append))
    assert heard == [("before", "Blur")]
    assert said == ["plugin farm_log: before_node raised ValueError('no farm'); the graph goes on without it"]


def test_a_watchers_own_error_of_ours_stops_the_graph(plugins):
    plugins.register(Watcher([], trouble=GraphError("shot", "is on hold", "ask production")), "gate")
    with pytest.raises(GraphError, match="shot: is on hold; ask production"):
        plugins.before_node(node_class("Blur")(), {}, Context())


HALVER = '''
import numpy as np

from hdrnodes.hookspecs import hookimpl
from hdrnodes.runtime import Executor


class Halver(Executor):
    """Halves whatever it is fed; loads no file."""

    name = "halver"

    @classmethod
    def why_not(cls):
        return None

    def __init__(self, network, settings):
        self.first = network.inputs[0]

    def run(self, **inputs):
        return inputs[self.first] / np.float32(2)


@hookimpl
def register_executors():
    return [Halver]
'''


def test_an_executor_and_a_model_of_plugins_run_a_stage(plugins, tiny_model, tmp_path):
    class Models:
        @hookimpl
        def register_models(self):
            return {"ours": tiny_model}

    (tmp_path / "halver.py").write_text(HALVER)
    plugins.load_folders([tmp_path])
    plugins.register(Models(), "models")
    context = Context(plugins=plugins, executor="halver")
    codes = np.full((5, 6, 3), 0.5, np.float32)
    np.testing.assert_array_equal(context.run("dequantize", "ours", codes), codes / 2)
    assert context.runtime is not None
    assert context.runtime.executor is plugins.executors["halver"]
