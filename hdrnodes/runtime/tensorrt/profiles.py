"""Optimisation profiles: ranges of sizes, each with kernels that are best for one size in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hdrnodes.models import Network

Shape = tuple[int, ...]
Range = tuple[Shape, Shape, Shape]  # least, best, most

# Of the whole frame's map that a stage looks up; `default` has 160 samples on the longer side at the most.
CONTEXT = (1, 96, 1024)


@dataclass(frozen=True)
class Profile:
    """What a plan is good for: up to `most_tiles` tiles at a time, each up to `most` pixels high and wide.

    `best` (tiles, height, width) is what its kernels are chosen for; any size from one pixel on runs.
    """

    name: str
    best: tuple[int, int, int]
    most: int
    most_tiles: int = 1


PREVIEW = Profile("preview", (1, 384, 512), 1024)
HD = Profile("HD", (1, 1080, 1920), 2048)
UHD = Profile("UHD", (1, 2160, 3840), 4096)
TILES = Profile("tiles", (4, 1536, 1536), 2048, most_tiles=16)
FRAMES = (PREVIEW, HD, UHD, TILES)
WHOLE_FRAME = (PREVIEW, UHD)  # of networks that are fed whole frames, made small as a rule


def profiles_of(network: Network) -> tuple[Profile, ...]:
    """The profiles that a plan of a network has, smallest first."""
    return WHOLE_FRAME if network.sees_whole_frame else FRAMES


def range_of(profile: Profile, name: str, shape: Sequence[int]) -> Range | None:
    """The least, best and most an input may be, in a profile; None where nothing of it is free.

    Args:
        name: of the input; "context" is a map of the whole frame, all others are pixels or vectors.
        shape: of the input, -1 where it is free: N x C x H x W, or N x C.
    """
    if -1 not in shape:
        return None
    tiles, height, width = profile.best
    sizes = (CONTEXT,) * 2 if name == "context" else ((1, height, profile.most), (1, width, profile.most))
    free = ((1, tiles, profile.most_tiles), (0, 0, 0), *sizes)  # channels are never free
    found = [free[axis] if size == -1 else (size,) * 3 for axis, size in enumerate(shape)]
    least, best, most = (tuple(each[k] for each in found) for k in range(3))
    return least, best, most


def profile_for(ranges: Sequence[Mapping[str, Range]], shapes: Mapping[str, Shape]) -> int | None:
    """The first profile whose ranges hold the shapes of all inputs; None where none does."""
    for index, allowed in enumerate(ranges):
        if all(_holds(allowed[name], shape) for name, shape in shapes.items()):
            return index
    return None


def _holds(allowed: Range, shape: Shape) -> bool:
    least, _, most = allowed
    return len(shape) == len(least) and all(a <= b <= c for a, b, c in zip(least, shape, most, strict=True))
