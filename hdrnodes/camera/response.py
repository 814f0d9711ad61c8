"""The camera response function (CRF), and its inverse, as sampled curves. `nodes.InverseCRF` undoes it.

A curve here is always the *inverse* response: S scene-linear values at S evenly spaced display-referred values, rising
from 0 to 1. `apply_response` goes forwards through the same curve, so that one array describes both ways.

Curves are S samples for the whole array; or C x S, one a channel, for arrays whose last axis is the channel; or
N x C x S (C may be 1) for batches N x C x H x W.

Source: Liu et al., CVPR 2020 (S = 1024, the constraint); Grossberg and Nayar, CVPR 2003 (the space of responses).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

SAMPLES = 1024
PIECE = 1 << 15  # values that are looked up at a time, so that what is made on the way stays in a core's cache
Array = Any


def invert_response(display: Array, curve: Array) -> Array:
    """Undo a camera response: display-referred values to scene-linear ones.

    Args:
        display: 0..1, display-referred; 1.0 is the top code value. Values outside are clamped.
        curve: an inverse response, see above.

    Returns:
        The shape of `display`, float32, 0..1, scene-linear, relative: 1.0 is the radiance at which the plate clips.

    >>> invert_response(np.float32([[0, 0.25, 1]]), np.float32([0, 0.2, 1]))
    array([[0. , 0.1, 1. ]], dtype=float32)
    """
    return _by_curve(display, curve, _interpolate)


def apply_response(light: Array, curve: Array) -> Array:
    """The camera response, forwards: scene-linear light to display-referred values; inverse of `invert_response`.

    Args:
        light: scene-linear; clipped to 0..1.
        curve: an *inverse* response, see above; where it is flat, the lowest display value is taken.

    >>> apply_response(np.float32([[0, 0.1, 2]]), np.float32([0, 0.2, 1]))
    array([[0.  , 0.25, 1.  ]], dtype=float32)
    """
    return _by_curve(light, curve, _search)


def constrain_curve(raw: Array) -> Array:
    """Make raw samples a response: never falling, 0 -> 0, 1 -> 1.

    The steps between samples are raised together until none falls, then scaled to sum to one (Liu et al., CVPR 2020,
    section 3.2). A curve without any rise becomes the straight line.

    Args:
        raw: ... x S, any finite values.

    >>> constrain_curve(np.float32([0, 0.5, 0.4, 1]))
    array([0.        , 0.46153846, 0.46153846, 1.        ], dtype=float32)
    """
    xp = array_namespace(raw)
    steps = raw[..., 1:] - raw[..., :-1]
    steps = steps + xp.clip(-xp.min(steps, axis=-1, keepdims=True), 0.0, None)
    total = xp.sum(steps, axis=-1, keepdims=True)
    flat = total <= 1e-12
    steps = xp.where(flat, xp.full_like(steps, 1 / steps.shape[-1]), steps / xp.where(flat, xp.ones_like(total), total))
    risen = xp.cumulative_sum(steps, axis=-1, include_initial=True)
    # A float32 running sum of 1023 steps ends within 1e-6 of one; the end is one by definition.
    return xp.clip(risen / risen[..., -1:], 0.0, 1.0)


def _by_curve(values: Array, curve: Array, look_up: Callable[[Array, Array], Array]) -> Array:
    """Bring values and curves to K x P rows and K x S curves, look up, and bring the rows back."""
    xp = array_namespace(values, curve)
    if curve.ndim == 1:
        return xp.reshape(look_up(xp.reshape(values, (1, -1)), curve[None]), values.shape)
    if curve.ndim == 2 and curve.shape[0] == 1:
        return _by_curve(values, curve[0], look_up)
    if curve.ndim == 2:
        first = xp.moveaxis(values, -1, 0)
        rows = look_up(xp.reshape(first, (curve.shape[0], -1)), curve)
        return xp.moveaxis(xp.reshape(rows, first.shape), 0, -1)
    rows = look_up(xp.reshape(values, (curve.shape[0] * curve.shape[1], -1)), xp.reshape(curve, (-1, curve.shape[-1])))
    return xp.reshape(rows, values.shape)


def _interpolate(rows: Array, curves: Array) -> Array:
    """Linear interpolation at evenly spaced samples."""
    last = curves.shape[-1] - 1
    if not is_torch_array(rows):
        answer = np.empty(rows.shape, np.float32)
        for row, curve, to in zip(rows, curves, answer, strict=True):
            _interpolate_row(row, curve, to)
        return answer
    position = rows.clip(0, 1) * last
    lower = position.detach().long().clip(max=last - 1)
    low, high = curves.gather(1, lower), curves.gather(1, lower + 1)
    return low + (high - low) * (position - lower)


def _interpolate_row(row: Array, curve: Array, to: Array) -> None:
    """As np.interp, which searches for each value, in a twentieth of the time: even spacing needs no search."""
    steps = np.append(np.diff(curve), np.float32(0))  # at the very end there is nothing to go on to
    for at in range(0, len(row), PIECE):
        position = row[at : at + PIECE].clip(0, 1)
        position *= len(curve) - 1
        lower = position.astype(np.intp)
        position -= np.floor(position)
        position *= steps.take(lower, mode="clip")  # as fast as none are out of range
        np.add(position, curve.take(lower, mode="clip"), out=to[at : at + PIECE])


def _search(rows: Array, curves: Array) -> Array:
    """Linear interpolation the other way: where on the curve is this value?"""
    if not is_torch_array(rows):
        grid = np.linspace(0, 1, curves.shape[-1])
        pairs = zip(rows, curves, strict=True)
        return np.stack([np.interp(row, *_strictly_rising(curve, grid)).astype(np.float32) for row, curve in pairs])
    # A search per pixel costs 20 ms a 256 x 256 picture, a search per table entry nothing; square-root spacing keeps
    # the steep start of gamma-like responses (0.02 of an 8-bit code at most on the measured ones).
    table = _search_table(curves)
    return _interpolate(rows.clip(0, 1).sqrt(), table)


def _search_table(curves: Array) -> Array:
    """Display values at the squares of 4096 evenly spaced numbers: K x S -> K x 4096."""
    import torch

    last = curves.shape[-1] - 1
    light = torch.linspace(0, 1, 4096, device=curves.device).square().expand(curves.shape[0], -1).contiguous()
    upper = torch.searchsorted(curves.contiguous(), light).clip(1, last)
    low, high = curves.gather(1, upper - 1), curves.gather(1, upper)
    part = ((light - low) / (high - low).clip(min=1e-12)).clip(0, 1)
    return (upper - 1 + part) / last


def _strictly_rising(curve: Array, grid: Array) -> tuple[Array, Array]:
    """np.interp leaves the answer on a flat stretch open; keep only its first sample."""
    rising = np.concatenate([[True], np.diff(curve) > 0])
    return curve[rising], grid[rising]
