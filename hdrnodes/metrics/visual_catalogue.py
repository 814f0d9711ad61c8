"""The metrics that model an observer or were learnt from people's answers, with their ids: see `registry` for all.

What they compute with is imported when one is asked for its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

from hdrnodes.metrics.base import Array, Better, Metric, Pair
from hdrnodes.metrics.protocols import pre_mapped

VDP_2_SOURCE = "HDR-VDP 2.2.2; Narwaria et al., J. Electronic Imaging 24(1), 2015"
VDP_3_SOURCE = "HDR-VDP 3.0.7; Mantiuk, Hammou, Hanji, arXiv 2304.13625, 2023"
LPIPS_SOURCE = "LPIPS 0.1; Zhang et al., CVPR 2018"
DISTS_SOURCE = "Ding et al., IEEE TPAMI 44(5), 2022"
CVVDP_SOURCE = "cvvdp 0.5.7; Mantiuk et al., SIGGRAPH 2024"
FLIP_SOURCE = "flip-evaluator; Andersson et al., Eurographics 2021"

_ENCODINGS: dict[str, Any] = {"bt709": "rgb-bt.709", "luminance": "luminance", "native": "rgb-native"}
_COLOURS = {"bt709": "BT.709", "luminance": "luminance", "native": "display primaries"}


def visual_metrics() -> Iterator[Metric]:
    """HDR-VDP-2 and -3, LPIPS, DISTS, ColorVideoVDP, HDR-FLIP."""
    yield from _vdp_2_metrics()
    yield from _vdp_3_metrics()
    yield from _learnt_metrics()
    for display, shown in {
        "standard_hdr_linear": "1500 cd/m2, 10 lux",
        "standard_hdr_linear_dark": "1500 cd/m2, dark",
        "standard_hdr_pq": "1500 cd/m2, 10 lux, fed BT.2020 PQ",
        "peak10000_dark.ppd30": "10,000 cd/m2, dark, 30 pixels per degree",
    }.items():
        yield Metric(
            f"cvvdp.jod.{display}",
            f"ColorVideoVDP of a display of {shown}",
            "JOD",
            "higher",
            "at most 10, identical",
            CVVDP_SOURCE,
            partial(_cvvdp, display=display),
            "metrics",
            ("pycvvdp", "torch"),
        )
    yield Metric(
        "hdr_flip.mean",
        "mean of the map of HDR-FLIP",
        "",
        "lower",
        "0..1, 0 is identical",
        FLIP_SOURCE,
        _flip,
        "metrics",
        ("flip_evaluator",),
    )


def _vdp_2_metrics() -> Iterator[Metric]:
    measures: dict[str, tuple[str, str, Better, str]] = {
        "q": ("quality", "", "higher", "100 is identical, no lower bound"),
        "p_det": ("probability that a difference is seen anywhere", "", "lower", "0..1"),
        "c_max": ("largest contrast of the difference", "thresholds", "lower", "from 0, 1 is just seen"),
        "p_map_mean": ("mean probability that a difference is seen", "", "lower", "0..1"),
    }
    kinds = [("bt709", 30), ("luminance", 30), ("bt709", 60), ("luminance", 60)]
    for measure, (what, unit, better, span) in measures.items():
        for encoding, ppd in kinds:
            for variant in ("", ".premap", ".surround_mean") if (encoding, ppd) == ("bt709", 30) else ("",):
                title = f"HDR-VDP-2, {what}; {_COLOURS[encoding]}, {ppd} pixels per degree{_VARIANTS[variant]}"
                function = partial(_vdp_2, measure=measure, encoding=encoding, ppd=ppd, variant=variant)
                name = f"hdr_vdp_2.{measure}.{encoding}.ppd{ppd}{variant}"
                yield Metric(name, title, unit, better, span, VDP_2_SOURCE, function, "metrics", ("scipy",))


def _vdp_3_metrics() -> Iterator[Metric]:
    kinds = [("bt709", 30), ("luminance", 30), ("bt709", 60), ("luminance", 60), ("native", 30), ("bt709", 24)]
    for measure, unit in {"q": "", "jod": "JOD"}.items():
        for encoding, ppd in kinds:
            title = f"HDR-VDP-3, quality; {_COLOURS[encoding]}, {ppd} pixels per degree"
            function = partial(_vdp_3, measure=measure, encoding=encoding, ppd=ppd)
            name, span = f"hdr_vdp_3.{measure}.{encoding}.ppd{ppd}", "at most 10, identical"
            yield Metric(name, title, unit, "higher", span, VDP_3_SOURCE, function, "metrics", ("scipy",))


def _learnt_metrics() -> Iterator[Metric]:
    networks: dict[str, tuple[str, str, Callable[[Pair], float], tuple[str, ...]]] = {
        "lpips_alex": ("LPIPS, AlexNet", LPIPS_SOURCE, partial(_lpips, net="alex"), ("alexnet",)),
        "lpips_vgg": ("LPIPS, VGG16", LPIPS_SOURCE, partial(_lpips, net="vgg"), ("vgg16",)),
        "dists": ("DISTS, VGG16", DISTS_SOURCE, _dists, ("vgg16", "dists")),
    }
    for name, (title, source, function, weights) in networks.items():
        title, span = f"{title}, of tone-mapped 8-bit codes", "from 0, identical"
        packages = ("torch", "safetensors")
        yield Metric(f"tone_mapped.{name}", title, "", "lower", span, source, function, "metrics", packages, weights)


_VARIANTS = {
    "": "",
    ".premap": "; each mapped to 1..999 as by Liu et al.",
    ".surround_mean": "; surround as bright as the reference",
}


def _vdp_2(pair: Pair, measure: str, encoding: str, ppd: int, variant: str) -> float:
    from hdrnodes.metrics.hdr_vdp_2 import hdr_vdp_2

    def compare() -> dict[str, float]:
        test, reference = _seen(pair, encoding)
        if variant == ".premap":
            test, reference = pre_mapped(test), pre_mapped(reference)
        surround: Any = {"surround": "mean"} if variant == ".surround_mean" else {}
        found = hdr_vdp_2(test, reference, encoding=_ENCODINGS[encoding], ppd=float(ppd), **surround)
        # Without its maps, which are as large as the pictures.
        return {"q": found.q, "p_det": found.p_det, "c_max": found.c_max, "p_map_mean": float(found.p_map.mean())}

    return pair.once(("HDR-VDP-2", encoding, ppd, variant), compare)[measure]


def _vdp_3(pair: Pair, measure: str, encoding: str, ppd: int) -> float:
    from hdrnodes.metrics.hdr_vdp_3 import hdr_vdp_3

    def compare() -> Any:
        return hdr_vdp_3(*_seen(pair, encoding), encoding=_ENCODINGS[encoding], ppd=float(ppd))

    return float(getattr(pair.once(("HDR-VDP-3", encoding, ppd), compare), measure))


def _seen(pair: Pair, encoding: str) -> tuple[Array, Array]:
    return pair.luminance if encoding == "luminance" else (pair.test, pair.reference)


def _lpips(pair: Pair, net: Literal["alex", "vgg"]) -> float:
    from hdrnodes.metrics.lpips import lpips

    return lpips(pair.test, pair.reference, net)


def _dists(pair: Pair) -> float:
    from hdrnodes.metrics.dists import dists

    return dists(pair.test, pair.reference)


def _cvvdp(pair: Pair, display: Any) -> float:
    from hdrnodes.metrics.color_video_vdp import color_video_vdp

    return color_video_vdp(pair.test, pair.reference, display)


def _flip(pair: Pair) -> float:
    from hdrnodes.metrics.flip import hdr_flip

    return hdr_flip(pair.test, pair.reference)
