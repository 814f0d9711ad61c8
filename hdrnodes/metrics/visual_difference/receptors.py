"""How cones and rods take light, and answer it: in steps that are just noticeable."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hdrnodes.metrics.visual_difference.tables import Plane

LOGARITHMS = -5 + 10 * np.arange(2048) / 2047  # of the luminances at which responses are tabulated, cd/m2


@dataclass(frozen=True, eq=False)
class Receptors:
    """The responses of one version of HDR-VDP. Source: Mantiuk et al., "HDR-VDP-2", 2011, "Luminance masking".

    Args:
        joint: four parameters of the sensitivity of cones and rods together.
        rod: six parameters of the sensitivity of rods.
        gain: of both responses.
    """

    joint: Plane
    rod: Plane
    gain: float

    def cones(self, light: Plane) -> Plane:
        """The response of one type of cone to light in cd/m2; the shape of `light`."""
        return np.interp(_logarithm(light), LOGARITHMS, self._cone_response)

    def rods(self, light: Plane) -> Plane:
        """The response of the rods to light in cd/m2; the shape of `light`."""
        return np.interp(_logarithm(light), LOGARITHMS, self._rod_response)

    @cached_property
    def _cone_response(self) -> Plane:
        luminance = 10**LOGARITHMS
        both_types = np.maximum(self._joint_sensitivity(luminance) - self._rod_sensitivity(luminance), 1e-3)
        one_type = 0.5 * np.interp(np.minimum(2 * luminance, luminance[-1]), luminance, both_types)
        return self.gain * _integral(one_type)

    @cached_property
    def _rod_response(self) -> Plane:
        return self.gain * _integral(self._rod_sensitivity(10**LOGARITHMS))

    def _joint_sensitivity(self, luminance: Plane) -> Plane:
        a1, a2, a3, a4 = self.joint
        return a1 * ((a2 / luminance) ** a3 + 1) ** -a4

    def _rod_sensitivity(self, luminance: Plane) -> Plane:
        peak, width_below, power_below, width_above, power_above, gain = self.rod
        distance = np.log10(luminance / peak)
        above = np.exp(-(np.abs(distance) ** power_above) / width_above)
        below = np.exp(-(np.abs(distance) ** power_below) / width_below)
        return 10**gain * np.where(distance > 0, above, below)


def absorbed(retina: Iterable[Plane], emission: Plane) -> Plane:
    """What long- and middle-wave cones and rods take of the light on the retina: 3 x H x W.

    Args:
        retina: the light of each of the display's channels, H x W, cd/m2.
        emission: channels x 4: of each channel's light, the parts that L, M and S cones and rods take.
    """
    return np.tensordot(emission[:, [0, 1, 3]].T, np.stack(list(retina)), axes=1)


def _integral(sensitivity: Plane) -> Plane:
    """Just noticeable steps from the lowest luminance up to each: sensitivity is 1 / (relative threshold)."""
    steps = np.log(10) * np.diff(LOGARITHMS) * (sensitivity[1:] + sensitivity[:-1]) / 2
    return np.concatenate([[0], np.cumsum(steps)])


def _logarithm(light: Plane) -> Plane:
    return np.log10(np.clip(light, 1e-5, 1e5))
