"""What the README shows runs, in order, in one folder, as a reader would type it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import hdrnodes as hdrnodes_library
from hdrnodes.models import engines_folder
from hdrnodes.nodes.base import Context
from hdrnodes.nodes.inverse_crf import InverseCRF

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
PHOTO = engines_folder() / "default" / "plate.jpg"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with a photograph in it."""
    (tmp_path / "photo.jpg").write_bytes(PHOTO.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hdrnodes(*words):
    command = [sys.executable, "-m", "hdrnodes", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True)


def test_main_job(desk):
    command = re.search(r"^hdrnodes (reconstruct photo\.jpg .*)$", README, flags=re.MULTILINE)
    hdrnodes(*command.group(1).split())
    assert (desk / "photo.exr").stat().st_size > 1000


def test_python_examples(desk):
    examples = blocks("python")
    names = {}
    for example in examples:
        exec(compile(example, "README.md", "exec"), names)
    assert (desk / "photo.exr").exists() and (desk / "photo.csv").exists()
    assert names["again"].pixels.shape == names["image"].pixels.shape


def test_graph_example(desk):
    (desk / "graph.toml").write_text(blocks("toml")[0])
    command = re.search(r"`hdrnodes (run graph\.toml --set bright[^`]*)`", README)
    hdrnodes(*command.group(1).split())
    assert (desk / "bright.exr").exists()


def test_plugin_example(desk, monkeypatch):
    plugin = next(example for example in blocks("python") if "hookimpl" in example)
    (desk / "plugins").mkdir()
    (desk / "plugins" / "vignette.py").write_text(plugin)
    monkeypatch.setenv("HDRNODES_PLUGIN_PATH", str(desk / "plugins"))
    assert "Vignette" in hdrnodes("nodes").stdout
    graph = blocks("toml")[0].replace('"Hallucinate"', '"Vignette"').replace("ceiling = 5.0", "amount = 0.2")
    (desk / "graph.toml").write_text(graph)
    hdrnodes("run", "graph.toml")
    assert (desk / "bright.exr").exists()


def test_evaluate_example(desk):
    pytest.importorskip("scipy", reason="some metrics need scipy: pip install 'hdrnodes[metrics]'")
    picture = hdrnodes_library.read("photo.jpg")
    linear = InverseCRF(curve="srgb").process({"image": picture}, Context())
    for folder, file in (("results", "photo.exr"), ("references", "photo.exr"), ("plates", "photo.png")):
        (desk / folder).mkdir()
        hdrnodes_library.write(picture if file.endswith("png") else linear, desk / folder / file)
    command = re.search(r"^hdrnodes (evaluate .*)$", README, flags=re.MULTILINE)
    table = hdrnodes(*command.group(1).split()).stdout
    assert "pu21.psnr_rgb" in table and (desk / "scores.csv").read_text().startswith("name,method")
    assert (desk / "report.html").read_text(encoding="utf-8").endswith("</html>\n")


def test_the_number_of_metrics():
    from hdrnodes.metrics.registry import metrics

    assert f"the {len(metrics())} metrics" in README


def test_files_that_it_links_to_are_there():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    missing = [link for link in links if not (Path(__file__).parents[1] / link).exists()]
    assert links and not missing
