"""What the pixels on edges tell of the response: how far they lie between the two sides, level by level.

An edge runs through its pixel anywhere, so in scene-linear light the pixel is as likely to be near the one side as the
other: of many, the mean is the middle, and any share of the way is as frequent as any other. Behind the response they
crowd where it is flat. So, for each pair of levels that edges lie between, it is counted where their pixels are: how
many, their mean, and the two moments after it. Unlike `hdrnodes.camera.edges` this needs no colour, only many edges,
and unlike histograms of a picture it does not say how bright things are, but what lies between them.

An edge is five pixels in a row of one channel: two of one side, the one between, two of the other side. Sides are
never quite even; how even decides how surely the pixel between is the only one that the edge runs through, so edges
are counted under three limits. Lenses and resizing blur edges over more pixels, which shows in all three.

Sources: edges in grey pictures, and what their histograms say: Lin and Zhang, "Determining the Radiometric Response
Function from a Single Grayscale Image", CVPR 2005. The moments by levels are ours.
"""

from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from hdrnodes.camera.areas import areas
from hdrnodes.camera.constants import constant

Array = Any

LEVELS = 12  # of display values, evenly spaced
UNEVEN = (0.1, 0.2, 0.45)  # of the edge's height: what the two pixels of a side may differ by, beside one code
MOMENTS = 3
FEW, FEW_COUNTED = 20, 50  # edges, of which moments, and the count itself, tell half of what they might

# Between two codes each, so that no plate's value lies on a limit, where libraries might round apart.
LEAST_HEIGHT = 15.25 / 255
DARK, CLIPPED = 4.25 / 255, 249.75 / 255
CODE = 0.97 / 255
USUAL = 384 * 512  # pixels, of the plates in training; edges of larger ones are counted as if they had only so many
BEYOND = 0.1  # of the edge's height: how far the pixel between may lie outside

_PAIRS = tuple(lower * LEVELS + upper for lower in range(LEVELS) for upper in range(lower, LEVELS))
_BINS = len(UNEVEN) * LEVELS**2
COUNT = len(UNEVEN) * len(_PAIRS) * (1 + MOMENTS)
# Of a pixel that is anywhere between -1 and 1 alike.
_EVEN_MOMENTS = (0.0, 1 / 3, 0.0)


def transitions_by_level(display: Array) -> Array:
    """Where the pixels on edges lie between the sides, for each pair of levels.

    Args:
        display: N x 3 x H x W float32, display-referred, 0..1, before any averaging of pixels.

    Returns:
        N x COUNT float32, -1..1 or so: how many there are for each limit of UNEVEN and each pair of levels, the lower
        first, then by how much each moment differs from that of an even spread. Where there are none: 0.
    """
    xp = array_namespace(display)
    display = areas(display)
    if _takes_edges_out(display):
        sums = xp.concat([_sums_of(display[at : at + 1]) for at in range(display.shape[0])], axis=0)
    else:
        sums = _sums_of(display)
    sums = sums * min(1.0, USUAL / max(1, display.shape[-2] * display.shape[-1]))
    sums = xp.reshape(sums, (-1, 1 + MOMENTS, len(UNEVEN), LEVELS**2))[..., constant(display, np.array, _PAIRS)]
    sums = xp.cumulative_sum(sums, axis=2)  # who meets a narrow limit meets a wide one
    count = sums[:, :1]
    told = [count / (count + FEW_COUNTED)]
    for moment, even in enumerate(_EVEN_MOMENTS, start=1):
        told.append((sums[:, moment : moment + 1] - even * count) / (count + FEW))
    return xp.astype(xp.reshape(xp.concat(told, axis=1), (-1, COUNT)), display.dtype)


def _takes_edges_out(display: Array) -> bool:
    """To take out what may be edges saves a CPU nine tenths of the work; a GPU would wait for their number."""
    return not is_torch_array(display) or display.device.type == "cpu"


def _sums_of(display: Array) -> Array:
    """N x (1 + MOMENTS) x _BINS float64: counts, then sums of powers."""
    down, across = (_edges(_five(display, axis)) for axis in (-2, -1))
    return _added_up(*down) + _added_up(*across)


def _five(display: Array, axis: int) -> list[Array]:
    """Five neighbours each, N x P; of pictures that come one by one, perhaps only those that may be edges."""
    xp = array_namespace(display)
    length = max(display.shape[axis] - 4, 0)
    five = [display[..., at : at + length, :] if axis == -2 else display[..., at : at + length] for at in range(5)]
    if not _takes_edges_out(display):
        return [xp.reshape(each, (display.shape[0], -1)) for each in five]
    edge = xp.abs(five[0] + five[1] - five[3] - five[4]) > 2 * LEAST_HEIGHT
    return [each[edge][None] for each in five]


def _edges(five: list[Array]) -> tuple[Array, Array, Array]:
    """Of rows of five: the bin; where the middle one lies, -1..1 from lower to upper side; 1 for edges, else 0."""
    xp = array_namespace(*five)
    before, after = (five[0] + five[1]) / 2, (five[3] + five[4]) / 2
    lower, upper = xp.minimum(before, after), xp.maximum(before, after)
    height, middle = upper - lower, five[2]
    uneven = xp.maximum(xp.abs(five[0] - five[1]), xp.abs(five[3] - five[4])) - CODE
    slack = BEYOND * height + CODE
    good = (
        (height > LEAST_HEIGHT)
        & (uneven < UNEVEN[-1] * height)
        & (lower > DARK)
        & (upper < CLIPPED)
        & (middle > lower - slack)
        & (middle < upper + slack)
    )
    limit = sum(xp.astype(uneven >= share * height, xp.int64) for share in UNEVEN[:-1])
    index = limit * LEVELS**2 + _level(lower) * LEVELS + _level(upper)
    return index, 2 * (middle - lower) / (height + 1 / 255) - 1, xp.astype(good, middle.dtype)


def _level(display: Array) -> Array:
    xp = array_namespace(display)
    # Three of the bounds are codes: a little further, all libraries round alike.
    return xp.clip(xp.astype(display * (LEVELS * 255 / 256) + 1e-4, xp.int64), 0, LEVELS - 1)


def _added_up(index: Array, place: Array, good: Array) -> Array:
    powers = [good]
    for _ in range(MOMENTS):
        powers.append(powers[-1] * place)
    if not is_torch_array(index):
        return np.stack([np.bincount(index[0], power[0], minlength=_BINS) for power in powers])[None]
    import torch

    sums = torch.zeros(len(index), len(powers), _BINS, dtype=torch.float64, device=index.device)
    for at, power in enumerate(powers):
        sums[:, at].scatter_add_(1, index, power.double())
    return sums
