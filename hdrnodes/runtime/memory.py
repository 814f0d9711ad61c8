"""How large tiles may be: what networks take for each pixel, and how much memory there is.

Executors keep what a network's activations take for the next tile, so that all networks of a model add up. Networks say
what their activations need (`models.Network.bytes_per_pixel`); beside it executors hold inputs, outputs, and copies in
other layouts: openvino takes 1.1 to 1.7 times as much, torch on a CPU 1.0 to 1.7 (`benchmarks/memory.py`).
"""

from __future__ import annotations

import math

from hdrnodes import frames
from hdrnodes.models import Model, Network
from hdrnodes.runtime.tiles import least_tile

WITH_COPIES = 1.7
LARGEST = 2048  # pixels: beyond, a tile saves little halo, and no time for each pixel (measured on a CPU)
LARGEST_WHOLE = 4096  # pixels: of a frame that a GPU takes in one piece
STEP = 64  # pixels between sizes, so that a few megabytes more or less make no other tiles


def tile_size(model: Model, memory: int, height: int, width: int, on_device: bool, side_by_side: int = 1) -> int:
    """The longest side of tiles, pixels, with which a job stays within so many bytes; 0 where none is small enough.

    Args:
        memory: for frames, all networks, and all else.
        height, width: of the frames.
        on_device: whether frames are in a GPU's memory, and `memory` is what that has.
        side_by_side: how many runs of a network there may be at once, each on tiles of its own.
    """
    side = math.isqrt(_pixels(model, memory, height, width, on_device, side_by_side))
    if on_device and LARGEST_WHOLE >= max(height, width) <= side:
        return LARGEST_WHOLE
    return min(side - side % STEP, LARGEST)


def tiles_at_once(model: Model, memory: int, height: int, width: int, tile_pixels: int) -> int:
    """For how many tiles of so many pixels a GPU has room."""
    return max(1, _pixels(model, memory, height, width, on_device=True) // tile_pixels)


def _pixels(model: Model, memory: int, height: int, width: int, on_device: bool, side_by_side: int = 1) -> int:
    """How many pixels each of the runs of networks that there are at once can be fed."""
    frame = 3 * 4 * height * width
    taken = frames.AT_ONCE * frame if on_device else frames.PROCESS + frames.in_memory(frame, memory)
    room = (memory - taken) / side_by_side - _whole_frame_bytes(model, height, width)
    return max(0, int(room / _tiled_bytes(model)))


def most_side_by_side(model: Model, memory: int) -> int:
    """How many runs of a network there may be at once, at most: so many that tiles as small as halos allow stay within
    so many bytes, beside frames of any size."""
    room = (memory - frames.PROCESS) / 2  # frames lie in files before they take the other half
    return max(1, int(room / _least_of_networks(model)))


def least_memory(model: Model) -> int:
    """Bytes that a job with this model takes at least: frames in scratch files, tiles as small as halos allow."""
    return frames.PROCESS + _least_of_networks(model)


def _least_of_networks(model: Model) -> int:
    tiles = sum(
        bytes_per_pixel(network) * least_tile(stage.halo, stage.multiple) ** 2
        for stage in model.stages.values()
        for network in stage.networks.values()
        if not network.sees_whole_frame
    )
    return int(tiles) + _whole_frame_bytes(model, 0, 0)


def bytes_per_pixel(network: Network) -> float:
    """What an executor takes for each pixel that it feeds a network."""
    return WITH_COPIES * network.bytes_per_pixel


def _tiled_bytes(model: Model) -> float:
    """For each pixel of a tile, of all networks that are fed tiles."""
    return sum(bytes_per_pixel(network) for network in model.networks() if not network.sees_whole_frame) or 1.0


def _whole_frame_bytes(model: Model, height: int, width: int) -> int:
    """Of the networks that see the whole frame, reduced as a rule."""
    total = 0.0
    for stage in model.stages.values():
        pixels = stage.overview**2 or height * width
        for network in stage.networks.values():
            if network.sees_whole_frame:
                total += bytes_per_pixel(network) * pixels
    return int(total)
