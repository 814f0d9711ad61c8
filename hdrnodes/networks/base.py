"""What every stage network tells of itself, to be exported, and built again from a model folder."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn


class StageNetwork(nn.Module, ABC):
    """A network with named inputs and one named output, float32, N x C x H x W (N x C may come besides).

    N, height and width of every input are free. The ONNX calls N batch, and it is one for all inputs: with a batch of
    tiles go N windows and N contexts, which of tiles of one frame are the same (an expanded view costs nothing). It
    calls sizes height_<input> and width_<input>; inputs named in `same_size` have one size between them, the first's.

    Parts named in `half_parts` may be half precision while all else stays float32 (`hdrnodes.networks.half`); `forward`
    takes pixels to them by `as_trunk`, and back by `in_float32`. Where nothing is half, neither does anything.
    """

    output: ClassVar[str]
    same_size: ClassVar[tuple[str, ...]] = ()
    half_parts: ClassVar[tuple[str, ...]] = ()

    @property
    def config(self) -> dict[str, Any]:
        """Keyword arguments that make this network again; plain values that TOML can hold."""
        return {}

    @abstractmethod
    def example_inputs(self) -> dict[str, Tensor]:
        """Inputs that forward accepts, by name, in its order; any values, batch 1."""

    def as_trunk(self, x: Tensor) -> Tensor:
        """In the precision of the trunk's weights."""
        return x.to(next(self.get_submodule(self.half_parts[0]).parameters()).dtype)

    def make_ready_for_half(self) -> None:
        """Rewrite the weights of this, a copy in float32, so that none of its values will leave half's range."""


def in_float32(x: Tensor) -> Tensor:
    """Half becomes float32. The bfloat16 of training's autocast stays as it is: it was trained so."""
    return x.float() if x.dtype == torch.float16 else x
