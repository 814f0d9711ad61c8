"""The pages about nodes and plugins say all there is, and what they show runs."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hdrnodes import hookspecs
from hdrnodes.nodes.docs import PAGE, nodes_page
from hdrnodes.plugins import Plugins

ROOT = Path(__file__).parent.parent
PLUGINS_TEXT = (ROOT / "plugins/README.md").read_text(encoding="utf-8")
PLUGINS_PAGE = {
    heading.strip(): text for heading, text in re.findall(r"^### (.+)\n((?:(?!^#).*\n)*)", PLUGINS_TEXT, re.M)
}
HOOKS = [hook for hook in vars(hookspecs).values() if hasattr(hook, "hdrnodes_spec")]


def builtin_nodes():
    plugins = Plugins()
    plugins.load_builtins()
    return list(plugins.nodes.values())


def test_there_are_hooks_to_document():
    assert {hook.__name__ for hook in HOOKS} == {
        "register_nodes",
        "register_executors",
        "register_models",
        "before_node",
        "after_node",
    }


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.__name__)
def test_hook_and_its_arguments_are_on_the_plugins_page(hook):
    section = PLUGINS_PAGE[hook.__name__]
    assert [name for name in inspect.signature(hook).parameters if f"`{name}`" not in section] == []
    assert hook.__doc__


def test_the_nodes_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == nodes_page(), "run: python -m hdrnodes.nodes.docs"


@pytest.mark.parametrize("node", builtin_nodes(), ids=lambda node: node.name)
def test_node_and_its_knobs_are_on_the_nodes_page(node):
    sections = PAGE.read_text(encoding="utf-8").split("\n## ")
    section = next(text for text in sections if text.startswith(f"{node.name}\n"))
    assert [knob for knob in node.knobs() if f"| `{knob}` |" not in section] == []
    assert inspect.getdoc(node).split()[:5] == section.split("\n")[2].split()[:5]


def test_the_plugin_on_the_plugins_page_passes_the_tests_on_the_plugins_page(tmp_path):
    plugin, tests = re.findall(r"```python\n(.*?)```", PLUGINS_TEXT, re.S)
    (tmp_path / "vignette.py").write_text(plugin)
    (tmp_path / "test_vignette.py").write_text(tests)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout
