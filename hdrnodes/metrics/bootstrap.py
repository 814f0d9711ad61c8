"""How sure a difference between two methods is, when both were measured on the same pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLED = 10_000


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
    drawn = np.random.default_rng(0).integers(0, len(difference), (RESAMPLED, len(difference)))
    low, high = np.percentile(difference[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
