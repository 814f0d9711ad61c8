"""How good a model is: on scenes and responses that no training saw, beside the linearised plate.

Each plate goes through `hdrnodes.reconstruct` as a user's would. One gain is fitted where the plate did not clip; then

    inside, outside    RMSE of log2 luminance, stops, where the plate clipped and where it did not
    peak               difference of the 99.9th percentiles of luminance, stops; negative is too dark
    curve              RMSE of the estimated inverse response

The baselines are the plate through sRGB's inverse, and through the true inverse response, nothing invented.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hdrnodes.camera.response import invert_response
from hdrnodes.curve import Curve
from hdrnodes.metrics.bootstrap import paired_interval
from hdrnodes.training.losses import LUMINANCE
from hdrnodes.training.photograph import Plates
from hdrnodes.training.validation_plates import ValidationSet

Array = npt.NDArray[np.float32]
Method = Callable[[npt.NDArray[np.uint8], Array], tuple[Array, Array]]
FLOOR = 1e-4  # of the clip level: darker than any 8-bit plate tells


@dataclass(frozen=True)
class Scores:
    """One number a plate, for each column."""

    inside: Array
    outside: Array
    peak: Array
    curve: Array


def validate(method: Method, plates: ValidationSet) -> Scores:
    """Score a method: from the plate's codes (H x W x 3 uint8) and the true curve, scene-linear light and a curve."""
    rows = [_score(method, each) for each in plates.plates]
    return Scores(*np.array(rows, np.float32).T)


def methods(model: str, executor: str) -> dict[str, Method]:
    """The baselines, and the model."""
    import hdrnodes
    from hdrnodes.nodes.base import Context

    context = Context(executor=executor)
    srgb = Curve.named("srgb").samples

    def ours(codes: npt.NDArray[np.uint8], truth: Array) -> tuple[Array, Array]:
        image = hdrnodes.reconstruct(codes, model=model, context=context)
        assert image.curves is not None
        return image.rgb, image.curves

    return {
        "sRGB inverse": lambda codes, truth: (invert_response(_display(codes), srgb[0]), srgb),
        "true inverse response": lambda codes, truth: (invert_response(_display(codes), truth), truth[None]),
        f"hdrnodes, {model}": ours,
    }


def table(scores: dict[str, Scores]) -> Iterator[tuple[str, ...]]:
    """Rows of text: method, then a mean for each column, beside it the change against the first method."""
    first = next(iter(scores.values()))
    for name, own in scores.items():
        cells = []
        for column in ("inside", "outside", "peak", "curve"):
            values, against = getattr(own, column), getattr(first, column)
            cell = f"{values.mean():.3f}"
            if own is not first and column != "peak":
                low, high = paired_interval(values, against)
                cell += f" ({values.mean() / against.mean() - 1:+.0%}, {low:+.2f} .. {high:+.2f})"
            cells.append(cell)
        yield name, *cells


def _score(method: Method, plates: Plates) -> tuple[float, float, float, float]:
    codes = np.round(plates.codes[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    truth = plates.curve[0, 0].numpy()
    light = plates.light[0].permute(1, 2, 0).numpy()
    found, curve = method(codes, truth)
    unclipped = codes.max(axis=2) < 255
    difference = _log_luminance(found) - _log_luminance(light)
    difference -= np.median(difference[unclipped])
    clipped = light.max(axis=2) >= 1
    ours, theirs = (np.percentile(_log_luminance(each), 99.9) for each in (found, light))
    gain = np.median((_log_luminance(found) - _log_luminance(light))[unclipped])
    error = np.sqrt(np.mean((curve - truth) ** 2))
    return _rms(difference[clipped]), _rms(difference[~clipped]), float(ours - gain - theirs), float(error)


def _log_luminance(light: Array) -> Array:
    return np.log2(light @ np.array(LUMINANCE, np.float32) + np.float32(FLOOR))


def _display(codes: npt.NDArray[np.uint8]) -> Array:
    return codes.astype(np.float32) / np.float32(255)


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))
