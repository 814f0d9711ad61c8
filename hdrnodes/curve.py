"""Curve: a camera's response, inverted. What InverseCRF estimates, and what can be saved, looked at, and given back.

Display-referred values go in, evenly spaced from 0 to 1; scene-linear ones come out, rising from 0 to 1, where 1 is
the radiance at which the plate clips. `hdrnodes.camera.response` applies it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hdrnodes.errors import CurveError
from hdrnodes.image import Image, Pixels

SAMPLES = 1024
TOLERANCE = 1e-4  # of the ends of a curve, and of a fall: files round


@dataclass(frozen=True, eq=False)
class Curve:
    """An inverse camera response, one for all channels or one each.

    Args:
        samples: scene-linear values at evenly spaced display values, (S,), (1, S) or (3, S); kept as (1 or 3, 1024)
            float32, read-only. Other S are resampled.
        source: what it is: `estimate`, `srgb`, `bt709`, or a file.

    Raises:
        CurveError: it falls somewhere, does not run from 0 to 1, or is no curve at all.
    """

    samples: Pixels
    source: str = "estimate"

    def __post_init__(self) -> None:
        samples = np.atleast_2d(np.asarray(self.samples, np.float64))
        if samples.ndim != 2 or samples.shape[0] not in (1, 3) or samples.shape[1] < 2:
            raise CurveError(self.source, f"has samples of shape {np.shape(self.samples)}", "give 1 x S or 3 x S")
        _check(samples, self.source)
        # Rounding may have made a fall of less than the tolerance; that is taken back.
        samples = np.maximum.accumulate(samples.clip(0, 1), axis=1)
        samples[:, 0], samples[:, -1] = 0, 1
        object.__setattr__(self, "samples", _read_only(_resampled(samples)))

    @classmethod
    def named(cls, name: str) -> Curve:
        """The curve of a standard: `srgb` or `bt709`.

        >>> round(float(Curve.named("srgb").samples[0, 512]), 4)
        0.2145
        """
        return _named(name)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Curve:
        """Read a curve from a file that `save`, or another program, wrote.

        Raises:
            ReadError: the file is missing, or is no .csv, .spi1d or .cube of one dimension.
            CurveError: the curve in it falls somewhere, or does not run from 0 to 1.
        """
        from hdrnodes.curve_files import load_samples

        return cls(load_samples(Path(path)), source=str(path))

    @classmethod
    def applied_to(cls, image: Image) -> Curve | None:
        """The curve that a picture went through: as InverseCRF noted it, or as the header says of a file that
        `hdrnodes reconstruct` wrote. None where there is none."""
        samples = image.metadata.get("hdrnodes:curve") if image.curves is None else image.curves
        if samples is None:
            return None
        try:
            return cls(np.reshape(np.asarray(samples, np.float32), (-1, SAMPLES)))
        except ValueError:  # another program's, or another version's
            return None

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write it as .csv (display, linear), .spi1d or .cube (for OCIO), or .png (a plot), by the file's name.

        Raises:
            WriteError: another extension, or the file exists, or cannot be written.
        """
        from hdrnodes.curve_files import save_samples

        if Path(path).suffix.lower() == ".png":
            self.plot(path, overwrite)
        else:
            save_samples(self.samples, Path(path), overwrite)

    def plot(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Draw it as a PNG, with sRGB's for comparison.

        Raises:
            WriteError: the file exists, or cannot be written.
        """
        from hdrnodes.curve_plot import plot_curve

        plot_curve(self, Path(path), overwrite)

    @property
    def per_channel(self) -> bool:
        return len(self.samples) == 3


@cache
def _named(name: str) -> Curve:
    standards = {"srgb": srgb_to_linear, "bt709": bt709_to_linear}
    if name not in standards:
        raise CurveError(name, "is no standard's curve", f"choose {' or '.join(standards)}")
    return Curve(standards[name](np.linspace(0, 1, SAMPLES)).astype(np.float32), source=name)


def srgb_to_linear(display: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The sRGB EOTF. Source: IEC 61966-2-1:1999, 5.2. Display and result 0..1."""
    return np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4)


def bt709_to_linear(display: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The inverse of BT.709's camera curve (OETF). Source: Rec. ITU-R BT.709-6, item 1.2. Display and result 0..1."""
    return np.where(display < 0.081, display / 4.5, ((display + 0.099) / 1.099) ** (1 / 0.45))


def _check(samples: npt.NDArray[np.float64], source: str) -> None:
    remedy = "give a curve that rises from 0 to 1"
    if not np.isfinite(samples).all():
        raise CurveError(source, "has values that are no numbers", remedy)
    first, last = samples[:, 0], samples[:, -1]
    if max(abs(first).max(), abs(last - 1).max()) > TOLERANCE:
        raise CurveError(source, f"runs from {first.max():.6g} to {last.max():.6g}", remedy)
    channel, at = np.unravel_index(np.diff(samples, axis=1).argmin(), (samples.shape[0], samples.shape[1] - 1))
    if samples[channel, at + 1] < samples[channel, at] - TOLERANCE:
        fall = f"falls from {samples[channel, at]:.6g} to {samples[channel, at + 1]:.6g}"
        raise CurveError(source, f"{fall} at display value {at / (samples.shape[1] - 1):.4g}", remedy)


def _resampled(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if samples.shape[1] == SAMPLES:
        return samples
    old, new = np.linspace(0, 1, samples.shape[1]), np.linspace(0, 1, SAMPLES)
    return np.stack([np.interp(new, old, row) for row in samples])


def _read_only(samples: npt.NDArray[np.float64]) -> Pixels:
    pixels = samples.astype(np.float32)
    pixels.flags.writeable = False
    return pixels
