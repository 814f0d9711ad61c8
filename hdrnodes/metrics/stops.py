"""Errors of light in stops: whole, where the plate clipped, where it did not; of the peak; and of a response curve.

A stop is a factor of two of luminance. Darker than 0.005 cd/m2 counts as that.
"""

from __future__ import annotations

import numpy as np

from hdrnodes.errors import MetricError
from hdrnodes.metrics.base import DARKEST, Array, Mask, check_pair, luminance

PEAK_PERCENTILE = 99.9


def log_rmse(test: Array, reference: Array, where: Mask | None = None) -> float:
    """The RMS of log2 of the luminance ratio.

    Args:
        test, reference: H x W x 3 linear BT.709, or H x W of luminance; cd/m2.
        where: H x W, the pixels that count; all of them if None.

    Returns:
        Stops, from 0; lower is better.

    Raises:
        MetricError: `where` is empty, or the pictures do not go together.
    """
    return float(np.sqrt(np.mean(log_ratio(test, reference, where) ** 2)))


def log_bias(test: Array, reference: Array, where: Mask | None = None) -> float:
    """The mean of log2 of the luminance ratio: how much too bright.

    Arguments and errors as `log_rmse`.

    Returns:
        Stops; nearest 0 is best; negative is too dark.
    """
    return float(np.mean(log_ratio(test, reference, where)))


def scale_invariant_log_rmse(test: Array, reference: Array) -> float:
    """The standard deviation of log2 of the luminance ratio: what is left of `log_rmse` after the best gain.

    Arguments and errors as `log_rmse`.

    Returns:
        Stops, from 0, which it is for any gain; lower is better.

    Source: Eigen, Puhrsch, Fergus, NIPS 2014, with lambda = 1.
    """
    return float(np.std(log_ratio(test, reference)))


def log10_rmse(test: Array, reference: Array) -> float:
    """The RMS of log10 of the ratio, over all values: of colours, the three channels together.

    Arguments and errors as `log_rmse`.

    Returns:
        Powers of ten, from 0; lower is better. Of greys, `log_rmse` times log10(2).
    """
    check_pair(test, reference)
    difference = np.log10(_floored(test)) - np.log10(_floored(reference))
    return float(np.sqrt(np.mean(difference**2)))


def peak_error(test: Array, reference: Array) -> float:
    """The difference of the 99.9th percentiles of luminance: what became of the suns.

    Arguments and errors as `log_rmse`.

    Returns:
        Stops; nearest 0 is best; negative is too dark.
    """
    check_pair(test, reference)
    ours, theirs = (np.percentile(_floored(luminance(light)), PEAK_PERCENTILE) for light in (test, reference))
    return float(np.log2(ours / theirs))


def curve_rmse(test: Array, reference: Array) -> float:
    """The RMS difference of two inverse responses.

    Args:
        test, reference: 1 x S or 3 x S, scene-linear at evenly spaced display values, 0..1, of one S; a curve for all
            channels stands for each of three.

    Returns:
        0..1, of the clip level; lower is better.

    Raises:
        MetricError: they have different numbers of samples.
    """
    if test.shape[-1] != reference.shape[-1]:
        problem = f"has {test.shape[-1]} samples, the reference {reference.shape[-1]}"
        raise MetricError("curve", problem, "sample both alike")
    difference = test.astype(np.float64) - reference
    return float(np.sqrt(np.mean(difference**2)))


def log_ratio(test: Array, reference: Array, where: Mask | None = None) -> Array:
    """log2 of the luminance ratio, stops: H x W float64; of a mask, its N pixels.

    Raises:
        MetricError: as `log_rmse`.
    """
    check_pair(test, reference)
    ours, theirs = _floored(luminance(test)), _floored(luminance(reference))
    if where is not None:
        if where.shape != ours.shape:
            raise MetricError(
                "mask", f"has the shape {where.shape}, the pictures {ours.shape}", "give both in one size"
            )
        if not where.any():
            raise MetricError("mask", "is empty", "there is no pixel to measure")
        ours, theirs = ours[where], theirs[where]
    return np.log2(ours / theirs)


def _floored(light: Array) -> Array:
    return np.maximum(light.astype(np.float64), DARKEST)
