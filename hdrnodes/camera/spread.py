"""Linear filters of whole pictures that know no direction, by what they do to each frequency; mirrored borders.

A cosine transform (DCT-II) is a Fourier transform of the picture and its mirror images, so nothing wraps around and all
light stays in the picture. Frequencies are those of the grid's own Laplacian, k^2 = 4 sin^2(u / 2) + 4 sin^2(v / 2) for
u, v in radians a pixel: k is 2 pi f where f is low, and a falling function of k that is a mixture of Gaussians has no
negative weight on the grid either (Lindeberg, "Scale-space for discrete signals", PAMI 12(3), 1990). The sampled
frequency 2 pi f would leave dark rings around suns.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from hdrnodes.camera.constants import constant, cosines

Array = Any


def spread(picture: Array, transfer: Callable[[Array], Array], finest: float = 2.0) -> Array:
    """Multiply each frequency of a picture by `transfer(k^2)`.

    Args:
        picture: N x C x H x W.
        transfer: from k^2, H x W, to factors that broadcast to N x C x H x W.
        finest: wavelength, pixels; the transfer of shorter ones is nothing, and they are left out.
    """
    xp = array_namespace(picture)
    height, width = picture.shape[-2:]
    rows, columns = _frequencies(height, finest), _frequencies(width, finest)
    down = constant(picture, cosines, height, rows)
    along = constant(picture, cosines, width, columns)
    squared = constant(picture, _laplacian, height, rows)[:, None] + constant(picture, _laplacian, width, columns)
    spectrum = xp.matmul(xp.matmul(down, picture), along.T)
    return xp.matmul(xp.matmul(down.T, spectrum * transfer(squared)), along)


def blurred(picture: Array, deviation: Array) -> Array:
    """A Gaussian blur; N x C x H x W, standard deviations in pixels that broadcast to it."""
    xp = array_namespace(picture)
    return spread(picture, lambda squared: xp.exp(-squared * deviation**2 / 2))


def _frequencies(size: int, finest: float) -> int:
    return min(size, int(np.ceil(2 * size / finest)) + 1)


def _laplacian(size: int, count: int) -> Array:
    """k^2 along one axis, for the rows of `cosines`."""
    return (4 * np.sin(np.pi * np.arange(count) / (2 * size)) ** 2).astype(np.float32)
