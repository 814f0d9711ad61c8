"""The eye's optics: how much contrast scattering in the eye leaves of each spatial frequency."""

import numpy as np

from hdrnodes.metrics.visual_difference.tables import Plane, tables

DARKEST, BRIGHTEST = 1e-5, 1e10  # cd/m2, on the retina


def eye_transfer(frequency: Plane) -> Plane:
    """The modulation transfer function of the eye, 0..1, at frequencies in cycles per degree.

    Source: Mantiuk et al., "HDR-VDP-2", 2011, "Intra-ocular light scatter"; parameters of 2.2.2 and 3.0.7.
    """
    transfer = np.zeros_like(frequency)
    for amount, slope in zip(tables()["mtf_a"], tables()["mtf_b"], strict=True):
        transfer += amount * np.exp(-slope * frequency)
    return transfer


def on_retina(light: Plane) -> Plane:
    """Filtered light, cd/m2, kept in the range that the receptors' model takes; in place."""
    return np.clip(light, DARKEST, BRIGHTEST, out=light)
