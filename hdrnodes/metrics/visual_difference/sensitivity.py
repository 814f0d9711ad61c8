"""Contrast sensitivity of the neural part of vision: what is seen, once the light is on the retina."""

from dataclasses import dataclass

import numpy as np

from hdrnodes.metrics.visual_difference.optics import eye_transfer
from hdrnodes.metrics.visual_difference.tables import Plane

TABULATED = np.linspace(-5, 5, 256)  # log10 of the adapting luminances, cd/m2, at which thresholds are tabulated


@dataclass(frozen=True, eq=False)
class ContrastSensitivity:
    """The CSF of one version of HDR-VDP. Source: Mantiuk et al., "HDR-VDP-2", 2011, "Neural noise".

    Args:
        luminances: cd/m2, (N,), rising, at which the parameters were fitted.
        parameters: (N, 4).
        without_optics: divide by the eye's transfer function: the parameters were fitted to the whole eye.
    """

    luminances: Plane
    parameters: Plane
    without_optics: bool

    def __call__(self, frequency: Plane | float, log_luminance: Plane | float) -> Plane:
        """Sensitivity: the inverse of the contrast at threshold; 0 at frequency 0.

        Args:
            frequency: cycles per degree.
            log_luminance: log10 of the adapting luminance in cd/m2; broadcast against `frequency`.
        """
        known = np.log10(self.luminances)
        p1, p2, p3, p4 = (np.interp(log_luminance, known, column) for column in self.parameters.T)
        rho = np.asarray(frequency, np.float64)
        found = p4 * np.sqrt((1 - np.exp(-((rho / 7) ** 2))) ** p3 / (1 + (p1 * rho) ** p2))
        return np.where(rho > 1e-4, found / eye_transfer(rho), 0) if self.without_optics else found

    def thresholds(self, frequency: float, log_luminance: Plane) -> Plane:
        """Contrast at threshold for each pixel's adaptation, from a table of 256 luminances; see `__call__`."""
        sensitivity = np.interp(log_luminance, TABULATED, self(frequency, TABULATED))
        return np.divide(1, sensitivity, out=sensitivity)
