"""What metrics are made of: two pictures side by side, and what is known about a number.

Pictures are linear BT.709 light in absolute cd/m2, H x W x 3, or H x W of luminance.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from hdrnodes.errors import MetricError

Array = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]
Better = Literal["higher", "lower", "zero"]
Result = TypeVar("Result")

LUMINANCE = (0.212656, 0.715158, 0.072186)  # of linear BT.709; to six places, as the sources of our metrics have it
DARKEST, BRIGHTEST = 0.005, 10_000.0  # cd/m2: the range that PU21 is made for


@dataclass(frozen=True)
class Metric:
    """One number about a pair, and all that a table says of it.

    Args:
        id: `family.measure.details`, and `.crf` where the test picture is CRF-corrected first.
        title: what it is, in a few words.
        unit: `dB`, `stops`, `JOD`; empty for a plain number.
        better: which way is better; `zero` where both signs are errors.
        range: the values it can have, as people write them.
        source: the paper, or where the definition comes from.
        function: takes a `Pair`; raises MetricError where the number is not defined for it.
        needs: the extra of hdrnodes that brings what it computes with; None where nothing more is needed.
        packages: the modules of that extra that it imports.
        weights: the files of `hdrnodes metric-weights` that it reads.
    """

    id: str
    title: str
    unit: str
    better: Better
    range: str
    source: str
    function: Callable[[Pair], float]
    needs: str | None = None
    packages: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Pair:
    """A test picture and its reference.

    Args:
        test, reference: H x W x 3, or H x W of luminance; linear BT.709, cd/m2.
        clipped: H x W, where the plate clipped; None where that is not known.
        test_curve, reference_curve: inverse responses, 1 x S or 3 x S: the estimate, and the camera's own.

    Raises:
        MetricError: the two differ in size or channels, or hold NaN or infinity.
    """

    test: Array
    reference: Array
    clipped: Mask | None = None
    test_curve: Array | None = None
    reference_curve: Array | None = None
    _found: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_pair(self.test, self.reference)
        if self.clipped is not None and self.clipped.shape != self.reference.shape[:2]:
            raise MetricError("mask", f"is {_size(self.clipped)}, the pictures {_size(self.reference)}", SAME_SIZE)

    @cached_property
    def luminance(self) -> tuple[Array, Array]:
        """Y of test and reference, H x W, cd/m2."""
        return luminance(self.test), luminance(self.reference)

    @cached_property
    def corrected(self) -> Pair:
        """The same pair, the test picture CRF-corrected (Hanji et al., SIGGRAPH 2022)."""
        from hdrnodes.metrics.crf_correction import crf_corrected

        return replace(self, test=crf_corrected(self.test, self.reference))

    def once(self, what: Hashable, compute: Callable[[], Result]) -> Result:
        """A result that several metrics are read from, computed when the first of them asks."""
        if what not in self._found:
            self._found[what] = compute()
        return self._found[what]


SAME_SIZE = "give both in one size; nothing is resized here"


def check_pair(test: Array, reference: Array) -> None:
    """Refuse what no metric is defined for.

    Raises:
        MetricError: different sizes or channels; no pixels; NaN or infinity.
    """
    _check_shape("test picture", test)
    _check_shape("reference picture", reference)
    if test.shape[:2] != reference.shape[:2]:
        raise MetricError("test picture", f"is {_size(test)}, the reference {_size(reference)}", SAME_SIZE)
    if test.shape != reference.shape:
        raise MetricError("test picture", "and reference differ in channels", "give colours in both, or luminance")
    for name, picture in (("test", test), ("reference", reference)):
        if not np.isfinite(picture).all():
            raise MetricError(f"{name} picture", "holds NaN or infinity", "take them out, and say so")


def luminance(light: Array) -> Array:
    """Y of linear BT.709 light: H x W x 3 -> H x W; of luminance, itself. The unit stays.

    Raises:
        MetricError: another shape.

    >>> luminance(np.float32([[[1, 1, 1], [0, 1, 0]]])).tolist()
    [[1.0, 0.7151579856872559]]
    """
    _check_shape("picture", light)
    if light.ndim == 2:
        return light
    return light @ np.array(LUMINANCE, light.dtype)


def _check_shape(name: str, picture: Array) -> None:
    if picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,)) or not picture.size:
        raise MetricError(name, f"has the shape {picture.shape}", "give H x W x 3, or H x W")


def _size(picture: npt.NDArray[Any]) -> str:
    return f"{picture.shape[1]} x {picture.shape[0]}"
