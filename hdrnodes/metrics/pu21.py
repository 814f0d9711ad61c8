"""PU21: absolute light to values that are about evenly spaced to the eye, for metrics made for ordinary pictures.

Source: Mantiuk and Azimi, PU21, PCS 2021; the variant "banding + glare".
"""

from __future__ import annotations

import numpy as np

from hdrnodes.metrics.base import BRIGHTEST, DARKEST, Array, check_pair
from hdrnodes.metrics.fidelity import psnr

PARAMETERS = 0.353487901, 0.3734658629, 8.277049286e-05, 0.9062562627, 0.09150303166, 0.9099517204, 596.3148142
PEAK = 256.0  # the value of 100 cd/m2, white of an ordinary display: the peak of PSNR, the range of SSIM


def pu21(light: Array) -> Array:
    """Encode light, value by value: channels of linear RGB, or luminance.

    Args:
        light: cd/m2, any shape; clamped to 0.005..10000.

    Returns:
        0..595.4, of the same type; 100 cd/m2 is 256.

    >>> pu21(np.array([1.0, 10.0, 100.0, 1000.0, 10000.0])).round(4).tolist()
    [36.5439, 123.6475, 256.3839, 420.0969, 595.3939]
    """
    p1, p2, p3, p4, p5, p6, p7 = PARAMETERS
    power = np.clip(light, DARKEST, BRIGHTEST) ** p4
    return np.maximum(p7 * (((p1 + p2 * power) / (1 + p3 * power)) ** p5 - p6), 0)


def pu21_inverse(values: Array) -> Array:
    """Light of PU21 values, cd/m2.

    >>> pu21_inverse(pu21(np.array([0.01, 1.0, 1000.0]))).round(6).tolist()
    [0.01, 1.0, 1000.0]
    """
    p1, p2, p3, p4, p5, p6, p7 = PARAMETERS
    power = np.maximum(values / p7 + p6, 0) ** (1 / p5)
    return (np.maximum(power - p1, 0) / (p2 - p3 * power)) ** (1 / p4)


def pu21_psnr(test: Array, reference: Array) -> float:
    """PSNR of PU21 values, peak 256, over all channels together. After a tone fit: of `crf_corrected(test, reference)`.

    Args:
        test, reference: H x W x 3 linear BT.709, or H x W of luminance; cd/m2.

    Returns:
        dB; higher is better.

    Raises:
        MetricError: the two are identical, and it is infinite; or they do not go together.

    Source: Mantiuk and Azimi, PCS 2021.
    """
    check_pair(test, reference)
    return psnr(pu21(test), pu21(reference), PEAK)
