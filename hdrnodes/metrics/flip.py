"""HDR-FLIP: what one sees flipping between two pictures, at all exposures, by NVIDIA's package.

Source: Andersson et al., "Visualizing Errors in Rendered High Dynamic Range Images", Eurographics 2021 (short);
`flip-evaluator` (BSD-3-Clause).
"""

from __future__ import annotations

import numpy as np

from hdrnodes.errors import MetricError
from hdrnodes.metrics.base import Array, check_pair, luminance
from hdrnodes.metrics.colours import in_colours

INSTALL = "pip install 'hdrnodes[metrics]'; its wheels are for CPython 3.11 to 3.13 on x86-64, and Macs"


def hdr_flip(test: Array, reference: Array) -> float:
    """The mean of the map of HDR-FLIP: 0 where equal, lower is better, at most 1.

    67 pixels per degree; the tone curve is ACES; exposures follow the reference, so the unit of light plays no part.

    Args:
        test, reference: H x W x 3, linear BT.709, or H x W of luminance; cd/m2; negative light counts as none.

    Raises:
        MetricError: as `check_pair` does; the reference is black; the package is not installed.
    """
    try:
        from flip_evaluator import evaluate
    except ModuleNotFoundError as error:
        raise MetricError("HDR-FLIP", "flip_evaluator is not installed", INSTALL) from error
    check_pair(test, reference)
    light, wanted = (in_colours(each).clip(min=0) for each in (test, reference))
    # Where the median is 0 the package takes this epsilon, and where no exposure is left it ends the process.
    if luminance(wanted).max() <= np.finfo(np.float32).eps:
        raise MetricError("the reference", "is black, and HDR-FLIP exposes by it", "use another metric")
    _, mean, _ = evaluate(wanted, light, "HDR", applyMagma=False)
    return float(mean)
