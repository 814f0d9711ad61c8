"""Knobs: declared once, checked, described."""

import math
from typing import Literal

import pytest

from hdrnodes.errors import KnobError, PluginError
from hdrnodes.nodes.base import Knob, Node
from hdrnodes.nodes.knob_info import KnobInfo


class Glow(Node):
    """Light around light."""

    amount: float = Knob(0.5, ge=0, le=1, doc="How much.")
    falloff: float = Knob(2.0, gt=0, lt=8, unit="stops", doc="How fast it fades.")
    passes: int = Knob(1, ge=1, le=9, doc="How often.")
    shape: Literal["round", "star"] = Knob("round", doc="Of the light.")
    kernel: str = Knob("", file=True, doc="An image of the aperture.")
    seed: int | None = Knob(None, ge=0, le=99, doc="None takes the frame's number.")

    def process(self, inputs, context):
        return inputs["image"]


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"amount": 7}, "Glow.amount: 7 is not allowed; give a value from 0 to 1"),
        ({"amount": math.nan}, "Glow.amount: nan is not allowed; give a value from 0 to 1"),
        ({"falloff": 0}, "Glow.falloff: 0 is not allowed; give a value above 0, up to below 8"),
        ({"falloff": "wide"}, "Glow.falloff: 'wide' is not allowed; give a value above 0, up to below 8"),
        ({"passes": 1.5}, "Glow.passes: 1.5 is not allowed; give a whole number from 1 to 9"),
        ({"shape": "heart"}, "Glow.shape: 'heart' is not allowed; give one of round, star"),
        ({"seed": 100}, "Glow.seed: 100 is not allowed; give a whole number from 0 to 99, or nothing"),
        (
            {"fallof": 1},
            "Glow.fallof: there is no such knob; did you mean falloff? "
            "there are amount, falloff, passes, shape, kernel, seed",
        ),
    ],
)
def test_a_value_that_is_not_allowed_is_answered_with_node_knob_value_and_range(knobs, message):
    with pytest.raises(KnobError) as raised:
        Glow(**knobs)
    assert str(raised.value) == message


def test_values_from_a_command_line_are_understood():
    assert Glow(amount="0.25", passes="3", shape="star").model_dump() == {
        "amount": 0.25,
        "falloff": 2.0,
        "passes": 3,
        "shape": "star",
        "kernel": "",
        "seed": None,
    }


def test_a_knob_is_described_as_it_was_declared():
    knobs = Glow.knobs()
    assert list(knobs) == ["amount", "falloff", "passes", "shape", "kernel", "seed"]
    assert knobs["falloff"] == KnobInfo(
        "falloff",
        "float",
        2.0,
        "How fast it fades.",
        unit="stops",
        minimum=0,
        maximum=8,
        minimum_allowed=False,
        maximum_allowed=False,
    )
    assert (knobs["shape"].kind, knobs["shape"].choices) == ("choice", ("round", "star"))
    assert knobs["kernel"].kind == "file"
    assert (knobs["seed"].kind, knobs["seed"].nullable) == ("int", True)


def test_with_knobs_changes_a_copy_and_checks():
    glow = Glow(passes=2)
    assert glow.with_knobs(amount=1.0).model_dump() == {**glow.model_dump(), "amount": 1.0}
    assert glow.amount == 0.5
    with pytest.raises(KnobError, match="Glow.passes: 0 is not allowed"):
        glow.with_knobs(passes=0)


@pytest.mark.parametrize(
    ("annotation", "declared", "lacks"),
    [
        (float, lambda: Knob(0.5, doc="Half."), "a range"),
        (float, lambda: Knob(0.5, ge=0, doc="Half."), "a range"),
        (float, lambda: Knob(0.5, ge=0, le=1, doc=""), "a doc"),
        (float, lambda: 0.5, "a doc"),
        (str, lambda: Knob(..., doc="Any."), "a default"),
    ],
)
def test_a_declaration_that_lacks_something_is_refused(annotation, declared, lacks):
    with pytest.raises(PluginError, match=f"Vague.amount: is declared without {lacks}; see"):
        type("Vague", (Node,), {"__annotations__": {"amount": annotation}, "amount": declared()})


def test_a_default_outside_its_own_range_is_refused():
    with pytest.raises(KnobError, match="Loud.amount: 2 is not allowed; give a value from 0 to 1"):

        class Loud(Glow):
            amount: float = Knob(2, ge=0, le=1, doc="Too much.")


def test_a_node_without_process_cannot_be_made():
    class Idle(Node):
        """Does nothing."""

    with pytest.raises(TypeError, match="process"):
        Idle()
