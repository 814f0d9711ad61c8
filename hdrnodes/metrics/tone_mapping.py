"""Light to the 8-bit pictures that metrics for ordinary photographs are made for."""

from __future__ import annotations

import numpy as np

from hdrnodes.metrics.base import Array, check_pair, luminance

KEY = 0.18  # what the reference's geometric mean of luminance becomes, before the curve


def tone_mapped(test: Array, reference: Array) -> tuple[Array, Array]:
    """Both pictures as 8-bit codes, brought down by the one scale that the reference sets.

    x = light / s, with s = exp(mean ln(Y_ref + 1e-6)) / 0.18; code = round(255 (x / (1 + x))^(1 / 2.2)). The scale and
    x / (1 + x) are those of Reinhard et al., SIGGRAPH 2002, equations 1 to 3; per channel, without their white.

    Args:
        test, reference: H x W x 3, linear BT.709, or H x W of luminance; cd/m2; negative light counts as none.

    Returns:
        test, reference: as they came, float64, multiples of 1/255 in 0..1.

    Raises:
        MetricError: as `check_pair` does.
    """
    check_pair(test, reference)
    light, wanted = (np.maximum(each, 0, dtype=np.float64) for each in (test, reference))
    scale = np.exp(np.log(luminance(wanted) + 1e-6).mean()) / KEY
    return _coded(light / scale), _coded(wanted / scale)


def _coded(x: Array) -> Array:
    return np.round(255 * (x / (1 + x)) ** (1 / 2.2)) / 255
