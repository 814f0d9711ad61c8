"""Compare pictures with their references, by a protocol: what `hdrnodes evaluate` does, for one image and for a set."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from hdrnodes.camera.clipping import TOP_CODE
from hdrnodes.clean import clean
from hdrnodes.curve import Curve
from hdrnodes.errors import HdrnodesError, MetricError
from hdrnodes.image import LINEAR, Image, Window
from hdrnodes.io import read
from hdrnodes.metrics.base import SAME_SIZE, Array, Mask, Metric, Pair
from hdrnodes.metrics.protocols import PROTOCOLS
from hdrnodes.metrics.registry import DEFAULTS, find_metrics, missing
from hdrnodes.nodes.base import Context
from hdrnodes.nodes.color_space import convert
from hdrnodes.nodes.inverse_crf import InverseCRF

Source = str | os.PathLike[str]

# What `clean` counts -> how it is said of one value, and of more.
REPLACED = {
    "nan": ("1 value that is NaN: it counts as 0", "{} values that are NaN: they count as 0"),
    "infinite": (
        "1 value that is infinite: it counts as the largest that is not",
        "{} values that are infinite: they count as the largest that is not",
    ),
    "negative": ("1 value below 0: it counts as 0", "{} values below 0: they count as 0"),
}


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What is said of a picture beside its reference.

    Args:
        name: what tells it from others: a stem, a frame's number.
        test_path, reference_path, plate_path: where the pictures came from; None where there was no file.
        gain: what the protocol multiplied the test picture with beside the reference, stops; None where it fitted none.
        scale: the cd/m2 that 1.0 of the reference became; None where that was not one factor.
        values: metric id -> number; None where it is not defined.
        undefined: id -> why not.
        notes: what was taken for what, and what the protocol did, a sentence each.
    """

    name: str
    test_path: Path | None
    reference_path: Path
    plate_path: Path | None
    gain: float | None
    scale: float | None
    values: dict[str, float | None]
    undefined: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison(Scores):
    """The scores, and the pictures that they are of.

    Args:
        test, reference: H x W x 3 float32, linear BT.709, cd/m2, as the protocol left them.
        clipped: H x W, where the plate clipped; None where that is not known.
        test_curve, reference_curve: inverse responses: the one that the test picture went through, and the camera's
            own; None where not known.
    """

    test: Array
    reference: Array
    clipped: Mask | None
    test_curve: Curve | None
    reference_curve: Curve | None

    @property
    def scores(self) -> Scores:
        """Without the pictures, of which a set would fill the memory."""
        return Scores(**{each.name: getattr(self, each.name) for each in fields(Scores)})


def evaluate(
    test: Source | Image,
    reference: Source,
    plate: Source | None = None,
    *,
    protocol: str = "absolute",
    metrics: Sequence[str] = (),
    curve: Curve | None = None,
    name: str | None = None,
) -> Comparison:
    """Compare a picture with its reference.

    Args:
        test, reference: scene-linear pictures in one size, of any primaries that OCIO knows: files; `test` may also be
            what `reconstruct` gave.
        plate: the 8-bit picture that `test` was made of; it says what clipped: the top code, in any channel.
        protocol: how the two are aligned and brought to cd/m2: `absolute`, `hdrnodes`, `si-hdr`, `liu2020`; see
            `hdrnodes.metrics.protocols`.
        metrics: ids and globs, see `hdrnodes.metrics.registry`; `all`; the protocol's own few when empty.
        curve: the camera's own inverse response; beside the one in the header of `test` it gives `curve.rmse`.
        name: for the result; the stem of the reference if None.

    Raises:
        ReadError: a file cannot be read.
        MetricError: a picture is display-referred, sizes or places in the frame differ, the reference is black; no such
            protocol or metric.
        KnobError: OCIO does not know a colour space.
    """
    if protocol not in PROTOCOLS:
        raise MetricError(f"protocol {protocol}", "is none of ours", f"choose {', '.join(PROTOCOLS)}")
    chosen = find_metrics(metrics or DEFAULTS[protocol])
    notes: list[str] = []
    ours, theirs = _linear("PRED", test, notes), _linear("REF", reference, notes)
    _check_place(_called("PRED", test), ours, theirs)
    clipped = None if plate is None else _clipped(Path(plate), theirs)
    aligned = PROTOCOLS[protocol](ours.rgb, theirs.rgb, clipped)
    test_curve = Curve.applied_to(ours)
    pair = Pair(
        aligned.test,
        aligned.reference,
        aligned.clipped,
        None if test_curve is None else test_curve.samples,
        None if curve is None else curve.samples,
    )
    values, undefined = measured(chosen, pair)
    return Comparison(
        name=name or Path(reference).stem,
        test_path=None if isinstance(test, Image) else Path(test),
        reference_path=Path(reference),
        plate_path=None if plate is None else Path(plate),
        test=aligned.test,
        reference=aligned.reference,
        clipped=aligned.clipped,
        test_curve=test_curve,
        reference_curve=curve,
        gain=aligned.gain,
        scale=aligned.scale,
        values=values,
        undefined=undefined,
        notes=(*notes, *aligned.notes),
    )


def linearised(plate: Source, curve: str = "srgb") -> Image:
    """The baseline that every method is to be better than: the plate through an inverse response, nothing invented.

    Args:
        plate: a display-referred picture.
        curve: `srgb`, `bt709`, or a file: the camera's own.

    Returns:
        Scene-linear, 1.0 where the plate clips.

    Raises:
        ReadError, CurveError: a file cannot be read, or is no curve.
        MetricError: the plate is scene-linear already.
    """
    image = read(plate)
    if image.is_linear:
        raise MetricError(os.fspath(plate), "is scene-linear already", "give the plate as the camera made it")
    return InverseCRF(curve=curve).process({"image": image}, Context())


def _linear(role: str, source: Source | Image, notes: list[str]) -> Image:
    """A picture in linear BT.709, without what a metric cannot compute with; notes say what was done to it."""
    image = source if isinstance(source, Image) else read(source)
    if not image.is_linear:
        problem = f"is display-referred ({image.colorspace}), and metrics compare scene-linear light"
        raise MetricError(_called(role, source), problem, "reconstruct it, or convert it to a linear EXR")
    if "chromaticities" in image.metadata:
        notes.append(f"{role} has primaries that have no name; they are taken for BT.709's")
    elif image.colorspace == LINEAR:
        notes.append(f"{role} is taken for scene-linear BT.709: the file says so, or says nothing")
    else:
        notes.append(f"{role} is converted from {image.colorspace} to BT.709")
        image = convert(image, LINEAR)
    colour = image.without_extra_channels(alpha=False)
    if len(colour.channels) == 1:
        notes.append(f"{role} is grey: its channel stands for red, green and blue")
    if image.alpha is not None:
        notes.append(f"{role} has alpha, which is left out")
    image, counts = clean(image)
    notes += [f"{role} has {REPLACED[what][count > 1].format(count)}" for what, count in counts.items()]
    return image


def _clipped(path: Path, reference: Image) -> Mask:
    """Where any channel of the plate has its top code: H x W."""
    plate = read(path)
    _check_place(str(path), plate, reference)
    top = TOP_CODE if (plate.bits or 8) <= 8 else 1.0
    return np.asarray(plate.rgb.max(axis=2) >= top)


def _called(role: str, source: Source | Image) -> str:
    """What an error line calls a picture."""
    return role if isinstance(source, Image) else os.fspath(source)


def _check_place(called: str, image: Image, reference: Image) -> None:
    """Refuse pixels that are not those of the reference's: another size, another place in a frame of one size."""
    if (image.width, image.height) != (reference.width, reference.height):
        problem = f"is {image.width} x {image.height}, and REF {reference.width} x {reference.height}"
        raise MetricError(called, problem, SAME_SIZE)
    ours, theirs = _place(image), _place(reference)
    if ours != theirs and ours[2:] == theirs[2:]:
        problem = f"begins at {ours.x}, {ours.y} of its display window, and REF at {theirs.x}, {theirs.y}"
        raise MetricError(called, problem, "give both with one data window")


def _place(image: Image) -> Window:
    """Where the data window begins in the display window, and the size of that."""
    whole = Window(0, 0, image.width, image.height)
    data, display = image.data_window or whole, image.display_window or whole
    return Window(data.x - display.x, data.y - display.y, display.width, display.height)


def measured(chosen: Sequence[Metric], pair: Pair) -> tuple[dict[str, float | None], dict[str, str]]:
    """Each metric's number, and why some have none."""
    values: dict[str, float | None] = {}
    undefined = {}
    for metric in chosen:
        values[metric.id] = None
        reason = missing(metric)
        if reason is None:
            try:
                value = metric.function(pair)
            except HdrnodesError as error:
                reason = str(error)
            except (MemoryError, RuntimeError) as error:  # torch's, of which any metric may run out or trip
                reason = _why_not_computed(error)
            else:
                if math.isfinite(value):
                    values[metric.id] = value
                else:
                    reason = f"comes out as {value}"
        if reason is not None:
            undefined[metric.id] = reason
    return values, undefined


def _why_not_computed(error: MemoryError | RuntimeError) -> str:
    said = str(error).strip().partition("\n")[0]
    return f"cannot be computed ({type(error).__name__}{f': {said}' if said else ''})"
