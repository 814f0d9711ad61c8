"""What every stage network tells of itself, to be exported, and built again from a model folder."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn


class StageNetwork(nn.Module, ABC):
    """A network with named inputs and one named output, float32 NCHW (vectors may come besides).

    Height and width of every 4-D input are free; the ONNX calls them height_<input> and width_<input>.
    Inputs named in `same_size` always have one size between them, the first one's.
    """

    output: ClassVar[str]
    same_size: ClassVar[tuple[str, ...]] = ()

    @property
    def config(self) -> dict[str, Any]:
        """Keyword arguments that make this network again; plain values that TOML can hold."""
        return {}

    @abstractmethod
    def example_inputs(self) -> dict[str, Tensor]:
        """Inputs that forward accepts, by name, in its order; any values, batch 1."""
