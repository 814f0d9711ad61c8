"""Tensors that say they are on a GPU, and count what a GPU would be waited for. They compute on the CPU.

    with PretendedGpu() as gpu:
        ...
    gpu.waits           # what the host waited for, in the order it did

A host waits where a number or an array comes to it, where memory that the GPU cannot read by itself goes there, and
where the size of an answer is in the answer (nonzero). As on a GPU, operations on tensors of both places fail.
"""

from contextlib import contextmanager

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from hdrnodes import pixelwise

GPU = torch.device("meta")  # which torch has in every build, with nothing behind it
SIZE_IN_ANSWER = ("aten.nonzero", "masked_select", "unique", "aten.equal", "is_nonzero", "bincount")


NUMBERS = ("item", "tolist", "__float__", "__int__", "__bool__", "__index__")


class There(torch.Tensor):
    """A tensor of the pretended GPU; `here` has its numbers."""

    @staticmethod
    def __new__(cls, here):
        made = torch.Tensor._make_wrapper_subclass(
            cls, here.size(), strides=here.stride(), storage_offset=here.storage_offset(), dtype=here.dtype, device=GPU
        )
        made.here = here
        return made

    def __repr__(self, **_):
        return f"There({self.here!r})"

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if name in NUMBERS:
            PretendedGpu.active.waits.append(name)
            return function(args[0].here)
        if name in ("numpy", "__array__"):
            raise TypeError("a tensor on a GPU is no numpy array")
        with torch._C.DisableTorchFunctionSubclass():  # else what came to the host would be There in name
            return function(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        raise AssertionError(f"{operation} outside of a PretendedGpu")


class PretendedGpu(TorchDispatchMode):
    active = None

    def __init__(self):
        super().__init__()
        self.waits, self.operations = [], 0
        self._pinned = {}  # by address, with the tensors, so that no other comes to lie there

    def __enter__(self):
        self._patches = patched(self)
        self._patches.__enter__()
        PretendedGpu.active = self
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._patches.__exit__(*error)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = str(operation)
        tensors = []
        tree_map(lambda each: tensors.append(each) if isinstance(each, torch.Tensor) else None, (args, kwargs))
        there = [each for each in tensors if isinstance(each, There)]
        to = kwargs.get("device")
        goes_there = to is not None and torch.device(to).type == GPU.type
        if not there and not goes_there:
            return operation(*args, **kwargs)
        self.operations += 1
        copies = "aten._to_copy" in name or "aten.copy_" in name
        if copies:
            source, target = (args[0], goes_there) if "_to_copy" in name else (args[1], isinstance(args[0], There))
            if "_to_copy" in name and to is None:
                target = isinstance(source, There)
            self._copied(name, source, target, kwargs.get("non_blocking") or (len(args) > 2 and args[2]))
            there = [] if not target and "_to_copy" in name else [source]
        else:
            apart = [each for each in tensors if not isinstance(each, There) and each.ndim]
            assert not (there and apart), f"{name} of tensors in both places"
            assert there or not tensors, f"{name} takes what is here there"
            if "_local_scalar_dense" in name or any(word in name for word in SIZE_IN_ANSWER):
                self.waits.append(name)
            if "aten.index" in name and any(each.dtype == torch.bool for each in there[1:]):
                self.waits.append(f"{name} of a mask")
        if "device" in kwargs:
            kwargs["device"] = torch.device("cpu")
        kwargs.pop("pin_memory", None)
        args, kwargs = tree_map(lambda each: each.here if isinstance(each, There) else each, (args, kwargs))
        answer = operation(*args, **kwargs)
        if copies and not target:
            return answer
        if name.endswith("_.default") or "out" in kwargs:  # in place: the very tensor that was given
            return tensors[0]
        return tree_map(lambda each: There(each) if isinstance(each, torch.Tensor) else each, answer)

    def _copied(self, name, source, target, non_blocking):
        comes = isinstance(source, There)
        if comes and not target and not non_blocking:
            self.waits.append(f"{name} to the host: {tuple(source.shape)} {source.dtype}")
        if not comes and target and not (non_blocking and source.data_ptr() in self._pinned):
            self.waits.append(f"{name} of memory that the GPU cannot read by itself: {tuple(source.shape)}")


@contextmanager
def patched(gpu):
    """Pinned memory, which torch has with a real GPU alone."""
    empty, reads = torch.empty, pixelwise.READS_BY_ITSELF

    def empty_or_pinned(*size, pin_memory=False, **about):
        made = empty(*size, **about)
        if pin_memory:
            gpu._pinned[made.data_ptr()] = made
        return made

    torch.empty, pixelwise.READS_BY_ITSELF = empty_or_pinned, (GPU.type,)
    try:
        yield
    finally:
        torch.empty, pixelwise.READS_BY_ITSELF = empty, reads


def numbers(tensor):
    """A pretended tensor's numbers, as numpy has them."""
    return np.asarray(tensor.here)
