"""PSNR, SSIM and MS-SSIM, of whatever values a picture was encoded to; and the mu-law encoding.

They know nothing of light: give them PU21 values (peak 256), or light brought to 0..1 (peak 1).
"""

from __future__ import annotations

import math

import numpy as np

from hdrnodes.errors import MetricError
from hdrnodes.metrics.base import Array, check_pair

MU = 5000.0
SIGMA, RADIUS = 1.5, 5  # of SSIM's window: 11 x 11
K1, K2 = 0.01, 0.03
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST = (2 * RADIUS + 1) * 2 ** (len(SCALE_WEIGHTS) - 1)  # side that leaves one window on the coarsest scale


def psnr(test: Array, reference: Array, peak: float) -> float:
    """Peak signal-to-noise ratio over all values together.

    Args:
        test, reference: H x W x 3, or H x W, in one unit with `peak`.
        peak: the value that counts as full signal.

    Returns:
        dB; higher is better; unbounded, negative where the error is larger than the peak.

    Raises:
        MetricError: the two are identical, and the ratio infinite; or they do not go together.
    """
    check_pair(test, reference)
    error = float(np.mean(np.subtract(test, reference, dtype=np.float64) ** 2))
    if error == 0:
        raise MetricError("PSNR", "is infinite", "the pictures are identical")
    return 10 * math.log10(peak**2 / error)


def ssim(test: Array, reference: Array, peak: float) -> float:
    """Structural similarity, mean over all pixels. Gaussian window 11 x 11, sigma 1.5, edges replicated.

    Args:
        test, reference: H x W, in one unit with `peak`.
        peak: the range L of the values; the constants are (0.01 L)^2 and (0.03 L)^2.

    Returns:
        At most 1, for identical pictures; higher is better; may be negative.

    Source: Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13(4), 2004.
    """
    check_pair(test, reference)
    brightness, structure = _comparisons(test, reference, peak)
    return float(np.mean(brightness * structure))


def ms_ssim(test: Array, reference: Array, peak: float) -> float:
    """Structural similarity over five scales, halved by 2 x 2 means; windows that leave the picture are left out.

    Args:
        test, reference: H x W, each side at least 176, in one unit with `peak`.
        peak: the range L of the values, as in `ssim`.

    Returns:
        0..1, 1 for identical pictures; higher is better. A scale whose structure is opposed counts as 0.

    Raises:
        MetricError: a side is below 176, so that the coarsest scale holds no window.

    Source: Wang, Simoncelli, Bovik, Asilomar 2003.
    """
    check_pair(test, reference)
    if min(test.shape) < SMALLEST:
        size = f"{test.shape[1]} x {test.shape[0]}"
        raise MetricError("MS-SSIM", f"needs {SMALLEST} pixels a side, and these are {size}", "give larger pictures")
    result = 1.0
    inside = (slice(RADIUS, -RADIUS),) * 2
    for scale, weight in enumerate(SCALE_WEIGHTS, 1):
        brightness, structure = (each[inside] for each in _comparisons(test, reference, peak))
        similarity = np.mean(brightness * structure if scale == len(SCALE_WEIGHTS) else structure)
        result *= max(float(similarity), 0.0) ** weight
        test, reference = _halved(test), _halved(reference)
    return result


def mu_law(light: Array) -> Array:
    """ln(1 + 5000 x) / ln 5001, for light that was brought to 0..1; what lies outside is clipped.

    Source: Kalantari and Ramamoorthi, SIGGRAPH 2017.

    >>> mu_law(np.array([0.0, 0.01, 1.0])).round(4).tolist()
    [0.0, 0.4616, 1.0]
    """
    return np.log1p(MU * np.clip(light, 0, 1)) / math.log1p(MU)


def _comparisons(test: Array, reference: Array, peak: float) -> tuple[Array, Array]:
    """Of each pixel's window: how alike the means are, and the contrast and structure (C3 = C2 / 2)."""
    from scipy.ndimage import gaussian_filter

    def mean(values: Array) -> Array:
        blurred: Array = gaussian_filter(values, SIGMA, mode="nearest", radius=RADIUS)
        return blurred

    x, y = test.astype(np.float64), reference.astype(np.float64)
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    mean_x, mean_y = mean(x), mean(y)
    squares = mean_x**2 + mean_y**2
    product = mean_x * mean_y
    variances = mean(x**2 + y**2) - squares
    covariance = mean(x * y) - product
    return (2 * product + c1) / (squares + c1), (2 * covariance + c2) / (variances + c2)


def _halved(values: Array) -> Array:
    """2 x 2 means; an odd row or column at the end is left out."""
    height, width = (side // 2 for side in values.shape)
    blocks = values[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    return blocks.mean(axis=(1, 3))
