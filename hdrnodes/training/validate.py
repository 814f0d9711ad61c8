"""How good a model is: on scenes and responses that no training saw, beside the linearised plate.

Each plate goes through `hdrnodes.reconstruct` as a user's would. Result and truth are aligned by the protocol
`hdrnodes` (`hdrnodes.metrics.protocols`): one gain, fitted where the plate did not clip, and nothing else. Clipped is
where the truth reaches the clip level; JPEG moves codes, and it knows better than they do.

What each stage is worth: `hdrnodes.training.ablations`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hdrnodes.camera.response import invert_response
from hdrnodes.curve import Curve
from hdrnodes.metrics.base import Metric, Pair
from hdrnodes.metrics.evaluate import Scores, measured
from hdrnodes.metrics.protocols import PROTOCOLS
from hdrnodes.metrics.summary import Summary, summarise
from hdrnodes.nodes.base import Context
from hdrnodes.pipeline import reconstruct
from hdrnodes.training.photograph import Plates
from hdrnodes.training.validation_plates import Kind, ValidationSet

Array = npt.NDArray[np.float32]
Method = Callable[[npt.NDArray[np.uint8], Array], tuple[Array, Array]]

# Metric -> what the table calls it.
COLUMNS = {
    "log_rmse.log2_y.inside": "inside, stops",
    "log_rmse.log2_y.outside": "outside, stops",
    "pu21.psnr_rgb": "PU21-PSNR, dB",
    "pu21.psnr_rgb.crf": "after a tone fit, dB",
    "peak.log2_y": "peak, stops",
    "curve.rmse": "curve RMSE",
}


def validate(method: Method, plates: ValidationSet, metrics: Sequence[Metric]) -> list[Scores]:
    """Score a method: from the plate's codes (H x W x 3 uint8) and the true curve, scene-linear light and a curve."""
    return [_scores(method, each, kind, metrics) for each, kind in zip(plates.plates, plates.kinds, strict=True)]


def baselines() -> dict[str, Method]:
    """The plate through sRGB's inverse, and through the true inverse response: nothing is invented."""
    srgb = Curve.named("srgb").samples
    return {
        "sRGB inverse": lambda codes, truth: (invert_response(_display(codes), srgb[0]), srgb),
        "true inverse response": lambda codes, truth: (invert_response(_display(codes), truth), truth[None]),
    }


def ours(model: str, context: Context) -> Method:
    """What a user gets of a model."""

    def reconstructed(codes: npt.NDArray[np.uint8], truth: Array) -> tuple[Array, Array]:
        image = reconstruct(codes, model=model, context=context)
        assert image.curves is not None
        return image.rgb, image.curves

    return reconstructed


def groups(plates: ValidationSet) -> Iterator[tuple[str, list[int]]]:
    """All plates; then those of each clip level, and of each way they are written: name, and which they are."""
    yield "all", list(range(len(plates.plates)))
    for level in sorted({kind.clipped for kind in plates.kinds}):
        yield f"{level:.0%} clipped", [i for i, kind in enumerate(plates.kinds) if kind.clipped == level]
    for written in sorted({kind.written for kind in plates.kinds}):
        yield written, [i for i, kind in enumerate(plates.kinds) if kind.written == written]


def summaries(
    scores: Mapping[str, Sequence[Scores]], plates: ValidationSet
) -> Iterator[tuple[str, str, dict[str, Summary]]]:
    """Group by group, method by method: group, method, and what each metric says, against the first method."""
    first = next(iter(scores.values()))
    for group, chosen in groups(plates):
        for name, own in scores.items():
            against = [] if own is first else [first[i] for i in chosen]
            yield group, name, summarise([own[i] for i in chosen], against)


def cell(summary: Summary) -> str:
    """The mean, and the 95 % interval of its difference to the first method's."""
    if summary.mean is None:
        return "-"
    text = f"{summary.mean:.3f}"
    if summary.against is not None:
        text += f" ({summary.against.low:+.2f} .. {summary.against.high:+.2f})"
    return text


def _scores(method: Method, plates: Plates, kind: Kind, metrics: Sequence[Metric]) -> Scores:
    codes = np.round(plates.codes[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    truth, light = plates.curve[0, 0].numpy(), plates.light[0].permute(1, 2, 0).numpy()
    found, curve = method(codes, truth)
    aligned = PROTOCOLS["hdrnodes"](found, light, light.max(axis=2) >= 1)
    pair = Pair(aligned.test, aligned.reference, aligned.clipped, curve, truth[None])
    values, undefined = measured(metrics, pair)
    return Scores(
        name=kind.scene,
        test_path=None,
        reference_path=Path(kind.scene),
        plate_path=None,
        gain=aligned.gain,
        scale=aligned.scale,
        values=values,
        undefined=undefined,
        notes=aligned.notes,
    )


def _display(codes: npt.NDArray[np.uint8]) -> Array:
    return codes.astype(np.float32) / np.float32(255)
