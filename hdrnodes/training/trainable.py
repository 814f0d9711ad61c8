"""What must be known of a model to train and export it; `default_model` and `published_model` say it of theirs."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from torch import nn

from hdrnodes.networks.export import StageExport

STAGES = ("dequantize", "linearize", "hallucinate", "refine")
FIRST_THREE = STAGES[:3]
MODELS = {"default": "hdrnodes.training.default_model", "published": "hdrnodes.training.published_model"}


@dataclass(frozen=True)
class Trainable:
    """A model.

    Attributes:
        name: of the model, and of its recipe.
        version, licence, description: for its model folder, where whoever exports it says nothing else.
        make: a stage's network, untrained, which takes whole frames; by the stage's name.
        export: the parts of a stage's network, as they are exported.
    """

    name: str
    version: str
    licence: str
    description: str
    make: Callable[[str], nn.Module]
    export: Callable[[str, nn.Module], StageExport]


def trainable(name: str) -> Trainable:
    """One of MODELS."""
    found: Trainable = import_module(MODELS[name]).MODEL
    return found
