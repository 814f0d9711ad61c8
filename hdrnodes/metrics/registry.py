"""All metrics by their ids, and those that are meant when nobody says which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from importlib.util import find_spec

from hdrnodes.errors import MetricError, ModelError
from hdrnodes.metrics.base import Metric
from hdrnodes.metrics.catalogue import pointwise_metrics
from hdrnodes.metrics.visual_catalogue import visual_metrics

_STOPS = ("log_rmse.log2_y", "log_rmse.log2_y.inside", "log_rmse.log2_y.outside", "log_rmse.log2_y.scale_invariant")
_SIGNED_STOPS = ("log_bias.log2_y.inside", "log_bias.log2_y.outside", "peak.log2_y")
_PU21 = ("pu21.psnr_rgb", "pu21.psnr_rgb.crf", "pu21.ssim_y", "pu21.ms_ssim_y", "pu21.vsi", "pu21.vsi.crf")

_BESIDE_THE_EXTRA = {"pycvvdp": "pip install --no-deps cvvdp==0.5.7"}  # an extra cannot say --no-deps

# Protocol -> what is measured when nobody says what: seconds for a photograph. Liu et al. publish Q and nothing else.
DEFAULTS = {
    "absolute": (*_PU21, "mu_law.psnr_rgb", *_STOPS, *_SIGNED_STOPS),
    "hdrnodes": (*_PU21, "mu_law.psnr_rgb", *_STOPS, *_SIGNED_STOPS),
    "si-hdr": (*_PU21, "pu21.ssim_y.crf"),
    "liu2020": ("hdr_vdp_2.q.bt709.ppd30",),
}


@cache
def metrics() -> dict[str, Metric]:
    """Id -> metric. Each that looks at pictures is there twice, the second time `.crf`, CRF-corrected."""
    known: dict[str, Metric] = {}
    for metric in (*pointwise_metrics(), *visual_metrics()):
        known[metric.id] = metric
        if metric.id != "curve.rmse":
            known[f"{metric.id}.crf"] = _corrected(metric)
    return known


def find_metrics(wanted: Sequence[str]) -> list[Metric]:
    """The metrics of ids and globs (`pu21.*`), or of `all`, in the order of the registry.

    Raises:
        MetricError: an id or glob is nobody's; the message has the nearest.
    """
    known = metrics()
    patterns = ["*" if pattern == "all" else pattern for pattern in wanted]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            near = get_close_matches(pattern, known, n=3)
            remedy = f"did you mean {' or '.join(near)}?" if near else "`hdrnodes evaluate --list` has them all"
            raise MetricError(f"metric {pattern}", "is none of ours", remedy)
    return [metric for name, metric in known.items() if any(fnmatchcase(name, pattern) for pattern in patterns)]


def missing(metric: Metric) -> str | None:
    """What it needs and this machine has not, and how to get it; None where it can run."""
    absent = [name for name in metric.packages if find_spec(name) is None]
    if absent:
        extra = f"pip install 'hdrnodes[{metric.needs}]'"
        by_the_extra_first = sorted(absent, key=_BESIDE_THE_EXTRA.__contains__)
        remedies = dict.fromkeys(_BESIDE_THE_EXTRA.get(name, extra) for name in by_the_extra_first)  # each once
        return f"{_listed(absent)} not installed; {' && '.join(remedies)}"
    if metric.weights:
        from hdrnodes.metrics.weights import REMEDY, weights_path

        try:
            lost = [path.name for path in map(weights_path, metric.weights) if not path.is_file()]
        except ModelError as error:
            return str(error)
        if lost:
            return f"{_listed(lost)} missing; {REMEDY}"
    return None


def _listed(names: Sequence[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _corrected(metric: Metric) -> Metric:
    return replace(
        metric,
        id=f"{metric.id}.crf",
        title=f"{metric.title}; test picture CRF-corrected",
        source=f"{metric.source}; Hanji et al., SIGGRAPH 2022",
        function=lambda pair: metric.function(pair.corrected),
    )
