"""How the stages of `default` are made, and exported."""

from collections.abc import Callable
from typing import Any

from torch import nn

from hdrnodes.networks.default.dequantize import Dequantize
from hdrnodes.networks.default.hallucinate import Hallucinate, HallucinateOverview
from hdrnodes.networks.default.linearize import Linearize
from hdrnodes.networks.default.refine import Refine, RefineOverview
from hdrnodes.networks.export import StageExport
from hdrnodes.training.trainable import Trainable
from hdrnodes.training.whole import ReducedFrame, WholeFrame

LINEARIZE_OVERVIEW = 192  # pixels on the longer side of the reduced frame
CONTEXT_OVERVIEW = 160


def _make(stage: str) -> nn.Module:
    makers: dict[str, Callable[[], nn.Module]] = {
        "dequantize": Dequantize,
        "linearize": lambda: ReducedFrame(Linearize(), LINEARIZE_OVERVIEW),
        "hallucinate": lambda: WholeFrame(Hallucinate(), HallucinateOverview(), CONTEXT_OVERVIEW),
        "refine": lambda: WholeFrame(Refine(), RefineOverview(), CONTEXT_OVERVIEW),
    }
    return makers[stage]()


def _export(stage: str, network: Any) -> StageExport:
    if stage == "dequantize":
        return StageExport("default", {"dequantize": network}, multiple=16, halo=96)
    if stage == "linearize":
        return StageExport("default", {"linearize": network.network}, overview=LINEARIZE_OVERVIEW)
    parts = {stage: network.network, f"{stage}_overview": network.overview_network}
    if stage == "hallucinate":
        return StageExport("default", parts, multiple=4, halo=32, overview=CONTEXT_OVERVIEW)
    return StageExport("default", parts, overview=CONTEXT_OVERVIEW)


MODEL = Trainable(
    name="default",
    version="0.1.0",
    licence="Apache-2.0",
    description="Four compact networks, trained on CC0 panoramas and measured camera responses only.",
    make=_make,
    export=_export,
)
