"""What edges tell of the response: across an edge light mixes linearly, but only before the response.

Three pixels in a row, the middle one on the edge between two surfaces: in scene-linear light its colour lies on the
straight line between the colours of the other two; behind the response that line is bent. Of all curves

    mean + weights . directions                     `hdrnodes.camera.basis`

the likeliest is found that makes such lines straight: Gauss-Newton steps on the distance of the middle pixel from its
line, measured in display values, where rounding and noise are alike at all levels; weights are as large as those of
measured responses. Nothing is learned, so no scene can be mistaken for a camera.

Grey edges say nothing here: any rising curve keeps a grey between two greys. Source of the idea: Lin, Gu, Yamazaki and
Shum, "Radiometric Calibration from a Single Image", CVPR 2004; the estimate is ours.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from hdrnodes.camera.areas import areas
from hdrnodes.camera.basis import DIRECTIONS, response_basis
from hdrnodes.camera.constants import constant

Array = Any

# How far the outer pixels stand from the middle one, and how many of the strongest edges are taken. The strongest
# alone are surest that only two surfaces meet; more of them hold less noise.
LOOKS = ((1, 300), (1, 1000), (2, 1000), (3, 1000))
COUNT = len(LOOKS) * 2 * DIRECTIONS
BAND = 1 << 16  # pixels that are looked at at a time, so that what is made on the way stays in a core's cache
SPARSE = 16  # every so many rows say how much contrast the strongest edges have, or so

STEPS = 4
CLIPPED, DARK = 0.985, 0.015  # display values that may have been cut off
WITHIN = 0.12  # of the way from one side to the other: how far from both the middle pixel must be
OFF_LINE = 0.3  # of the edge's length; a middle pixel farther from the line is a third surface
LEAST_CONTRAST = 0.03  # between the channels' steps, display values
NOISE, OTHER = 0.004, 0.01  # of a display value; of the edge's length, what is not two surfaces
CORRELATED = 100.0  # neighbouring edges repeat one another: this many count as one against what is usual
LEAST_SLOPE = 0.02


def edge_evidence(display: Array) -> Array:
    """What the colour edges of pictures say of the inverse response.

    Args:
        display: N x 3 x H x W float32, display-referred, 0..1, before any averaging of pixels.

    Returns:
        N x COUNT float32: for each of LOOKS the weights of the likeliest curve, in units of their usual size, then
        how uncertain each still is, 1 where nothing was learned of it. A picture without colour edges gives zeros
        and ones.
    """
    xp = array_namespace(display)
    display = areas(display)
    most = max(count for _, count in LOOKS)
    looks = []
    for distance, of_distance in groupby(LOOKS, lambda look: look[0]):
        sides = _strongest_edges(display, distance, most)
        strongest_first = constant(display, np.arange, most)
        for _, count in of_distance:
            *pixels, is_edge = sides
            looks.append((*pixels, is_edge * xp.astype(strongest_first < count, is_edge.dtype)))
    # All at once: a GPU is told of few operations on many numbers sooner than of many on few.
    found = _likeliest(*(xp.concat(each, axis=0) for each in zip(*looks, strict=True)))
    return xp.reshape(xp.moveaxis(xp.reshape(found, (len(LOOKS), display.shape[0], -1)), 0, 1), (-1, COUNT))


def _strongest_edges(display: Array, distance: int, count: int) -> tuple[Array, Array, Array, Array]:
    """First, middle and last pixel of each, N x 3 x count, the strongest first; N x count, 1 if it is one, or 0."""
    xp = array_namespace(display)
    if is_torch_array(display):
        return _strongest_of(_all_triples(display, distance), count)
    found = [_strongest_of(_telling_triples(picture, distance, count), count) for picture in display]
    first, middle, last, is_edge = (xp.concat(each, axis=0) for each in zip(*found, strict=True))
    return first, middle, last, is_edge


def _strongest_of(triples: Sequence[Array], count: int) -> tuple[Array, Array, Array, Array]:
    """The same of triples, N x 3 x P each; 0 where there are less."""
    xp = array_namespace(*triples)
    strength = _strength(*triples)
    n, there = strength.shape
    chosen = _largest(strength, min(count, there))
    index = xp.broadcast_to(chosen[:, None], (n, 3, chosen.shape[1]))
    is_edge = xp.astype(xp.take_along_axis(strength, chosen, axis=1) > LEAST_CONTRAST, strength.dtype)
    sides = [*(xp.take_along_axis(each, index, axis=2) for each in triples), is_edge]
    if there < count:
        missing = [(*each.shape[:-1], count - there) for each in sides]
        zeros = [xp.zeros(shape, dtype=strength.dtype, device=device(strength)) for shape in missing]
        sides = [xp.concat(pair, axis=-1) for pair in zip(sides, zeros, strict=True)]
    first, middle, last, is_edge = sides
    return first, middle, last, is_edge


def _all_triples(display: Array, distance: int) -> list[Array]:
    """First, middle and last pixels, N x 3 x P each: those of columns, then those of rows."""
    xp = array_namespace(display)
    shape = (*display.shape[:2], -1)
    return [
        xp.concat([xp.reshape(each[at], shape) for each in _stretches(display, distance)], axis=2) for at in range(3)
    ]


def _stretches(display: Array, distance: int) -> list[list[Array]]:
    """Down and across: all first pixels, all middle ones, all last ones; ... x h x w each, nothing in short ones."""
    rows, columns = display.shape[-2:]
    down, across = max(rows - 2 * distance, 0), max(columns - 2 * distance, 0)
    steps = (0, distance, 2 * distance)
    return [
        [display[..., at : at + down, :] for at in steps],
        [display[..., at : at + across] for at in steps],
    ]


def _telling_triples(picture: Array, distance: int, count: int) -> list[Array]:
    """Of one picture, 3 x H x W, triples among which are the `count` strongest edges; 1 x 3 x P each.

    All are asked for their contrast; whether they are edges, from those with most of it down, until there are enough.
    """
    stretches = _stretches(np.ascontiguousarray(picture), distance)
    contrasts = [_contrasts(first, last) for first, _, last in stretches]
    sample = np.concatenate([contrast[::SPARSE].ravel() for contrast in contrasts])
    found: list[list[Array]] = [[np.zeros((3, 0), np.float32)] for _ in range(3)]
    below, rank, there = np.inf, count, 0
    while there < count and below > LEAST_CONTRAST:
        above = float(np.partition(sample, -rank)[-rank]) if rank < sample.size else 0.0
        above, rank = max(above, LEAST_CONTRAST), 4 * rank
        for stretch, contrast in zip(stretches, contrasts, strict=True):
            for edges in _edges(stretch, contrast, above, below):
                there += edges[0].shape[1]
                for kept, each in zip(found, edges, strict=True):
                    kept.append(each)
        below = above
    return [np.concatenate(each, axis=1)[None] for each in found]


def _contrasts(first: Array, last: Array) -> Array:
    contrast = np.empty(first.shape[1:], np.float32)
    for rows in _bands(contrast):
        contrast[rows] = _contrast(first[:, rows], last[:, rows])
    return contrast


def _edges(stretch: Sequence[Array], contrast: Array, above: float, below: float) -> Iterator[list[Array]]:
    """First, middle and last pixels of edges whose contrast lies between, row by row; 3 x P each."""
    for rows in _bands(contrast):
        band = [each[:, rows] for each in stretch]
        wanted = (contrast[rows] > above) & (contrast[rows] <= below)
        many = np.count_nonzero(wanted) > wanted.size // 8
        if many:  # to look at all is quicker than to take them out
            wanted &= _strength(*(each[None].reshape(1, 3, -1) for each in band)).reshape(wanted.shape) > 0
        triples = [each[:, wanted] for each in band]
        if not many:
            is_edge = _strength(*(each[None] for each in triples))[0] > 0
            triples = [each[:, is_edge] for each in triples]
        yield triples


def _bands(pixels: Array) -> Iterator[slice]:
    rows, columns = pixels.shape
    for first in range(0, rows if columns else 0, step := max(1, BAND // max(columns, 1))):
        yield slice(first, min(first + step, rows))


def _contrast(first: Array, last: Array) -> Array:
    """How unlike the channels' steps are: 3 x ... -> ..."""
    xp = array_namespace(first)
    red, green, blue = (last[at] - first[at] for at in range(3))
    return xp.maximum(xp.maximum(red, green), blue) - xp.minimum(xp.minimum(red, green), blue)


def _strength(first: Array, middle: Array, last: Array) -> Array:
    """The contrast, N x P; 0 for what is no edge between two surfaces, or was cut off."""
    xp = array_namespace(first)
    step, rise = last - first, middle - first
    length = xp.clip(xp.sum(step * step, axis=1), 1e-9, None)
    along = xp.sum(rise * step, axis=1) / length
    off = xp.clip(xp.sum(rise * rise, axis=1) - along**2 * length, 0.0, None)
    highest = xp.max(xp.maximum(xp.maximum(first, middle), last), axis=1)
    lowest = xp.min(xp.minimum(xp.minimum(first, middle), last), axis=1)
    good = (
        (highest < CLIPPED) & (lowest > DARK) & (along > WITHIN) & (along < 1 - WITHIN) & (off < OFF_LINE**2 * length)
    )
    contrast = _contrast(xp.moveaxis(first, 1, 0), xp.moveaxis(last, 1, 0))
    return xp.where(good, contrast, xp.zeros_like(contrast))


def _largest(values: Array, count: int) -> Array:
    """Places of the `count` largest of each row, the largest first; of equal ones, the first."""
    if is_torch_array(values):
        import torch

        # Whole numbers that rise as the values do, and fall with the place: topk alone takes any of equal ones.
        bits = values.float().view(torch.int32).long()
        last = values.shape[1] - 1
        keys = (bits << 31) | (last - torch.arange(last + 1, device=values.device))
        return last - (keys.topk(count, dim=1).values & (2**31 - 1))
    return np.argsort(-values, axis=1, kind="stable")[:, :count]


def _likeliest(first: Array, middle: Array, last: Array, is_edge: Array) -> Array:
    """Weights and what is left of their uncertainty, N x 22, from N x 3 x P edges."""
    xp = array_namespace(first)
    basis = {name: constant(first, _table, name) for name in _tables()}
    places = [_place(each) for each in (first, middle, last)]
    fixed = [_look_up(basis["mean"], *place) for place in places]  # N x 3 x P
    moved = [_look_up(basis["directions"], *place) for place in places]  # 11 x N x 3 x P
    fixed_slopes = [_look_up(basis["mean_slope"], *place) for place in places]
    slopes = [_look_up(basis["direction_slopes"], *place) for place in places]
    step = last - first
    length = xp.sum(step * step, axis=1)
    prior = CORRELATED / basis["spread"] ** 2
    weights = xp.zeros((first.shape[0], DIRECTIONS), dtype=first.dtype, device=device(first))
    for _ in range(STEPS):

        def through(constant: Array, varying: Array, weights: Array = weights) -> Array:
            return constant + xp.einsum("nk,kncp->ncp", weights, varying)

        a, b, c = (through(*each) for each in zip(fixed, moved, strict=True))
        slope_a, slope_b, slope_c = (
            xp.clip(through(*each), LEAST_SLOPE, None) for each in zip(fixed_slopes, slopes, strict=True)
        )
        line, rise = c - a, b - a
        squared = xp.clip(xp.sum(line * line, axis=1, keepdims=True), 1e-10, None)
        t = xp.clip(xp.sum(rise * line, axis=1, keepdims=True) / squared, 0.0, 1.0)
        along = line / xp.sqrt(squared)

        def off_line(linear: Array, along: Array = along) -> Array:
            return linear - along * xp.sum(linear * along, axis=-2, keepdims=True)

        off = off_line(rise - t * line) / slope_b  # display values
        # The line's own parameter is refitted with every curve, so only what leaves the line counts (variable
        # projection); dividing by the slope, a curve gains nothing by being flat.
        derivative = off_line(moved[1] - (1 - t) * moved[0] - t * moved[2]) / slope_b - off * slopes[1] / slope_b
        variance = NOISE**2 * (1 + ((1 - t) * slope_a / slope_b) ** 2 + (t * slope_c / slope_b) ** 2)
        variance = variance + (OTHER**2 * length * (t * (1 - t))[:, 0])[:, None]
        strange = xp.sum(off * off, axis=1, keepdims=True) / (9 * xp.mean(variance, axis=1, keepdims=True))
        certainty = is_edge[:, None] / (variance * (1 + strange))  # Cauchy's: a few bad edges do not decide
        curvature = xp.einsum("kncp,ncp,lncp->nkl", derivative, certainty, derivative)
        gradient = xp.einsum("kncp,ncp->nk", derivative, certainty * off)
        at = xp.einsum("nkl,nl->nk", curvature, weights) - gradient
        # In float64: some curves cannot be told apart by these edges, and are held by what is usual alone.
        information = xp.astype(
            curvature + xp.eye(DIRECTIONS, dtype=first.dtype, device=device(first)) * prior, xp.float64
        )
        weights = xp.astype(_solve(information, xp.astype(at[..., None], xp.float64))[..., 0], first.dtype)
    left = xp.astype(xp.linalg.diagonal(_inverse(information)), first.dtype)
    uncertain = xp.sqrt(xp.clip(left * prior, 0.0, 1.0))
    return xp.concat([xp.clip(weights / basis["spread"], -6.0, 6.0), uncertain], axis=1)


@cache
def _tables() -> dict[str, np.ndarray]:
    """The basis and its slopes per display value; those of the directions smoothed over 8 codes."""
    basis = response_basis()
    width = basis.mean.shape[0] - 1
    smooth = np.ones(31) / 31

    def slope(rows: np.ndarray) -> np.ndarray:
        steps = np.diff(rows, axis=-1, append=2 * rows[..., -1:] - rows[..., -2:-1]) * width
        padded = np.pad(steps, ((0, 0), (15, 15)), mode="edge")
        return np.stack([np.convolve(row, smooth, mode="valid") for row in padded]).astype(np.float32)

    return {
        "mean": basis.mean,
        "directions": basis.directions,
        "spread": basis.spread,
        "mean_slope": slope(basis.mean[None])[0],
        "direction_slopes": slope(basis.directions),
    }


def _table(name: str) -> np.ndarray:
    return _tables()[name]


def _solve(matrices: Array, right: Array) -> Array:
    if not is_torch_array(matrices):
        return np.linalg.solve(matrices, right)
    import torch

    return torch.linalg.solve_ex(matrices, right).result  # `solve` waits for a GPU to say that all can be solved


def _inverse(matrices: Array) -> Array:
    if not is_torch_array(matrices):
        return np.linalg.inv(matrices)
    import torch

    return torch.linalg.inv_ex(matrices).inverse


def _place(display: Array) -> tuple[Array, Array]:
    """The sample below each display value, and how far it is to the next."""
    xp = array_namespace(display)
    position = xp.clip(display, 0.0, 1.0) * 1023
    below = xp.clip(xp.astype(position, xp.int64), 0, 1022)
    return below, position - xp.astype(below, display.dtype)


def _look_up(table: Array, below: Array, part: Array) -> Array:
    """Linear interpolation in the last axis of a table: ... x 1024 at N x 3 x P -> ... x N x 3 x P."""
    low = table[..., below]
    return low + (table[..., below + 1] - low) * part
