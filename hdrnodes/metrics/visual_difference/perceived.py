"""What is compared: two pictures as they leave the receptors, and one of the bands that they are taken apart into."""

from dataclasses import dataclass

import numpy as np

from hdrnodes.metrics.visual_difference.tables import Plane


@dataclass(frozen=True, eq=False)
class Perceived:
    """Test and reference, 2 x H x W each: `response` in just noticeable steps, `adaptation` in cd/m2."""

    response: Plane
    adaptation: Plane

    @property
    def log_adaptation(self) -> Plane:
        """log10 of the mean of both pictures' adaptation, H x W."""
        return np.log10(self.adaptation.mean(axis=0).clip(1e-5, 1e5))


@dataclass(frozen=True, eq=False)
class Band:
    """One band of frequencies around `frequency`, cycles per degree: orientations x height x width.

    Args:
        difference: test minus reference.
        mutual: the contrast that both have, which masks the difference.
    """

    frequency: float
    difference: Plane
    mutual: Plane
