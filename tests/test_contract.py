"""What all nodes owe, asked of all that come with hdrnodes."""

import numpy as np
import pytest

from hdrnodes import builtins
from hdrnodes.image import Image
from hdrnodes.testing import check_node

NODES = builtins.register_nodes()


@pytest.fixture
def knobs(tmp_path):
    """What a node's defaults leave open."""
    from hdrnodes import io

    io.write(Image(np.full((4, 5, 3), 0.5, np.float32)), tmp_path / "in.png")
    return {
        "Read": {"path": str(tmp_path / "in.png")},
        "Write": {"path": str(tmp_path / "out.exr"), "overwrite": True},
    }


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_node_keeps_the_contract(node, knobs, tiny_context):
    check_node(node, tiny_context, **knobs.get(node.name, {}))


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_every_way_of_its_choices_and_switches_keeps_the_contract(node, knobs, tiny_context):
    for info in node.knobs().values():
        ways = {"choice": info.choices, "bool": (True, False)}.get(info.kind, ())
        if node.name == "Write":
            ways = ()  # which types and what overwriting does is for the tests of writing
        for way in ways:
            check_node(node, tiny_context, **knobs.get(node.name, {}), **{info.name: way})


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_both_ends_of_each_range_can_be_set(node):
    for info in node.knobs().values():
        if info.kind in ("float", "int"):
            inside = (info.maximum - info.minimum) / 1000 if info.kind == "float" else 1
            low = info.minimum if info.minimum_allowed else info.minimum + inside
            high = info.maximum if info.maximum_allowed else info.maximum - inside
            assert getattr(node(**{info.name: low}), info.name) == low
            assert getattr(node(**{info.name: high}), info.name) == high
