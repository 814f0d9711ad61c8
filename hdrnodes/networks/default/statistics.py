"""What one picture tells of the camera's response, as numbers that do not say what the picture shows.

    tones    how much of the picture lies at each level: of its luma, its brightest and its darkest channel
    steps    how far neighbours lie apart, level by level, at two scales: a response parts tones where it is steep,
             and scenes have edges of all strengths at all levels
    bends    how far a pixel lies from the mean of its neighbours, level by level: light mixes linearly across an edge
             before the response, and only there

Edges tell of the camera whatever the scene (Lin, Gu, Yamazaki, Shum, "Radiometric calibration from a single image",
CVPR 2004); tones tell because scenes are alike. Nothing here is learned.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

TONES, LEVELS = 33, 17  # bins of the histograms, and of what is taken level by level
SCALES = (1, 2)
COUNT = 3 * TONES + len(SCALES) * 2 * LEVELS


def statistics(display: Tensor) -> Tensor:
    """N x 3 x h x w float32, display-referred 0..1, h and w at least 1 -> N x COUNT, of the order of one."""
    red, green, blue = display.flatten(2).unbind(dim=1)
    luma = 0.25 * red + 0.5 * green + 0.25 * blue
    brightest, darkest = display.amax(dim=1).flatten(1), display.amin(dim=1).flatten(1)
    one = torch.ones_like(luma)[:, None]
    found = [_by_level(tones, one, TONES)[:, 0] / tones.shape[1] for tones in (luma, brightest, darkest)]
    for scale in SCALES:
        rim = 3 * scale // 2  # so that three pixels are left of a single one
        enough = F.pad(display, (rim, rim, rim, rim), mode="replicate")
        found.append(_steps_and_bends(F.avg_pool2d(enough, scale), every=2 if scale == 1 else 1))
    return torch.cat(found, dim=1)


def _steps_and_bends(picture: Tensor, every: int) -> Tensor:
    """Logs of their means at each level, over all channels and both directions; N x (2 * LEVELS)."""
    threes = []
    for three in (
        (picture[..., :-2, :], picture[..., 1:-1, :], picture[..., 2:, :]),
        (picture[..., :-2], picture[..., 1:-1], picture[..., 2:]),
    ):
        # Every second pixel both ways says as much, at the finest scale.
        threes.append(torch.stack([each[..., ::every, ::every].flatten(1) for each in three], dim=1))
    before, middle, after = torch.cat(threes, dim=2).unbind(dim=1)
    unclipped = (torch.maximum(torch.maximum(before, middle), after) < 0.98).to(middle.dtype)
    step, bend = (after - before).abs(), (before + after - 2 * middle).abs()
    sums = _by_level(middle, torch.stack([unclipped, unclipped * step, unclipped * bend], dim=1), LEVELS)
    count = sums[:, :1]
    # A level that hardly occurs tells nothing: its numbers go to zero.
    known = count / (count + 30)
    return (torch.log(sums[:, 1:] / (count + 5) + 1e-3) * known).flatten(1)


def _by_level(levels: Tensor, values: Tensor, bins: int) -> Tensor:
    """Sums of values where the level falls into each of evenly spaced bins: N x P, N x K x P -> N x K x bins.

    As a product with zeros and ones: TensorRT has no scattering that adds up.
    """
    nearest = torch.round(levels * (bins - 1)).clamp(0, bins - 1)[..., None]
    fallen = (nearest == torch.arange(bins, dtype=levels.dtype, device=levels.device)).to(values.dtype)
    return values @ fallen
