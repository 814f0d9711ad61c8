"""The basis of camera responses that is shipped: every inverse response is nearly `mean + weights . directions`.

`hdrnodes.training.response_basis` makes it from measured responses. Source: Grossberg and Nayar, "What is the Space of
Camera Response Functions?", CVPR 2003 (EMoR).
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

FILE = Path(__file__).with_name("basis.npz")
DIRECTIONS = 11

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ResponseBasis:
    """float32 each.

    Attributes:
        mean: (1024,), the mean inverse response, from 0 to 1.
        directions: (11, 1024), orthonormal, zero at both ends.
        spread: (11,), the standard deviation of the measured responses' weights.
    """

    mean: Array
    directions: Array
    spread: Array


@cache
def response_basis() -> ResponseBasis:
    """The shipped basis."""
    with np.load(FILE) as file:
        return ResponseBasis(file["mean"], file["directions"], file["spread"])
