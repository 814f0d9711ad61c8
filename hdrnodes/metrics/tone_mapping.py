"""Light to the 8-bit pictures that metrics for ordinary photographs are made for."""

from __future__ import annotations

import numpy as np

LUMINANCE = np.array([0.212656, 0.715158, 0.072186])  # of linear BT.709
KEY = 0.18  # what the reference's geometric mean of luminance becomes, before the curve


def tone_mapped(test: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both pictures as 8-bit codes, brought down by the one scale that the reference sets.

    x = light / s, with s = exp(mean ln(Y_ref + 1e-6)) / 0.18; code = round(255 (x / (1 + x))^(1 / 2.2)). The scale and
    x / (1 + x) are those of Reinhard et al., SIGGRAPH 2002, equations 1 to 3; per channel, without their white.

    Args:
        test, reference: H x W x 3, linear BT.709, cd/m2; negative light counts as none.

    Returns:
        test, reference: H x W x 3 float64, multiples of 1/255 in 0..1.
    """
    luminance = np.maximum(np.asarray(reference, np.float64), 0) @ LUMINANCE
    scale = np.exp(np.log(luminance + 1e-6).mean()) / KEY
    return _coded(test, scale), _coded(reference, scale)


def _coded(light: np.ndarray, scale: float) -> np.ndarray:
    x = np.maximum(np.asarray(light, np.float64), 0) / scale
    return np.round(255 * (x / (1 + x)) ** (1 / 2.2)) / 255
