"""What a network's activations need while it runs, for the runtime to choose the size of tiles by."""

import weakref
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hdrnodes.networks.base import StageNetwork

SIDE = 256  # pixels; what is needed grows with the pixels, to 3 % from here on (measured)


def bytes_per_pixel(network: StageNetwork) -> float:
    """The most that activations take at a time for each pixel of the input; inputs and weights not counted.

    Args:
        network: float32, on the CPU.
    """
    examples = network.example_inputs()
    first = next(iter(examples.values()))
    given = [
        torch.rand(1, each.shape[1], SIDE, SIDE) if each.shape == first.shape else each[:1]
        for each in examples.values()
    ]
    with torch.inference_mode(), _Alive() as alive:
        network(*given)
    return float(alive.most / SIDE**2)


class _Alive(TorchDispatchMode):
    """Counts the bytes of tensors between their making and their end."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch says no types here
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = function(*args, **(kwargs or {}))
        for each in tree_leaves(answer):
            if isinstance(each, Tensor):
                self._count(each.untyped_storage())
        return answer

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:  # a view
            return
        self._known.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._end, key, size)

    def _end(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size
