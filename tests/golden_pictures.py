"""The test pictures of the zenmetrics project, made here from their formula; shared/metrics has the same.

Luminance, 128 x 128, cd/m2: two gratings and noise, then blurred, dimmed, brightened, with less contrast. The noise is
Octave's `rand("seed", 42)`, whose generator is a published one.
"""

from functools import cache

import numpy as np
from scipy.ndimage import convolve

SIDE = 128


@cache
def golden_pictures() -> dict[str, np.ndarray]:
    """`ref`, and four that differ from it: `blur`, `dark`, `bright`, `contrast`."""
    y, x = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j]
    checks = 75 * (1 + np.sin(40 * x) * np.cos(31 * y))
    stripes = 50 * (1 + np.sin(7 * x + 3 * y))
    noise = _noise(SIDE * SIDE).reshape(SIDE, SIDE).T  # drawn column by column
    ref = checks + stripes + 60 * noise + 1
    profile = np.exp(-0.5 * (np.arange(-3, 4) / 1.2) ** 2)
    kernel = np.outer(profile, profile)
    return {
        "ref": ref,
        "blur": convolve(ref, kernel / kernel.sum(), mode="constant"),
        "dark": 0.55 * ref,
        "bright": 1.5 * ref + 8,
        "contrast": ref.mean() + 0.6 * (ref - ref.mean()),
    }


def _noise(count: int) -> np.ndarray:
    """Uniform in 0..1: L'Ecuyer's two combined generators, Communications of the ACM 31(6), 1988, figure 3."""
    first, second = 1, 0x40450000  # the halves of 42.0 as a double; the lower, 0, is raised to 1
    drawn = np.empty(count, np.float32)
    for index in range(count):
        first, second = 40014 * first % 2147483563, 40692 * second % 2147483399
        drawn[index] = (first - second) % 2147483562 or 2147483562
    return (drawn * np.float32(4.656613057e-10)).astype(np.float64)
