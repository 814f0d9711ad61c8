"""Filtering in the frequency domain, with the padding behind the picture only.

Nothing is put before the first row and column. The transform wraps around, so the top and left edges see the end of
what was put behind the bottom and right ones; HDR-VDP's numbers have that in them.

A transfer function is real and even, over `padded_frequencies` of the picture's size.
"""

import numpy as np
from scipy import fft

from hdrnodes.metrics.visual_difference.tables import Plane


def frequencies(shape: tuple[int, int], rate: float) -> Plane:
    """Radial frequencies of `rfft2` of an H x W picture: H x (W // 2 + 1).

    Args:
        shape: H, W.
        rate: samples per degree, for cycles per degree; 1, for cycles per sample.
    """
    rows = rate * fft.fftfreq(shape[0])
    columns = rate * fft.rfftfreq(shape[1])
    return np.hypot(rows[:, None], columns)


def padded_frequencies(shape: tuple[int, int], rate: float) -> Plane:
    """`frequencies` of a picture of twice the height and width: 2 H x (W + 1)."""
    return frequencies((2 * shape[0], 2 * shape[1]), rate)


def filter_filled(picture: Plane, fill: float, transfer: Plane) -> Plane:
    """Filter an H x W picture that continues with a constant."""
    return _filtered(picture - fill, transfer, picture.shape) + fill * transfer[0, 0]


def filter_replicated(picture: Plane, transfer: Plane) -> Plane:
    """Filter an H x W picture that continues with its last row and column."""
    height, width = picture.shape
    return _filtered(np.pad(picture, ((0, height), (0, width)), mode="edge"), transfer, picture.shape)


def filter_mirrored(picture: Plane, transfer: Plane) -> Plane:
    """Filter an H x W picture that continues with its mirror image, the edge sample repeated."""
    height, width = picture.shape
    # The cosine transform (DCT-II) is the Fourier transform of exactly this continuation, at a quarter of the size.
    spectrum = fft.dctn(picture)
    spectrum *= transfer[:height, :width]
    return fft.idctn(spectrum, overwrite_x=True)


def _filtered(picture: Plane, transfer: Plane, shape: tuple[int, ...]) -> Plane:
    height, width = shape
    spectrum = fft.fft(fft.rfft(picture, 2 * width, axis=1), 2 * height, axis=0, overwrite_x=True)
    spectrum *= transfer
    rows = fft.ifft(spectrum, axis=0, overwrite_x=True)[:height]
    return fft.irfft(rows, 2 * width, axis=1)[:, :width]
