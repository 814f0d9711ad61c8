"""The measured and optimised numbers of HDR-VDP, from `tables.npz`. Where each comes from is in `README.md` here."""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float64]

FILE = Path(__file__).with_name("tables.npz")


@cache
def tables() -> dict[str, Plane]:
    """Every table by its name, float64, read-only."""
    with np.load(FILE, allow_pickle=False) as arrays:
        found = dict(arrays)
    for each in found.values():
        each.flags.writeable = False
    return found
