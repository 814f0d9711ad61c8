"""The steerable pyramid: a picture as bands of spatial frequency and orientation.

Source: Simoncelli and Freeman, "The steerable pyramid", ICIP 1995; Karasaridis and Simoncelli, ICASSP 1996 (filters).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft

from hdrnodes.metrics.visual_difference.tables import Plane, tables

Spectrum = np.ndarray[tuple[int, ...], np.dtype[np.complex128]]


@dataclass(frozen=True, eq=False)
class SteerablePyramid:
    """Filters of a pyramid of `orientations` orientations; the edges are mirrored without repeating the edge sample.

    Band 0 is the high-pass residual, bands 1 to `levels` have all orientations, each at half the size of the one
    before but for the first, the last band is what is left below: `levels` + 2 bands.
    """

    high: Plane
    low_first: Plane
    low: Plane
    oriented: Plane

    @classmethod
    def named(cls, name: str) -> SteerablePyramid:
        """`sp3`: four orientations, or `sp0`: one."""
        return cls(*(tables()[f"{name}_{part}"] for part in ("hi0", "lo0", "lo", "bands")))

    @property
    def smallest_side(self) -> int:
        """Of a picture that has at least one level, in pixels."""
        return len(self.low)

    def most_levels(self, shape: tuple[int, int]) -> int:
        """How many levels an H x W picture can have."""
        side, levels = min(shape), 0
        while side >= self.smallest_side:
            side, levels = side // 2, levels + 1
        return levels

    def bands(self, pictures: Plane, levels: int) -> Iterator[Plane]:
        """Take pictures apart.

        Args:
            pictures: N x H x W.
            levels: 1 to `most_levels`.

        Yields:
            N x orientations x height x width for each band, finest first; residual and base band have 1 orientation.
        """
        high, low = _correlated(pictures, [self.high, self.low_first])
        yield high[:, None]
        del high
        for _ in range(levels):
            *oriented, low = _correlated(low, [*self.oriented, self.low])
            yield np.stack(oriented, axis=1)
            del oriented
            low = low[:, ::2, ::2].copy()
        yield low[:, None]

    def picture(self, bands: Sequence[Plane]) -> Plane:
        """Put a picture together: H x W from bands of orientations x height x width, finest first."""
        low = bands[-1][0]
        for oriented in bands[-2:0:-1]:
            spread = np.zeros(oriented.shape[1:])
            spread[::2, ::2] = low
            low = _convolved([*oriented, spread], [*self.oriented, self.low])
        return _convolved([low, bands[0][0]], [self.low_first, self.high])


def _correlated(pictures: Plane, kernels: Sequence[Plane]) -> Iterator[Plane]:
    """N x H x W correlated with each kernel."""
    height, width = pictures.shape[1:]
    radius, size = _room((height, width), kernels)
    spectrum = _spectrum(pictures, radius, size)
    for kernel in kernels:
        found = fft.irfft2(spectrum * _transfer(kernel, size).conj(), size, overwrite_x=True)
        yield found[:, radius : radius + height, radius : radius + width]


def _convolved(pictures: Sequence[Plane], kernels: Sequence[Plane]) -> Plane:
    """The sum of H x W pictures, each convolved with its kernel."""
    height, width = pictures[0].shape
    radius, size = _room((height, width), kernels)
    spectrum = np.zeros((size[0], size[1] // 2 + 1), np.complex128)
    for picture, kernel in zip(pictures, kernels, strict=True):
        spectrum += _spectrum(picture[None], radius, size)[0] * _transfer(kernel, size)
    return fft.irfft2(spectrum, size, overwrite_x=True)[radius : radius + height, radius : radius + width]


def _room(shape: tuple[int, int], kernels: Sequence[Plane]) -> tuple[int, tuple[int, int]]:
    """By how much to mirror on all sides, and the size at which transforms are fast."""
    radius = max(len(kernel) // 2 for kernel in kernels)
    rows, columns = (fft.next_fast_len(side + 2 * radius, real=True) for side in shape)
    return radius, (rows, columns)


def _spectrum(pictures: Plane, radius: int, size: tuple[int, int]) -> Spectrum:
    return fft.rfft2(np.pad(pictures, ((0, 0), (radius, radius), (radius, radius)), mode="reflect"), size)


def _transfer(kernel: Plane, size: tuple[int, int]) -> Spectrum:
    """The transform of a kernel with its centre at the origin."""
    placed = np.zeros(size)
    placed[: kernel.shape[0], : kernel.shape[1]] = kernel
    centred = np.roll(placed, (-(kernel.shape[0] // 2), -(kernel.shape[1] // 2)), axis=(0, 1))
    return fft.rfft2(centred)
