"""What the stages are fitted with. Source of the terms of Liu et al.: CVPR 2020, sections 3.1-3.4.

Every term of a loss gives one number a plate, so that plates that do not count can be left out without touching the
others: `batch_mean` refuses anything else, for a mask of N that meets errors of N x 1024 broadcasts without a word.
"""

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from pydantic import BaseModel
from torch import Tensor

from hdrnodes.errors import TrainingError
from hdrnodes.primaries import LUMINANCE

DARK = 2.0**-8  # of the clip level: below, a log says more of noise than of light
BLACK, WHITE = 6 / 255, 249 / 255  # grey of the plate, and beyond (Liu et al.: their data loader)
CELL = 16  # pixels: of each cell the brightest is compared
WINDOWS = (9, 17)  # pixels: in which light varies
LEAST = 0.01  # of a plate: a mean over a mask that covers less is over this much


def weighted(terms: Mapping[str, Callable[[], Tensor]], weights: BaseModel, counts: Tensor) -> dict[str, Tensor]:
    """The terms of a loss whose weight is not 0, and their weighted sum as `loss`. The others are not computed.

    Args:
        terms: each gives N values, one a plate; their names are those of the weights.
        weights: a number for each.
        counts: N, how much each plate counts, see `counted`.

    Raises:
        ValueError: a term gives another shape than `counts` has.
        TrainingError: no term has a weight.
    """
    told = {name: weight for name, weight in weights.model_dump().items() if weight}
    if not told:
        raise TrainingError("recipe", "no term of the loss has a weight", f"give one to {', '.join(terms)}")
    means = {name: batch_mean(terms[name](), counts) for name in told}
    loss = sum((weight * means[name] for name, weight in told.items()), counts.new_zeros(()))
    return {"loss": loss, **means}


def batch_mean(each: Tensor, counts: Tensor) -> Tensor:
    """Mean over the plates that count; 0 where none does. Raises ValueError unless both are N values."""
    if each.shape != counts.shape or each.ndim != 1:
        raise ValueError(f"a term gives {tuple(each.shape)}, and {tuple(counts.shape)} plates count: one value each")
    return (each * counts).sum() / counts.sum().clamp(min=1)


def counted(codes: Tensor, extremes: float) -> Tensor:
    """Which plates count: 1, or 0 where more than a share of the pixels is black, or white. N x 3 x H x W -> N.

    Source: Liu et al., CVPR 2020, drop plates with more than half at 6 and below, or at 249 and above, of 255.
    """
    grey = luminance(codes)
    black, white = ((each.float().mean(dim=(1, 2, 3)) > extremes) for each in (grey <= BLACK, grey >= WHITE))
    return (~(black | white)).float()


def per_plate(error: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of each plate's error: N x C x H x W -> N.

    Args:
        error: of each value.
        weight: N x 1 x H x W, 0..1, how much each place counts; all alike if None.

    Raises:
        ValueError: the weight has another shape.
    """
    if weight is None:
        return error.flatten(1).mean(dim=1)
    n, _, height, width = error.shape
    if weight.shape != (n, 1, height, width):
        raise ValueError(f"a weight of {tuple(weight.shape)} for errors of {tuple(error.shape)}: one a pixel")
    return (error * weight).mean(dim=(1, 2, 3)) / weight.mean(dim=(1, 2, 3)).clamp(min=LEAST)


def luminance(light: Tensor) -> Tensor:
    """N x 3 x H x W scene-linear BT.709 -> N x 1 x H x W."""
    red, green, blue = light[:, 0:1], light[:, 1:2], light[:, 2:3]
    return LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue


def log_light(light: Tensor) -> Tensor:
    """log(1 + 10 x) / log 11: 0 -> 0, 1 -> 1; the domain of the published hallucination loss."""
    return torch.log1p(10 * light.clamp(min=0)) / math.log(11)


def stops(light: Tensor) -> Tensor:
    """log2 of light above a floor of -8 stops under the clip level."""
    return torch.log2(light.clamp(min=0) + DARK)


def total_variation(image: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean absolute difference of neighbours, below and to the right, of each plate: N x C x H x W -> N.

    Args:
        image: any values.
        weight: N x 1 x H x W, 0..1, how much the upper or left one of two neighbours counts; all alike if None.
    """
    # The last row and column are their own neighbours: no difference, and the shapes stay.
    down = (F.pad(image, (0, 0, 0, 1), mode="replicate")[..., 1:, :] - image).abs()
    right = (F.pad(image, (0, 1, 0, 0), mode="replicate")[..., 1:] - image).abs()
    return per_plate(down + right, weight)


def peaks_apart(found: Tensor, light: Tensor, weight: Tensor) -> Tensor:
    """Squared difference, in stops, of the brightest of each channel in each cell of 16 x 16 pixels: N values.

    A mean over pixels is met best by the middle of what could be there; suns are the few pixels where that is wrong by
    stops. Where in its cell the brightest one is, is left open. Brightest is meant of two by two pixels, and channel by
    channel: else one pixel in four, and of that the green, is the cheapest way to a bright cell.

    Args:
        found, light: N x 3 x H x W, scene-linear.
        weight: N x 1 x H x W, 0..1; a cell counts as its highest.
    """
    ours, theirs, counts = (
        F.max_pool2d(F.avg_pool2d(each, 2, ceil_mode=True), CELL // 2, ceil_mode=True)
        for each in (found.clamp(min=0), light, weight)
    )
    return per_plate((stops(ours) - stops(theirs)).square(), counts)


def texture_apart(found: Tensor, light: Tensor, weight: Tensor) -> Tensor:
    """Difference, in stops, of how much luminance varies in windows of 9 and 17 pixels: N values.

    What clipped had texture, and where each grain of it was nobody can know: a difference pixel by pixel is least
    where there is none. This asks for as much of it, anywhere in the window.

    Args:
        found, light: N x 3 x H x W, scene-linear.
        weight: N x 1 x H x W, 0..1; only what it covers is looked at.
    """
    apart = []
    for window in WINDOWS:
        ours, covered = _spread(stops(luminance(found)), weight, window)
        theirs, _ = _spread(stops(luminance(light)), weight, window)
        apart.append(per_plate((ours - theirs).abs(), covered))
    return torch.stack(apart).mean(dim=0)


def _spread(levels: Tensor, weight: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Standard deviations in overlapping windows, weighted, and how much of each window is covered."""

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, window, stride=window // 2, padding=window // 2, count_include_pad=False)

    covered = mean(weight)
    share = covered.clamp(min=1e-4)
    centre = mean(levels * weight) / share
    variance = (mean(levels.square() * weight) / share - centre.square()).clamp(min=0)
    return torch.sqrt(variance + 1e-3), covered  # the slope of a root is endless at 0
