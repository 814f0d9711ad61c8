"""What is kept ready for each shape of inputs: buffers of its own, and a way to run the network on them.

Tiles of a shot come in a few shapes and batches, over and over. What starts a network's kernels one by one spends more
time on that than the GPU on small tiles; recorded once for a shape, they start all together.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Replay = Callable[[], Tensor]


class Buckets:
    """Runs a network; from the second time on that inputs of some shapes come, by what is kept for those.

    Args:
        network: takes tensors, and gives one.
        record: is given the buffers of a bucket, and gives what runs the network on whatever then is in them. The
            tensor that it gives is written to again by the next replay.
        most: buckets kept; the one that was not asked for longest goes.
    """

    def __init__(
        self, network: Callable[..., Tensor], record: Callable[[Sequence[Tensor]], Replay], most: int = 8
    ) -> None:
        self._network, self._record, self._most = network, record, most
        self._kept: OrderedDict[tuple[torch.Size, ...], _Bucket | None] = OrderedDict()  # None: came once

    def __len__(self) -> int:
        """How many shapes are kept ready."""
        return sum(bucket is not None for bucket in self._kept.values())

    def run(self, inputs: Sequence[Tensor]) -> Tensor:
        """The network's output; it is only good until the next run."""
        shapes = tuple(each.shape for each in inputs)
        if shapes not in self._kept:
            self._kept[shapes] = None
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return self._network(*(channels_last(each) for each in inputs))
        bucket = self._kept[shapes]
        if bucket is None:
            bucket = _Bucket(inputs, self._record)
            self._kept[shapes] = bucket
        self._kept.move_to_end(shapes)
        return bucket.run(inputs)

    def clear(self) -> None:
        """Let go of all that is kept."""
        self._kept.clear()


class _Bucket:
    def __init__(self, inputs: Sequence[Tensor], record: Callable[[Sequence[Tensor]], Replay]) -> None:
        self._buffers = [torch.empty_like(each, memory_format=_layout(each)) for each in inputs]
        self._fill(inputs)  # what is recorded is run once or twice: on numbers, not on what lay in memory
        self._replay = record(self._buffers)

    def run(self, inputs: Sequence[Tensor]) -> Tensor:
        self._fill(inputs)
        return self._replay()

    def _fill(self, inputs: Sequence[Tensor]) -> None:
        for buffer, given in zip(self._buffers, inputs, strict=True):
            buffer.copy_(given, non_blocking=True)


def channels_last(tensor: Tensor) -> Tensor:
    """Pixel by pixel in memory, as pictures lie there; without a copy where it lies so already."""
    return tensor.contiguous(memory_format=_layout(tensor))


def _layout(tensor: Tensor) -> torch.memory_format:
    return torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
