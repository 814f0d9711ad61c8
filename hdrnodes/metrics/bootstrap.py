"""How sure a difference between two methods is, when both were measured on the same pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLED = 10_000
AT_ONCE = 500  # so that a shot of thousands of frames stays within 100 MB


def paired_interval(
    values: npt.NDArray[np.floating[Any]], against: npt.NDArray[np.floating[Any]]
) -> tuple[float, float]:
    """The 95 % interval of the mean difference, bootstrapped over pictures (Efron, 1979).

    Args:
        values, against: N of each method, in the order of the pictures.

    Returns:
        The 2.5th and 97.5th percentile of the mean of `values - against`, in their unit. 10,000 resamples, the same
        ones at every call; where N is 1, both are the difference.
    """
    difference = values - against
    random, count = np.random.default_rng(0), len(difference)
    means = [difference[random.integers(0, count, (AT_ONCE, count))].mean(axis=1) for _ in range(RESAMPLED // AT_ONCE)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
