"""Pictures as programs take them that know colours only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hdrnodes.metrics.base import Array


def in_colours(picture: Array) -> npt.NDArray[np.float32]:
    """H x W x 3, or H x W of luminance, which is a grey of equal R, G and B -> H x W x 3 float32, a copy.

    >>> in_colours(np.array([[0.5]])).tolist()
    [[[0.5, 0.5, 0.5]]]
    """
    return np.array(np.broadcast_to(np.atleast_3d(picture), (*picture.shape[:2], 3)), np.float32, order="C")
