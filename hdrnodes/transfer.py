"""Pixels from other libraries' arrays, and to and from a GPU. Codes travel as such: k / 255 is made where they go.

In the CPU's memory pixels are numpy's; on a GPU, torch's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, is_numpy_array, is_torch_array

from hdrnodes.camera.constants import constant
from hdrnodes.pixelwise import band_by_band, pixelwise, sent

Array = Any
Device = Any  # torch's: "cuda", "cuda:1", torch.device("cuda", 1)

CODES = {"uint8": 8, "uint16": 16}  # types of code values, and their bits
HALF_MAX = 65504.0
_IN_CPU_MEMORY = (1, 3)  # DLPack's kDLCPU, kDLCUDAHost


def adopted(array: Any) -> Array:
    """A numpy array of what lies in the CPU's memory, a torch tensor of what lies on a GPU; sharing its memory.

    Takes torch tensors (which stay such), whatever has `__dlpack__` or `__cuda_array_interface__`, and all that numpy
    makes an array of.
    """
    if is_torch_array(array):
        return array.detach()
    if is_numpy_array(array):
        return array
    if hasattr(array, "__dlpack__") and hasattr(array, "__dlpack_device__"):
        if array.__dlpack_device__()[0] in _IN_CPU_MEMORY:
            return np.from_dlpack(array)
        from torch.utils.dlpack import from_dlpack

        return from_dlpack(array)
    if hasattr(array, "__cuda_array_interface__"):
        import torch

        return torch.as_tensor(array, device="cuda")
    return np.asarray(array)


def type_of(array: Array) -> str:
    """The name of an array's type, in any library.

    >>> type_of(np.zeros(1, np.uint16))
    'uint16'
    """
    return str(array.dtype).rpartition(".")[2]


def of_codes(codes: Array) -> Array:
    """Code values, uint8 or uint16, as float32 0..1: k / 255, k / 65535, rounded once, on a GPU too."""
    top = 2 ** CODES[type_of(codes)] - 1

    def light(codes: Array) -> Array:
        xp = array_namespace(codes)
        # Divided by a number of Python's, torch would multiply by the inverse on a GPU, which rounds twice.
        return xp.astype(codes, xp.float32) / constant(codes, np.float32, top)

    return pixelwise(light, codes)


def uploaded(pixels: npt.NDArray[np.float32], device: Device, bits: int | None) -> tuple[Array, bool]:
    """Pixels as a torch tensor on a device; those of an 8-bit plate travel as its codes if they still are that, which
    is told besides."""
    codes = _codes_of(pixels) if bits == 8 else None
    return (moved(pixels, device), False) if codes is None else (of_codes(moved(codes, device)), True)


def moved(array: Array, device: Device) -> Array:
    """An array as a torch tensor on a device; it shares the memory of what is there already."""
    return array.to(device) if is_torch_array(array) else sent(array, device)


def _codes_of(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8] | None:
    """The codes k of pixels that all are k / 255; else None, found out as soon as one is not."""

    def codes_of(pixels: Array) -> Array:
        with np.errstate(invalid="ignore"):  # of NaN, which equals no code
            return np.rint(pixels * np.float32(255)).clip(0, 255).astype(np.uint8)

    def are(codes: Array, pixels: Array) -> bool:
        return np.array_equal(codes.astype(np.float32) / np.float32(255), pixels)

    few = pixels[:: max(1, len(pixels) // 8), :256]
    if not are(codes_of(few), few):
        return None
    codes: npt.NDArray[np.uint8] = pixelwise(codes_of, pixels)
    return codes if all(band_by_band(are, codes, pixels)) else None


def downloaded(pixels: Array) -> npt.NDArray[np.float32]:
    """The pixels of a torch tensor as a numpy array, float32."""
    if pixels.device.type == "cpu":
        return np.asarray(pixels)
    (host,) = _brought(pixels)
    return host


def halves(pixels: Array) -> tuple[npt.NDArray[np.float16], int]:
    """The pixels of a torch tensor as a numpy array of half floats, as which they travel.

    Returns:
        H x W x C, rounded once; -65504 or 65504 for what is beyond. How many values were that.
    """
    beyond = (pixels.abs() > HALF_MAX).sum()
    host, count = _brought(pixels.clamp(-HALF_MAX, HALF_MAX).half(), beyond)
    return host, int(count)


def _brought(*arrays: Array) -> list[npt.NDArray[Any]]:
    """Torch tensors as numpy arrays; a GPU is waited for once."""
    import torch

    hosts = [torch.empty(each.shape, dtype=each.dtype, pin_memory=each.is_cuda) for each in arrays]
    *first, last = zip(hosts, arrays, strict=True)
    for host, each in first:
        host.copy_(each, non_blocking=True)
    # What is asked of a GPU happens in order: with the last all are here.
    last[0].copy_(last[1])
    return [host.numpy() for host in hosts]
