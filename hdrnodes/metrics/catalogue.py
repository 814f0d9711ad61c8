"""The metrics that are computed here from the values alone, with their ids: see `registry` for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hdrnodes.errors import MetricError
from hdrnodes.metrics.base import Array, Better, Metric, Pair, luminance
from hdrnodes.metrics.fidelity import ms_ssim, mu_law, psnr, ssim
from hdrnodes.metrics.pu21 import PEAK, pu21
from hdrnodes.metrics.stops import (
    curve_rmse,
    log10_rmse,
    log_bias,
    log_rmse,
    peak_error,
    scale_invariant_log_rmse,
)
from hdrnodes.metrics.tone_mapping import tone_mapped
from hdrnodes.metrics.vsi import vsi

Both = tuple[Array, Array]
Encoding = Callable[[Pair], Both]

PSNR_SOURCE = "Wang and Bovik, IEEE SPM 26(1), 2009"
PU21_SOURCE = "Mantiuk and Azimi, PCS 2021"
MU_LAW_SOURCE = "Kalantari and Ramamoorthi, SIGGRAPH 2017"
SSIM_SOURCE = "Wang et al., IEEE TIP 13(4), 2004"


def pointwise_metrics() -> Iterator[Metric]:
    """PSNR, SSIM, MS-SSIM and VSI of the encodings, errors in stops, and the curve's."""
    for name, values, rgb, grey, peak, source in (
        ("linear", "light over the reference's maximum", _relative_rgb, _relative_grey, 1.0, PSNR_SOURCE),
        ("mu_law", "mu-law of light over the reference's maximum", _mu_rgb, _mu_grey, 1.0, MU_LAW_SOURCE),
        ("tone_mapped", "8-bit codes, x / (1 + x)", _codes_rgb, _codes_grey, 1.0, "Reinhard et al., SIGGRAPH 2002"),
        ("pu21", "PU21 values", _pu21_rgb, _pu21_grey, PEAK, PU21_SOURCE),
    ):
        yield Metric(
            f"{name}.psnr_rgb", f"PSNR of {values}", "dB", "higher", "unbounded", source, _measured(psnr, rgb, peak)
        )
        yield _similarity(f"{name}.ssim_y", f"SSIM of {values}, luminance", SSIM_SOURCE, ssim, grey, peak)
    yield Metric(
        "pu21.psnr_y",
        "PSNR of PU21 values, luminance",
        "dB",
        "higher",
        "unbounded",
        PU21_SOURCE,
        _measured(psnr, _pu21_grey, PEAK),
    )
    yield _similarity(
        "pu21.ms_ssim_y", "MS-SSIM of PU21 values, luminance", "Wang et al., Asilomar 2003", ms_ssim, _pu21_grey, PEAK
    )
    yield Metric(
        "pu21.vsi",
        "VSI of PU21 values",
        "",
        "higher",
        "0..1, 1 is identical",
        "Zhang, Shen, Li, IEEE TIP 23(10), 2014",
        lambda pair: vsi(*_pu21_rgb(pair)),
        "metrics",
        ("scipy",),
    )
    yield from _log_metrics()


def _log_metrics() -> Iterator[Metric]:
    eigen = "Eigen, Puhrsch, Fergus, NIPS 2014"
    yield Metric(
        "log_rmse.log10_rgb",
        "RMS of log10 of the ratio, RGB",
        "log10",
        "lower",
        "from 0",
        eigen,
        lambda pair: log10_rmse(pair.test, pair.reference),
    )
    errors: list[tuple[str, str, Better, str, Callable[..., float]]] = [
        ("log_rmse.log2_y", "RMS of log2 of the luminance ratio", "lower", "from 0", log_rmse),
        ("log_bias.log2_y", "mean of log2 of the luminance ratio", "zero", "negative is too dark", log_bias),
    ]
    for name, title, better, span, function in errors:
        yield _in_stops(name, title, better, span, eigen, _everywhere(function))
        yield _in_stops(f"{name}.inside", f"{title} where the plate clipped", better, span, eigen, _inside(function))
        yield _in_stops(
            f"{name}.outside", f"{title} where the plate did not clip", better, span, eigen, _outside(function)
        )
    yield _in_stops(
        "log_rmse.log2_y.scale_invariant",
        "RMS of log2 of the luminance ratio after the best gain",
        "lower",
        "from 0",
        eigen,
        lambda pair: scale_invariant_log_rmse(*pair.luminance),
    )
    yield _in_stops(
        "peak.log2_y",
        "difference of the 99.9th percentiles of luminance",
        "zero",
        "negative is too dark",
        "hdrnodes",
        lambda pair: peak_error(*pair.luminance),
    )
    yield Metric(
        "curve.rmse", "RMS error of the inverse response", "of clip level", "lower", "0..1", "hdrnodes", _curve_error
    )


def _similarity(id: str, title: str, source: str, measure: Any, encoding: Encoding, peak: float) -> Metric:
    function = _measured(measure, encoding, peak)
    return Metric(id, title, "", "higher", "at most 1, identical", source, function, "metrics", ("scipy",))


def _in_stops(
    id: str,
    title: str,
    better: Better,
    span: str,
    source: str,
    function: Callable[[Pair], float],
) -> Metric:
    return Metric(id, title, "stops", better, span, source, function)


def _measured(measure: Callable[[Array, Array, float], float], encoding: Encoding, peak: float) -> Any:
    return lambda pair: measure(*encoding(pair), peak)


def _everywhere(measure: Any) -> Callable[[Pair], float]:
    return lambda pair: measure(*pair.luminance)


def _inside(measure: Any) -> Callable[[Pair], float]:
    return lambda pair: measure(*pair.luminance, _clipped(pair, "no pixel of the plate clipped", True))


def _outside(measure: Any) -> Callable[[Pair], float]:
    return lambda pair: measure(*pair.luminance, _clipped(pair, "every pixel of the plate clipped", False))


def _clipped(pair: Pair, why_empty: str, wanted: bool) -> Any:
    if pair.clipped is None:
        raise MetricError("mask", "where the plate clipped is not known", "give the plate")
    if not (pair.clipped == wanted).any():
        raise MetricError("mask", why_empty, "there is nothing to measure")
    return pair.clipped == wanted


def _curve_error(pair: Pair) -> float:
    if pair.test_curve is None or pair.reference_curve is None:
        whose = "estimated curve" if pair.test_curve is None else "camera's own curve"
        raise MetricError("curve", f"the {whose} is not known", "write PRED with hdrnodes, and give --curve")
    return curve_rmse(pair.test_curve, pair.reference_curve)


def _pu21_rgb(pair: Pair) -> Both:
    return pair.once("pu21", lambda: (pu21(pair.test), pu21(pair.reference)))


def _pu21_grey(pair: Pair) -> Both:
    return pair.once("pu21 luminance", lambda: (pu21(pair.luminance[0]), pu21(pair.luminance[1])))


def _relative_rgb(pair: Pair) -> Both:
    top = _maximum(pair)
    return pair.test / top, pair.reference / top


def _relative_grey(pair: Pair) -> Both:
    top = _maximum(pair)
    return pair.luminance[0] / top, pair.luminance[1] / top


def _mu_rgb(pair: Pair) -> Both:
    test, reference = _relative_rgb(pair)
    return mu_law(test), mu_law(reference)


def _mu_grey(pair: Pair) -> Both:
    test, reference = _relative_grey(pair)
    return mu_law(test), mu_law(reference)


def _codes_rgb(pair: Pair) -> Both:
    return pair.once("tone-mapped", lambda: tone_mapped(pair.test, pair.reference))


def _codes_grey(pair: Pair) -> Both:
    test, reference = _codes_rgb(pair)
    return luminance(test), luminance(reference)


def _maximum(pair: Pair) -> Any:
    top = pair.reference.max()
    if top <= 0:
        raise MetricError("reference picture", "is black", "give one with light in it")
    return top
