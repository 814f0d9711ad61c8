"""Protocols: how two pictures, each in a unit of its own, become light in cd/m2 to compare, as each source says.

absolute    nothing is fitted: the files are in cd/m2
hdrnodes    one gain, fitted where the plate did not clip; the reference's highlights at 1000 cd/m2
si-hdr      Hanji et al., SIGGRAPH 2022, and the example of its authors: the reference's maximum at 4000 cd/m2. It is
            meant for CRF-corrected metrics
liu2020     Liu et al., CVPR 2020: each picture on its own, 0.1 %..99.9 % of its values to 1..999. It hides every
            error of gain, and its light is no longer absolute
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hdrnodes.errors import MetricError
from hdrnodes.metrics.base import BRIGHTEST, DARKEST, Array, Mask, check_pair, luminance

RELATIVE = 10.0  # cd/m2; a picture whose highlights are darker is hardly meant so
HIGHLIGHTS, WHITE = 99.9, 1000.0  # percentile of the reference's luminance, and the cd/m2 that it becomes
SI_HDR_PEAK = 4000.0  # cd/m2
LIU_DARK, LIU_BRIGHT, LIU_OUTSIDE = 1.0, 999.0, 0.001  # cd/m2, and the part of the values beyond each
SI_HDR_UNCLIPPED = 95.0  # percentile of the reference's values


@dataclass(frozen=True, eq=False)
class Aligned:
    """What a protocol made of two pictures.

    Args:
        test, reference: H x W x 3 float32, linear BT.709, cd/m2.
        clipped: H x W, where the plate clipped; None where that is not known.
        gain: what the test picture was multiplied with beside the reference, stops; None where nothing was fitted.
        scale: the cd/m2 that 1.0 of the reference became; None where that was not one factor.
        notes: what was done, a sentence each; the numbers that differ from pair to pair are the two above.
    """

    test: Array
    reference: Array
    clipped: Mask | None
    gain: float | None
    scale: float | None
    notes: tuple[str, ...]


Protocol = Callable[[Array, Array, Mask | None], Aligned]


def absolute(test: Array, reference: Array, clipped: Mask | None = None) -> Aligned:
    """Both as they are, for pictures that are in cd/m2 already.

    Args:
        test, reference: H x W x 3, linear BT.709, cd/m2.
        clipped: H x W, where the plate clipped.

    Raises:
        MetricError: the two do not go together.
    """
    check_pair(test, reference)
    notes = ["both are taken as they are, in cd/m2", *_unknown(clipped)]
    if np.percentile(luminance(reference), HIGHLIGHTS) < RELATIVE:
        notes.append(f"REF's highlights are below {RELATIVE:g} cd/m2: if it is relative, give a --protocol")
    return _aligned(test, reference, clipped, None, 1.0, notes)


def hdrnodes(test: Array, reference: Array, clipped: Mask | None = None) -> Aligned:
    """One gain, exp of the median of ln Y_ref - ln Y_test where the plate did not clip, and nothing else is fitted.

    Then the reference's 99.9th percentile of luminance becomes 1000 cd/m2, the test picture goes by the same factor,
    and both are clamped to 0.005..10000 cd/m2.

    Args:
        test, reference: H x W x 3, linear BT.709, each in a unit of its own.
        clipped: H x W, where the plate clipped; without it the gain is fitted to all pixels.

    Raises:
        MetricError: the reference is black, or the two do not go together.
    """
    check_pair(test, reference)
    gain, notes = _median_gain(test, reference, clipped)
    scale = _scale(WHITE, np.percentile(luminance(reference), HIGHLIGHTS))
    ours, theirs = (
        np.clip(light * factor, DARKEST, BRIGHTEST) for light, factor in ((test, gain * scale), (reference, scale))
    )
    notes += [
        f"the {HIGHLIGHTS}th percentile of REF's luminance becomes {WHITE:g} cd/m2, and PRED goes by the same factor",
        f"both are clamped to {DARKEST:g}..{BRIGHTEST:g} cd/m2",
        *_unknown(clipped),
    ]
    return _aligned(ours, theirs, clipped, gain, scale, notes)


def si_hdr(test: Array, reference: Array, clipped: Mask | None = None) -> Aligned:
    """The reference's largest value becomes 4000 cd/m2, as in the authors' example (`ex_sihdr.m`, beside their PU21).

    The source leaves tones, colours and exposure to the CRF correction, whose fit in PQ wants about the right exposure,
    and the outputs of methods are relative: the gain of `hdrnodes` comes first. Without a plate, clipped is what the
    example clips: values above the 95th percentile of all of the reference's, in any channel.

    Arguments and errors as `hdrnodes`.
    """
    check_pair(test, reference)
    notes = []
    if clipped is None:
        level = np.percentile(reference, SI_HDR_UNCLIPPED)
        clipped = np.atleast_3d(reference > level).max(axis=2)
        notes.append("clipped is where REF has a value above its 95th percentile, for want of a plate")
    gain, fitted = _median_gain(test, reference, clipped)
    scale = _scale(SI_HDR_PEAK, reference.max())
    ours, theirs = (np.maximum(light * factor, 0) for light, factor in ((test, gain * scale), (reference, scale)))
    notes += [
        *fitted,
        f"REF's maximum becomes {SI_HDR_PEAK:g} cd/m2, and PRED goes by the same factor",
        "the source's numbers are the CRF-corrected ones, .crf",
    ]
    return _aligned(ours, theirs, clipped, gain, scale, notes)


def liu2020(test: Array, reference: Array, clipped: Mask | None = None) -> Aligned:
    """Each picture mapped on its own, by `pre_mapped`. The source's number is hdr_vdp_2.q.bt709.ppd30 of the result.

    Arguments as `hdrnodes`.

    Raises:
        MetricError: the two do not go together.
    """
    check_pair(test, reference)
    notes = [
        "each picture is mapped on its own, 0.1 %..99.9 % of its values to 1..999: errors of gain are hidden, and the "
        "light is not absolute",
        *_unknown(clipped),
    ]
    return _aligned(pre_mapped(test), pre_mapped(reference), clipped, None, None, notes)


def pre_mapped(light: Array) -> Array:
    """Liu et al.'s mapping before HDR-VDP-2: 0.1 %..99.9 % of a picture's values, of all channels, to 1..999.

    Args:
        light: any shape and unit.

    Returns:
        The same shape, float64, from 0, not limited above.

    Source: Liu et al., CVPR 2020, their published evaluation.
    """
    light = light.astype(np.float64)
    outside = max(int(LIU_OUTSIDE * light.size + 0.5), 1)
    ranks = (outside - 1, light.size - outside)
    low, high = np.partition(light, ranks, axis=None)[list(ranks)]
    return np.maximum((light - low) * ((LIU_BRIGHT - LIU_DARK) / (high - low + 1e-8)) + LIU_DARK, 0)


PROTOCOLS: dict[str, Protocol] = {"absolute": absolute, "hdrnodes": hdrnodes, "si-hdr": si_hdr, "liu2020": liu2020}


def _median_gain(test: Array, reference: Array, clipped: Mask | None) -> tuple[float, list[str]]:
    """The gain, and what to say of it."""
    ours, theirs = luminance(test), luminance(reference)
    lit = (ours > 0) & (theirs > 0)
    seen = lit if clipped is None else lit & ~clipped
    where = "all pixels, for want of a plate" if clipped is None else "the pixels that did not clip"
    if not seen.any():
        seen, where = lit, "all pixels, for no other is lit"
    if not seen.any():
        return 1.0, ["no gain is fitted: no pixel is lit in both pictures"]
    gain = float(np.exp(np.median(np.log(theirs[seen]) - np.log(ours[seen]))))
    return gain, [f"one gain is fitted, the median over {where}"]


def _scale(wanted: float, found: np.floating[Any]) -> float:
    if found <= 0:
        raise MetricError("reference picture", "is black, and sets no scale", "give one with light in it")
    return wanted / float(found)


def _unknown(clipped: Mask | None) -> list[str]:
    return [] if clipped is not None else ["where the plate clipped is not known: no --plate is given"]


def _aligned(
    test: Array, reference: Array, clipped: Mask | None, gain: float | None, scale: float | None, notes: list[str]
) -> Aligned:
    stops = None if gain is None else float(np.log2(gain))
    return Aligned(test.astype(np.float32), reference.astype(np.float32), clipped, stops, scale, tuple(notes))
