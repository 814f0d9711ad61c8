"""VSI: likeness of gradients, colours and salience, weighted by what draws the eye.

Sources: Zhang, Shen, Li, IEEE TIP 23(10), 2014; its salience is SDSP, Zhang, Gu, Li, ICIP 2013. On PU21 values as in
Hanji et al., SIGGRAPH 2022: 0..595, where the papers have 0..255.
"""

from __future__ import annotations

import math

import numpy as np

from hdrnodes.errors import MetricError
from hdrnodes.metrics.base import Array, check_pair
from hdrnodes.metrics.resampling import resized

SALIENCE_SIDE = 256  # pixels, of the square that salience is found in
FREQUENCY, SPREAD = 0.021, 1.34  # cycles a sample, and ln of the ratio: the log-Gabor filter
CENTRE_SPREAD, WARM_SPREAD = 145.0, 0.001

TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.9642, 1.0, 0.8251])
TO_LMN = np.array([[0.06, 0.63, 0.27], [0.30, 0.04, -0.35], [0.34, -0.60, 0.17]])
GRADIENT = np.array([[3, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16

SALIENCE_CONSTANT, GRADIENT_CONSTANT, CHROMA_CONSTANT = 1.27, 386.0, 130.0
GRADIENT_POWER, CHROMA_POWER = 0.40, 0.020


def vsi(test: Array, reference: Array) -> float:
    """Visual saliency-induced index.

    Args:
        test, reference: H x W x 3, display-like values whose white is about 255: PU21 of linear RGB.

    Returns:
        0..1, 1 for identical pictures; higher is better.

    Raises:
        MetricError: neither picture has anything that draws the eye (both of one colour); they do not go together;
            or have no colours.
    """
    check_pair(test, reference)
    if test.ndim != 3:
        raise MetricError("VSI", "compares colours, and these are luminance", "give H x W x 3")
    pictures = [each.astype(np.float64) for each in (test, reference)]
    salience1, salience2 = (_reduced(salience(each)) for each in pictures)
    (l1, m1, n1), (l2, m2, n2) = (_channels(each) for each in pictures)
    weight = np.maximum(salience1, salience2)
    if weight.sum() == 0:
        raise MetricError("VSI", "has no weights", "both pictures are of one colour")
    chroma = _similar(m1, m2, CHROMA_CONSTANT) * _similar(n1, n2, CHROMA_CONSTANT)
    # The power of a negative number is complex; the papers' program keeps its real part.
    chroma = np.abs(chroma) ** CHROMA_POWER * np.where(chroma < 0, math.cos(CHROMA_POWER * math.pi), 1)
    alike = (
        _similar(_gradient(l1), _gradient(l2), GRADIENT_CONSTANT) ** GRADIENT_POWER
        * _similar(salience1, salience2, SALIENCE_CONSTANT)
        * chroma
    )
    return float((alike * weight).sum() / weight.sum())


def salience(picture: Array) -> Array:
    """What draws the eye (SDSP): edges of one size, the middle, warm colours.

    Args:
        picture: H x W x 3, as for `vsi`.

    Returns:
        H x W, 0..1; 0 everywhere in a picture of one colour.
    """
    height, width = picture.shape[:2]
    if (picture == picture[0, 0]).all():
        return np.zeros((height, width))  # what the filter leaves of it is rounding, which stretching would blow up
    lab = _lab(resized(picture, (SALIENCE_SIDE, SALIENCE_SIDE), "triangle"))
    found = _edges(lab) * _middle() * _warmth(lab)
    return _stretched(resized(found, (height, width), "triangle"))


def _edges(lab: Array) -> Array:
    frequency = np.fft.fftfreq(SALIENCE_SIDE)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    passed = (radius > 0) & (radius <= 0.5)
    gabor = np.where(passed, np.exp(-(np.log(np.where(passed, radius, 1) / FREQUENCY) ** 2) / (2 * SPREAD**2)), 0)
    filtered = np.fft.ifft2(np.fft.fft2(lab, axes=(0, 1)) * gabor[..., None], axes=(0, 1)).real
    return np.sqrt((filtered**2).sum(axis=2))


def _middle() -> Array:
    from_middle = np.arange(1, SALIENCE_SIDE + 1) - SALIENCE_SIDE / 2
    return np.exp(-(from_middle[:, None] ** 2 + from_middle[None, :] ** 2) / CENTRE_SPREAD**2)


def _warmth(lab: Array) -> Array | float:
    a, b = lab[..., 1], lab[..., 2]
    if a.min() == a.max() or b.min() == b.max():
        return 1.0
    return 1 - np.exp(-(_stretched(a) ** 2 + _stretched(b) ** 2) / WARM_SPREAD**2)


def _lab(picture: Array) -> Array:
    display = picture / 255
    linear = np.where(display <= 0.04045, display / 12.92, ((np.maximum(display, 0) + 0.055) / 1.055) ** 2.4)
    ratio = linear @ TO_XYZ.T / WHITE
    x, y, z = np.moveaxis(np.where(ratio > 0.008856, np.cbrt(ratio), (903.3 * ratio + 16) / 116), 2, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=2)


def _channels(picture: Array) -> Array:
    """Luminance and two chroma channels, 3 x h x w, as coarse as the eye would look."""
    return np.stack([_reduced(each) for each in np.moveaxis(picture @ TO_LMN.T, 2, 0)])


def _reduced(values: Array) -> Array:
    """Means over F x F pixels, every F-th, for F = min(H, W) / 256, rounded; zero outside."""
    from scipy.ndimage import uniform_filter

    # Half rounds up, which Python's round does not.
    factor = max(1, math.floor(min(values.shape) / SALIENCE_SIDE + 0.5))
    origin = -1 if factor % 2 == 0 else 0  # an even window reaches one further down and right
    means: Array = uniform_filter(values, factor, mode="constant", origin=origin)[::factor, ::factor]
    return means


def _gradient(values: Array) -> Array:
    from scipy.ndimage import convolve

    across = convolve(values, GRADIENT, mode="constant")
    down = convolve(values, GRADIENT.T, mode="constant")
    return np.hypot(across, down)


def _similar(x: Array, y: Array, constant: float) -> Array:
    return (2 * x * y + constant) / (x**2 + y**2 + constant)


def _stretched(values: Array) -> Array:
    low, high = values.min(), values.max()
    return np.zeros_like(values) if low == high else (values - low) / (high - low)
