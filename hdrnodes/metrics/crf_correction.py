"""CRF correction: bend a test picture's tones and colours to the reference's, before a metric looks at the rest.

What a method makes of the response and of white balance would else drown what it makes of the clipped areas. It hides
errors of tone and colour: report metrics raw as well. Source: Hanji et al., SIGGRAPH 2022, equations 3 to 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hdrnodes.errors import MetricError
from hdrnodes.metrics.base import DARKEST, Array, check_pair

Floats = npt.NDArray[np.float64]

TO_XYZ = np.array([[0.412424, 0.357579, 0.180464], [0.212656, 0.715158, 0.072186], [0.019332, 0.119193, 0.950444]])
FROM_XYZ = np.linalg.inv(TO_XYZ)
XYZ_RANGE = 1e-4, 1e8
UV_SCALE = 410 / 255
PRIOR = 0.01  # weight of leaving the chroma alone

# SMPTE ST 2084, with its constants rounded to four places, as the source has them.
_M, _N, _C1, _C2, _C3, _PEAK = 78.8438, 0.1593, 0.8359, 18.8516, 18.6875, 1e4


def crf_corrected(test: Array, reference: Array) -> Floats:
    """The test picture, fitted to the reference over all pixels: luminance by a cubic in PQ, chroma by one in u'v'.

    Args:
        test, reference: H x W x 3, linear BT.709, cd/m2; below 0.005 they count as 0.005.

    Returns:
        H x W x 3 float64, cd/m2, not negative.

    Raises:
        MetricError: the two differ in size, hold NaN or infinity, or have no colours.
    """
    check_pair(test, reference)
    if test.ndim != 3:
        raise MetricError("CRF correction", "fits colours, and these are luminance", "give H x W x 3")
    of_test, of_reference = (_to_yuv(light.reshape(-1, 3).astype(np.float64)) for light in (test, reference))
    luminance = _fitted_luminance(of_test[:, 0], of_reference[:, 0])
    chroma = _fitted_chroma(of_test[:, 1:], of_reference[:, 1:])
    return _from_yuv(luminance, chroma).reshape(test.shape)


def _fitted_luminance(test: Floats, reference: Floats) -> Floats:
    cubic = _cubic(_pq(test))
    weights = np.linalg.lstsq(cubic, _pq(reference), rcond=None)[0]
    return _pq_inverse(np.maximum(cubic @ weights, _pq(np.array(DARKEST))))


def _cubic(p: Floats) -> Floats:
    return np.stack([p**3, p**2, p, np.ones_like(p)], axis=-1)


def _fitted_chroma(test: Floats, reference: Floats) -> Floats:
    u, v = test.T
    terms = np.stack([u**3, v**3, u**2, v**2, u * v, u, v, np.ones_like(u)], axis=-1)
    count = terms.shape[1]
    unchanged = np.zeros((count, 2))
    unchanged[5, 0] = unchanged[6, 1] = 1
    ridge = PRIOR * len(terms) / count
    weights = np.linalg.solve(terms.T @ terms + ridge * np.eye(count), terms.T @ reference + ridge * unchanged)
    return np.maximum(terms @ weights, DARKEST)


def _to_yuv(light: Floats) -> Floats:
    """N x 3 RGB -> N x 3: luminance in cd/m2, and u', v' times 410/255."""
    xyz = np.clip(np.maximum(light, DARKEST) @ TO_XYZ.T, *XYZ_RANGE)
    x, y = (xyz[:, :2] / xyz.sum(axis=1, keepdims=True)).T
    denominator = -2 * x + 12 * y + 3
    return np.stack([xyz[:, 1], 4 * x / denominator * UV_SCALE, 9 * y / denominator * UV_SCALE], axis=-1)


def _from_yuv(luminance: Floats, chroma: Floats) -> Floats:
    u, v = chroma.T / UV_SCALE
    denominator = 6 * u - 16 * v + 12
    x, y = 9 * u / denominator, 4 * v / denominator
    xyz = np.stack([luminance * x / y, luminance, luminance * (1 - x - y) / y], axis=-1)
    return np.maximum(np.clip(xyz, *XYZ_RANGE) @ FROM_XYZ.T, 0)


def _pq(luminance: Floats) -> Any:
    power = (luminance / _PEAK) ** _N
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M


def _pq_inverse(values: Floats) -> Floats:
    root = values ** (1 / _M)
    return _PEAK * ((_C1 - root) / (_C3 * root - _C2)) ** (1 / _N)
