"""HDR-VDP-3.0.7, task "quality": how good a test picture looks beside its reference, in just-objectionable differences.

Absolute light in, cd/m2: the same pair at a hundredth of the light has another score. A report says the version, the
encoding and the pixels per degree beside the number.

Source: Mantiuk, Hammou, Hanji, "HDR-VDP-3: a multi-metric for predicting image differences, quality and contrast
distortions in high dynamic range and regular content", arXiv 2304.13625, 2023. Its model is that of HDR-VDP-2
(Mantiuk et al., 2011), with local adaptation, the pupil, and other parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import fft

from hdrnodes.metrics.resampling import resized
from hdrnodes.metrics.visual_difference.adaptation import local_adaptation, pupil_diameter
from hdrnodes.metrics.visual_difference.fourier import filter_mirrored, frequencies, padded_frequencies
from hdrnodes.metrics.visual_difference.inputs import check_viewing, differing, light_pair
from hdrnodes.metrics.visual_difference.masking import at_size, mutual_contrast, signed_power
from hdrnodes.metrics.visual_difference.optics import eye_transfer, on_retina
from hdrnodes.metrics.visual_difference.perceived import Band, Perceived
from hdrnodes.metrics.visual_difference.pyramid import SteerablePyramid
from hdrnodes.metrics.visual_difference.receptors import Receptors, absorbed
from hdrnodes.metrics.visual_difference.sensitivity import ContrastSensitivity
from hdrnodes.metrics.visual_difference.tables import Plane, tables

VERSION = "3.0.7"

Encoding = Literal["rgb-bt.709", "rgb-native", "luminance"]
EMISSION = {
    "rgb-bt.709": "vdp3_lmsr_native",
    "rgb-native": "vdp3_lmsr_native",
    "luminance": "vdp3_lmsr_lum",
}  # tables: channels x (L, M, S, rod)

GAIN = 10**0.203943775672
CONTRAST_POWER = 10**0.3424
MASKING_POWER = 10**0.108934275615
MASKED_BY_SELF, MASKED_BY_BANDS = 10**1.41846291721, 10**0.136877512403
POOLING_POWER = 0.8
OBSERVER_AGE, CALIBRATED_AGE = 24, 28  # years
RECEPTOR_RANGE = 1e-8, 1e10


@dataclass(frozen=True)
class HdrVdp3:
    """What HDR-VDP-3 says of a test picture.

    Args:
        q: quality; 10 is identical, lower is worse.
        jod: quality in just-objectionable differences: 10 is identical, and of two pictures one lower, 75 % of the
            observers choose the better.
    """

    q: float
    jod: float


def hdr_vdp_3(
    test: npt.ArrayLike, reference: npt.ArrayLike, *, encoding: Encoding = "rgb-bt.709", ppd: float = 30.0
) -> HdrVdp3:
    """Compare a test picture with its reference, as HDR-VDP 3.0.7 does for the task "quality" with default options.

    Args:
        test, reference: H x W x 3, or H x W luminance; cd/m2. Below 0 counts as 0.
        encoding: `rgb-bt.709`, linear; `rgb-native`, linear in the primaries of an LED-backlit LCD; or `luminance`.
        ppd: pixels per degree of visual angle, more than 4.

    Raises:
        MetricError: the sizes or channels differ or do not fit, a side has less than 13 pixels, NaN or infinity;
            an unknown encoding, or too small a ppd.
    """
    check_viewing("HDR-VDP-3", encoding, EMISSION, ppd, above=4)
    pyramid = SteerablePyramid.named("sp0")
    emission = tables()[EMISSION[encoding]]
    both = light_pair(test, reference, len(emission), pyramid.smallest_side)
    if encoding == "rgb-bt.709":
        both = native_light(both[0]), native_light(both[1])
    differs = differing(*both)
    perceived = perceive(both, emission, ppd)
    del both
    bands = list(contrast_bands(perceived, pyramid, ppd))
    log_adaptation = perceived.log_adaptation
    del perceived
    errors = [quality_error(visible_difference(bands, index, log_adaptation), differs) for index in range(len(bands))]
    q = 10 - 4 - np.log(np.exp(-4) + np.mean(errors))
    return HdrVdp3(float(q), float(10 - 0.52 * max(10 - q, 0) ** 1.2812))


def perceive(pictures: tuple[Plane, Plane], emission: Plane, ppd: float) -> Perceived:
    """Test and reference, channels x H x W in cd/m2, through the eye's optics, its pupil and its receptors."""
    height, width = shape = pictures[0].shape[1:]
    transfer = eye_transfer(padded_frequencies(shape, ppd))
    receptors = Receptors(tables()["vdp3_joint"], tables()["vdp3_rod"], GAIN)
    response, adaptation = np.empty((2, *shape)), np.empty((2, *shape))
    for index, picture in enumerate(pictures):
        retina = (on_retina(filter_mirrored(channel, transfer)) for channel in picture)
        long, middle, rod = absorbed(retina, emission).clip(*RECEPTOR_RANGE)
        adaptation[index] = local_adaptation(long + middle, ppd)
        opening = pupil_factor(adaptation[index], height * width / ppd**2)
        response[index] = receptors.cones(opening * long)
        response[index] += receptors.cones(opening * middle)
        response[index] += receptors.rods(opening * rod)
    return Perceived(response, adaptation)


def pupil_factor(adaptation: Plane, area: float) -> float:
    """How much more light the observer's pupil lets in than that of the eyes that the receptors were fitted to.

    Args:
        adaptation: H x W, cd/m2.
        area: of the picture, square degrees.
    """
    luminance = float(np.exp(np.log(adaptation).mean()))
    observer, calibrated = (pupil_diameter(luminance, area, age) for age in (OBSERVER_AGE, CALIBRATED_AGE))
    return (observer / calibrated) ** 2


def contrast_bands(perceived: Perceived, pyramid: SteerablePyramid, ppd: float) -> Iterator[Band]:
    """The bands of test and reference, finest first, with what differs and what both have."""
    levels = min(int(np.ceil(np.log2(ppd))) - 2, pyramid.most_levels(perceived.response.shape[1:]))
    for index, both in enumerate(pyramid.bands(perceived.response, levels)):
        both /= 2**index
        if index == levels + 1:
            both -= both.mean(axis=(2, 3), keepdims=True)
        yield Band(ppd / 2 ** (index + 1), both[0] - both[1], mutual_contrast(*both))


def thresholds(bands: list[Band], index: int, log_adaptation: Plane) -> Plane | float:
    """The contrast at threshold in a band, per pixel; for the base band one number, at its strongest frequency.

    Args:
        log_adaptation: log10 of the adapting luminance, at the picture's size.
    """
    band = bands[index]
    adapted = resized(log_adaptation, band.difference.shape[1:], "cubic")
    if index < len(bands) - 1:
        return contrast_sensitivity().thresholds(band.frequency, adapted.clip(-5, 5))
    return 1 / float(contrast_sensitivity()(strongest_frequency(band), adapted.mean()))


def strongest_frequency(band: Band) -> float:
    """The frequency of the difference's largest Fourier coefficient but the mean's, cycles per degree."""
    spectrum = np.abs(fft.rfft2(band.difference[0]))
    spectrum[0, 0] = 0
    return float(frequencies(band.difference.shape[1:], 4 * band.frequency).flat[spectrum.argmax()])


def visible_difference(bands: list[Band], index: int, log_adaptation: Plane) -> Plane:
    """The difference in a band, in units of what is just visible: height x width."""
    band, last = bands[index], len(bands) - 1
    difference, own = band.difference[0], band.mutual[0]
    if not difference.any():
        return np.zeros_like(difference)
    neighbours = np.zeros_like(difference)
    if index > 0:
        neighbours += at_size(bands[index - 1].mutual, 0, difference.shape)
    if index < last - 1:  # the base band masks nothing
        neighbours += at_size(bands[index + 1].mutual, 0, difference.shape)
    mask = MASKED_BY_SELF * own**MASKING_POWER + MASKED_BY_BANDS * neighbours**MASKING_POWER
    noise = thresholds(bands, index, log_adaptation) ** (2 * CONTRAST_POWER)
    return signed_power(difference, CONTRAST_POWER) / np.sqrt(noise + mask**2)


def quality_error(visible: Plane, differs: Plane) -> float:
    """The Minkowski mean of a band's difference, where the pictures differ (`differs`, H x W, 0 or 1)."""
    counted = np.abs(visible * resized(differs, visible.shape, "cubic"))
    return float((counted**POOLING_POWER).mean() ** (1 / POOLING_POWER))


def contrast_sensitivity() -> ContrastSensitivity:
    """The contrast sensitivity of this version."""
    return ContrastSensitivity(tables()["vdp3_csf_lum"], tables()["vdp3_csf"], without_optics=True)


def native_light(picture: Plane) -> Plane:
    """Linear BT.709, 3 x H x W, as the default display's primaries emit it: an LED-backlit sRGB LCD."""
    return np.maximum(np.tensordot(tables()["vdp3_bt709_to_native"], picture, axes=1), 1e-6)
