"""HDR-VDP-2.2.2: how visible the difference between two pictures is, and how good the test picture looks.

Absolute light in, cd/m2: the same pair at a hundredth of the light has another score. A report says the version, the
encoding and the pixels per degree beside the number.

Sources: Mantiuk, Kim, Rempel, Heidrich, "HDR-VDP-2: a calibrated visual metric for visibility and quality predictions
in all luminance conditions", ACM TOG 30(4), 2011 (the model); Narwaria, Mantiuk, Perreira Da Silva, Le Callet,
"HDR-VDP-2.2", J. Electronic Imaging 24(1), 2015 (the quality's weights).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hdrnodes.errors import MetricError
from hdrnodes.metrics.resampling import resized
from hdrnodes.metrics.visual_difference.fourier import filter_filled, padded_frequencies
from hdrnodes.metrics.visual_difference.inputs import check_viewing, differing, light_pair
from hdrnodes.metrics.visual_difference.masking import at_size, mutual_contrast, signed_power
from hdrnodes.metrics.visual_difference.optics import eye_transfer, on_retina
from hdrnodes.metrics.visual_difference.perceived import Band, Perceived
from hdrnodes.metrics.visual_difference.pyramid import SteerablePyramid
from hdrnodes.metrics.visual_difference.receptors import Receptors, absorbed
from hdrnodes.metrics.visual_difference.sensitivity import ContrastSensitivity
from hdrnodes.metrics.visual_difference.tables import Plane, tables

VERSION = "2.2.2"

Encoding = Literal["rgb-bt.709", "luminance"]
Surround = float | Literal["mean"]
EMISSION = {"rgb-bt.709": "vdp2_lmsr_rgb", "luminance": "vdp2_lmsr_lum"}  # tables: channels x (L, M, S, rod)

GAIN = 0.006894596 / 10**-2.4
CONTRAST_POWER = 10**0.544068
MASKING_POWER = 10**0.49576
MASKED_BY_SELF, MASKED_BY_ORIENTATIONS, MASKED_BY_BANDS = 10**0.189065, 10**0.449199, 10**1.52512
PSYCHOMETRIC_SLOPE = 3.5
DARK_ROOM = 1e-5  # cd/m2
SMALLEST_ERROR = 1e-12


@dataclass(frozen=True, eq=False)
class HdrVdp2:
    """What HDR-VDP-2 says of a test picture.

    Args:
        q: quality; 100 is identical, lower is worse, without a lower bound.
        p_map: H x W, 0..1, the probability that an observer sees a difference there.
        p_det: 0..1, the probability that one is seen anywhere: the maximum of `p_map`.
        c_max: the largest contrast of a difference; 1 is at the threshold of detection.
    """

    q: float
    p_map: Plane
    p_det: float
    c_max: float


def hdr_vdp_2(
    test: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    encoding: Encoding = "rgb-bt.709",
    ppd: float = 30.0,
    surround: Surround = DARK_ROOM,
) -> HdrVdp2:
    """Compare a test picture with its reference, as HDR-VDP 2.2.2 does with its default options.

    Args:
        test, reference: H x W x 3, linear BT.709; or H x W luminance; cd/m2. Below 0 counts as 0.
        encoding: `rgb-bt.709` (shown on an LCD with a CCFL backlight) or `luminance` (D65).
        ppd: pixels per degree of visual angle.
        surround: light around the picture, cd/m2; `mean` is the geometric mean of each channel of the reference.

    Raises:
        MetricError: the sizes or channels differ or do not fit, a side has less than 17 pixels, NaN or infinity;
            an unknown encoding, ppd that is not positive, a negative surround.
    """
    check_viewing("HDR-VDP-2", encoding, EMISSION, ppd, above=0)
    if surround != "mean" and not 0 <= surround < np.inf:
        raise MetricError("HDR-VDP-2", f"has no value in a surround of {surround} cd/m2", "give 0 or more, or 'mean'")
    pyramid = SteerablePyramid.named("sp3")
    emission = tables()[EMISSION[encoding]]
    both = light_pair(test, reference, len(emission), pyramid.smallest_side)
    differs = differing(*both)
    perceived = perceive(both, emission, ppd, surround)
    del both
    bands = list(contrast_bands(perceived, pyramid, ppd))
    log_adaptation = perceived.log_adaptation
    del perceived
    visible = [visible_difference(bands, index, log_adaptation) for index in range(len(bands))]
    quality = 100 - sum(
        quality_loss(band.frequency, quality_errors(each, differs)) for band, each in zip(bands, visible, strict=True)
    )
    del bands
    contrast = visible_contrast(visible, pyramid)
    probability = 1 - np.exp(np.log(0.5) * contrast)
    return HdrVdp2(quality, probability, float(probability.max()), float(contrast.max()))


def perceive(pictures: tuple[Plane, Plane], emission: Plane, ppd: float, surround: Surround = DARK_ROOM) -> Perceived:
    """Test and reference, channels x H x W in cd/m2, through the eye's optics and its receptors.

    Source: Mantiuk et al., 2011, "Optical and retinal pathway".
    """
    shape = pictures[0].shape[1:]
    transfer = eye_transfer(padded_frequencies(shape, ppd))
    fills = [_geometric_mean(each) if surround == "mean" else surround for each in pictures[1]]
    receptors = Receptors(tables()["vdp2_joint"], tables()["vdp2_rod"], GAIN)
    response, adaptation = np.empty((2, *shape)), np.empty((2, *shape))
    for index, picture in enumerate(pictures):
        retina = (on_retina(filter_filled(*each, transfer)) for each in zip(picture, fills, strict=True))
        long, middle, rod = absorbed(retina, emission)
        adaptation[index] = long + middle
        response[index] = receptors.cones(long)
        response[index] += receptors.cones(middle)
        response[index] += receptors.rods(rod)
        response[index] -= response[index].mean()
    return Perceived(response, adaptation)


def contrast_bands(perceived: Perceived, pyramid: SteerablePyramid, ppd: float) -> Iterator[Band]:
    """The bands of test and reference, finest first, with what differs and what both have.

    The base band goes through the contrast sensitivity here, at each picture's mean adaptation; the others are compared
    with their thresholds in `visible_difference`.
    """
    levels = pyramid.most_levels(perceived.response.shape[1:])
    for index, both in enumerate(pyramid.bands(perceived.response, levels)):
        frequency = ppd / 2 ** (index + 1)
        if index == levels + 1:
            both = _base_band(both, perceived.adaptation.mean(axis=(1, 2)), frequency)
        yield Band(frequency, both[0] - both[1], mutual_contrast(*both))


def contrast_sensitivity() -> ContrastSensitivity:
    """The contrast sensitivity of this version."""
    return ContrastSensitivity(tables()["vdp2_csf_lum"], tables()["vdp2_csf"], without_optics=False)


def thresholds(bands: list[Band], index: int, log_adaptation: Plane) -> Plane:
    """The contrast at threshold of each pixel of a band: height x width. 1 in the base band, which is in its units.

    Args:
        log_adaptation: log10 of the adapting luminance, at the picture's size.
    """
    shape = bands[index].difference.shape[1:]
    if index == len(bands) - 1:
        return np.ones(shape)
    adapted = resized(log_adaptation, shape, "cubic").clip(-5, 5)
    return contrast_sensitivity().thresholds(bands[index].frequency, adapted)


def visible_difference(bands: list[Band], index: int, log_adaptation: Plane) -> Plane:
    """The difference in a band, in units of what is just visible: orientations x height x width.

    Source: Mantiuk et al., 2011, "Neural noise" and "Contrast masking".
    """
    band, last = bands[index], len(bands) - 1
    shape = band.difference.shape[1:]
    growth = 2.0**index  # of the pyramid's coefficients
    threshold = thresholds(bands, index, log_adaptation)
    masking_in_noise = growth * threshold**-MASKING_POWER
    noise = threshold ** (2 * CONTRAST_POWER)
    all_orientations = band.mutual.sum(axis=0)
    visible = np.empty_like(band.difference)
    for orientation, own in enumerate(band.mutual):
        others = np.maximum(all_orientations - own, 0)
        neighbours = np.zeros(shape)
        if index > 0:
            neighbours += at_size(bands[index - 1].mutual, orientation, shape) / (growth / 2)
        if index < last - 1:  # the base band masks nothing
            neighbours += at_size(bands[index + 1].mutual, orientation, shape) / (growth * 2)
        mask = MASKED_BY_SELF * (own / growth) ** MASKING_POWER
        mask += MASKED_BY_ORIENTATIONS * (others / growth) ** MASKING_POWER
        mask += MASKED_BY_BANDS * neighbours**MASKING_POWER
        mask *= masking_in_noise
        excitation = growth * signed_power(band.difference[orientation] / growth, CONTRAST_POWER)
        visible[orientation] = excitation / np.sqrt(noise + mask**2)
    return visible


def quality_errors(visible: Plane, differs: Plane) -> Plane:
    """A band's error, for each orientation, where the pictures differ (`differs`, H x W, 0 or 1)."""
    shape = visible.shape[1:]
    counted = visible * resized(differs, shape, "cubic")
    return np.sqrt((counted**2).sum(axis=(1, 2))) / (shape[0] * shape[1])


def quality_loss(frequency: float, errors: Plane) -> float:
    """What a band around `frequency`, cycles per degree, takes from the quality of 100.

    Source: the pooling of Narwaria et al., 2015.
    """
    known, weights = tables()["vdp2_quality_freq"], tables()["vdp2_quality_w"]
    weight = np.interp(frequency, known[::-1], weights[::-1])
    return float(weight * np.log(errors / SMALLEST_ERROR + 1).sum())


def visible_contrast(visible: list[Plane], pyramid: SteerablePyramid) -> Plane:
    """The bands put together and pooled over the picture: H x W, 1 at the threshold of detection.

    Source: Mantiuk et al., 2011, "Psychometric function" and "Spatial integration".
    """
    power = PSYCHOMETRIC_SLOPE / CONTRAST_POWER
    bands = [2.0**index * signed_power(band / 2.0**index, power) for index, band in enumerate(visible)]
    contrast = np.abs(pyramid.picture(bands))
    return contrast * (contrast.sum() / (contrast.max() + 1e-12))


def _base_band(both: Plane, adaptation: Plane, frequency: float) -> Plane:
    """What is left below all levels, 2 x 1 x height x width, through the contrast sensitivity."""
    rate = 2 * np.sqrt(2) * frequency
    grid = padded_frequencies(both.shape[2:], rate)
    fill = both[1].mean()
    transfers = (contrast_sensitivity()(grid, np.log10(luminance)) for luminance in adaptation)
    return np.stack(
        [filter_filled(each[0], fill, transfer)[None] for each, transfer in zip(both, transfers, strict=True)]
    )


def _geometric_mean(channel: Plane) -> float:
    with np.errstate(divide="ignore"):  # one black pixel makes it 0
        return float(np.exp(np.log(channel).mean()))
