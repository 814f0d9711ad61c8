"""Whether half precision holds what a network computes: what overflows in it, and what is lost at the bottom.

The half network runs over pictures, beside the float32 one. Each operation of its trunk is computed in float32 from
half operands and rounded to half, as a GPU does it (torch's own half convolutions take a hundred times as long on a
CPU); what it was before it was rounded tells what was lost.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from hdrnodes.errors import ModelError
from hdrnodes.networks.base import StageNetwork

LARGEST = float(torch.finfo(torch.float16).max)  # 65504
SMALLEST = float(torch.finfo(torch.float16).tiny)  # 6.1e-5; below, half has fewer than its 11 bits
_log = logging.getLogger(__name__)


@dataclass
class Layer:
    """What one operation gave, over all pictures: its largest magnitude, and counts of values."""

    name: str
    largest: float = 0.0
    values: int = 0  # that are not zero in float32
    overflowed: int = 0  # that are infinite in half, or no number
    lost: int = 0  # that are zero or subnormal in half

    @property
    def lost_share(self) -> float:
        return self.lost / max(self.values, 1)


@dataclass(frozen=True)
class Audit:
    """What half precision does to a network.

    Attributes:
        layers: every operation of the trunk, in order; named by module and operation.
        overflowed_first: the layer where the first overflow happened, which others may only have passed on.
        rms, worst: how far the output lies from float32's, in its own units.
    """

    network: str
    layers: tuple[Layer, ...]
    overflowed_first: Layer | None
    rms: float
    worst: float

    @property
    def largest(self) -> Layer:
        return max(self.layers, key=lambda layer: layer.largest)

    @property
    def most_lost(self) -> Layer:
        return max(self.layers, key=lambda layer: layer.lost_share)

    def check(self) -> None:
        """Raise ModelError where something overflowed; log a warning where a doubled value would have."""
        if layer := self.overflowed_first:
            problem = (
                f"{layer.overflowed} values of layer {layer.name} overflow half precision, which ends at "
                f"{LARGEST:g} (the largest is {layer.largest:.4g})"
            )
            remedy = "train it on with weight decay, or take the layer out of `half_parts` of its class"
            raise ModelError(f"network {self.network}", problem, remedy)
        top = self.largest
        if top.largest > LARGEST / 2:
            said = "network %s: layer %s goes up to %.4g, and half precision to %g"
            _log.warning(said, self.network, top.name, top.largest, LARGEST)

    def record(self) -> dict[str, Any]:
        """For model.toml: the extremes, and the error."""
        return {
            "largest": float(f"{self.largest.largest:.4g}"),
            "largest_in": self.largest.name,
            "lost_share": float(f"{self.most_lost.lost_share:.3g}"),
            "lost_in": self.most_lost.name,
            "error_rms": float(f"{self.rms:.3g}"),
            "error_max": float(f"{self.worst:.3g}"),
        }


@torch.no_grad()
def audit(name: str, network: StageNetwork, half: StageNetwork, inputs: Sequence[Mapping[str, Tensor]]) -> Audit:
    """Compare a network with its half copy.

    Args:
        name: of the network, for messages.
        network: float32, in evaluation mode, with something in `half_parts`.
        half: what `half_precision` made of it.
        inputs: by name, one mapping a run.
    """
    ranges = Ranges()
    squares, count, worst = 0.0, 0, 0.0
    for given in inputs:
        expected = network(*given.values())
        with ranges.of(half):
            found = half(*given.values())
        # What is not finite any more tells in its layer.
        difference = torch.nan_to_num((found - expected).double())
        squares, count = squares + float(difference.square().sum()), count + difference.numel()
        worst = max(worst, float(difference.abs().max()))
    return Audit(name, tuple(ranges.layers.values()), ranges.overflowed_first, (squares / count) ** 0.5, worst)


class Ranges(TorchDispatchMode):
    """Computes what is half as a GPU would, and keeps what each operation gave."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch says no types here
        self.layers: dict[str, Layer] = {}
        self.overflowed_first: Layer | None = None
        self._within: list[str] = []  # names of the modules that compute just now, innermost last

    @contextmanager
    def of(self, network: nn.Module) -> Iterator[None]:
        """Within this, what the network computes is seen."""

        def leave(*_: object) -> None:
            self._within.pop()

        hooks = []
        for name, module in network.named_modules():
            hooks.append(module.register_forward_pre_hook(lambda *_, name=name: self._within.append(name)))
            hooks.append(module.register_forward_hook(leave))
        try:
            with self:
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default:
            given, answer = args[0], func(*args, **kwargs)
            if given.dtype == torch.float32 and answer.dtype == torch.float16:
                self._note(func, given, answer)
            return answer
        if not any(_is_half(leaf) for leaf in tree_leaves((args, kwargs))):
            return func(*args, **kwargs)
        exact = func(*tree_map(_widened, args), **tree_map(_widened, kwargs))
        return tree_map(lambda each: self._rounded(func, each), exact)

    def _rounded(self, func: Any, exact: Any) -> Any:
        if not isinstance(exact, Tensor) or exact.dtype != torch.float32:
            return exact
        answer = exact.half()
        self._note(func, exact, answer)
        return answer

    def _note(self, func: Any, exact: Tensor, rounded: Tensor) -> None:
        operation = func.overloadpacket.__name__.strip("_").replace("to_copy", "cast to half")
        name = ": ".join(filter(None, [self._within[-1], operation]))
        layer = self.layers.setdefault(name, Layer(name))
        layer.largest = max(layer.largest, float(exact.abs().nan_to_num(torch.inf).max()))
        layer.overflowed += int((~rounded.isfinite()).sum())
        if layer.overflowed and self.overflowed_first is None:
            self.overflowed_first = layer
        there = exact != 0
        layer.values += int(there.sum())
        layer.lost += int((there & (rounded.abs() < SMALLEST)).sum())


def _is_half(leaf: object) -> bool:
    return isinstance(leaf, Tensor) and leaf.dtype == torch.float16


def _widened(leaf: Any) -> Any:
    return leaf.float() if _is_half(leaf) else leaf
