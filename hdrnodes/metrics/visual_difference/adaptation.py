"""How the eye adapts to light: the luminance that each part of it has adapted to, and the pupil."""

import numpy as np
from scipy.ndimage import gaussian_filter

from hdrnodes.metrics.visual_difference.fourier import filter_replicated, padded_frequencies
from hdrnodes.metrics.visual_difference.tables import Plane

POOLED = 10**-0.781367  # standard deviation of what one place adapts to, degrees
LARGE = 4.3  # pixels: wider Gaussians are applied in the frequency domain
YOUNGEST, OLDEST = 20, 83  # years, of the observers that the pupil was measured in


def local_adaptation(luminance: Plane, ppd: float) -> Plane:
    """The luminance that each pixel's place on the retina is adapted to: a Gaussian mean of the logarithm, cd/m2.

    Source: Vangorp, Myszkowski, Graf, Mantiuk, "A model of local adaptation", ACM TOG 34(6), 2015; the width is that of
    HDR-VDP 3.0.7.

    Args:
        luminance: H x W, cd/m2.
        ppd: pixels per degree.
    """
    logarithm = np.log(np.maximum(luminance, 1e-6))
    sigma = POOLED * ppd
    if sigma >= LARGE:
        cycles_per_pixel = padded_frequencies(luminance.shape, 1)
        pooled = filter_replicated(logarithm, np.exp(-2 * (np.pi * sigma * cycles_per_pixel) ** 2))
    else:
        pooled = gaussian_filter(logarithm, sigma, mode="nearest", radius=round(6 * sigma) // 2)
    return np.exp(pooled, out=pooled)


def pupil_diameter(luminance: float, area: float, age: float) -> float:
    """The diameter of the pupil, mm.

    Source: Watson and Yellott, "A unified formula for light-adapted pupil size", J. Vision 12(10), 2012, for both eyes.

    Args:
        luminance: to which the eye is adapted, cd/m2.
        area: of what shines, square degrees.
        age: years.
    """
    flux = (luminance * area / 846) ** 0.41
    young = 7.75 - 5.75 * (flux / (flux + 2))
    return young + (min(max(age, YOUNGEST), OLDEST) - 28.58) * (0.02132 - 0.009562 * young)
