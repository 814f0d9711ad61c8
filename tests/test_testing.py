"""The compliance kit finds each way of breaking the contract, and passes who keeps it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hdrnodes.nodes.base import Knob, Node
from hdrnodes.testing import check_node, check_plugin_file

EXAMPLE = Path(__file__).parent.parent / "plugins/example/grain.py"


class Good(Node):
    """Halve the light."""

    def process(self, inputs, context):
        return inputs["image"].with_rgb(inputs["image"].rgb / 2)


class Undocumented(Good):
    pass


class Crops(Good):
    """Lose a row."""

    def process(self, inputs, context):
        image = inputs["image"]
        pixels = image.pixels[: max(1, image.height - 1)]
        window = image.data_window and image.data_window._replace(height=len(pixels))
        return replace(image, pixels=pixels, data_window=window)


class WritesIntoItsInput(Good):
    """Force its way past read-only."""

    def process(self, inputs, context):
        pixels = inputs["image"].pixels.base
        if pixels is not None and pixels.flags.writeable:
            pixels[...] = 0
        return inputs["image"]


class Forgets(Good):
    """Drop metadata."""

    def process(self, inputs, context):
        return replace(inputs["image"], metadata={})


class ChangesAlpha(Good):
    """Scale everything."""

    def process(self, inputs, context):
        return replace(inputs["image"], pixels=inputs["image"].pixels * 0.5)


class MakesNaN(Good):
    """Divide by light."""

    def process(self, inputs, context):
        rgb = inputs["image"].rgb
        with np.errstate(all="ignore"):
            return inputs["image"].with_rgb(rgb / rgb)


class Dices(Good):
    """Do something else each time."""

    def process(self, inputs, context):
        return inputs["image"].with_rgb(np.random.default_rng().random(inputs["image"].rgb.shape))


class GivesAnArray(Good):
    """Return pixels."""

    def process(self, inputs, context):
        return inputs["image"].pixels


class DiffersOnDevice(Good):
    """Halve the light; of a tensor, more."""

    on_device = True

    def process(self, inputs, context):
        image = inputs["image"]
        return image.with_rgb(image.rgb / (2 if image.device is None else 3))


def test_a_good_node_passes(hdrnodes_context):
    check_node(Good, hdrnodes_context)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (Undocumented, "Undocumented: has no docstring"),
        (Crops, "Crops: 33 x 31 with R, G, B, A: gives 32 x 31"),
        (WritesIntoItsInput, "WritesIntoItsInput: 1 x 1 with R, G, B: writes into its input image"),
        (Forgets, "Forgets: 1 x 1 with R, G, B: gives another metadata"),
        (ChangesAlpha, "ChangesAlpha: 33 x 31 with R, G, B, A: changes the channel A"),
        (MakesNaN, "MakesNaN: .*gives NaN or infinite values"),
        (Dices, "Dices: gives another picture the second time"),
        (GivesAnArray, "GivesAnArray: gives ndarray, not an Image"),
    ],
)
def test_a_node_that_breaks_the_contract_is_told_how(node, message, hdrnodes_context):
    with pytest.raises(AssertionError, match=message):
        check_node(node, hdrnodes_context)


def test_a_node_that_computes_tensors_otherwise_is_told_so(hdrnodes_context):
    pytest.importorskip("torch", reason="torch is an extra: pip install 'hdrnodes[train]'")
    with pytest.raises(AssertionError, match="DiffersOnDevice: 1 x 1 with R, G, B: computes torch tensors otherwise"):
        check_node(DiffersOnDevice, hdrnodes_context)


def test_the_example_plugin_loads():
    check_plugin_file(EXAMPLE)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise RuntimeError('no licence')", r"broken.py: is skipped: RuntimeError\('no licence'\)"),
        ("import torch\n" + EXAMPLE.read_text(), "broken.py: imports torch"),
        ("print('hello')", "broken.py: is skipped: PluginError.*has no hook"),
    ],
)
def test_a_plugin_file_that_does_not_load_is_told_why(source, message, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(source)
    with pytest.raises(AssertionError, match=message):
        check_plugin_file(path)


def test_a_knob_of_the_example_does_what_it_says(hdrnodes_plugins, hdrnodes_context):
    hdrnodes_plugins.load_folders([EXAMPLE.parent])
    grain = hdrnodes_plugins.nodes["Grain"]
    assert grain.knobs()["amount"].maximum == 1
    check_node(grain, hdrnodes_context, amount=0.5)


def test_the_fixtures_are_ready_for_a_plugin(hdrnodes_plugins, hdrnodes_context, hdrnodes_said):
    assert "Hallucinate" in hdrnodes_plugins.nodes
    hdrnodes_context.say("one line")
    assert hdrnodes_said == ["one line"]


class HasKnobs(Good):
    """Take a value of its own kind."""

    amount: float = Knob(0.3, ge=0, le=1, doc="How much.")


def test_knobs_are_set_for_the_check(hdrnodes_context):
    check_node(HasKnobs, hdrnodes_context, amount=1)
