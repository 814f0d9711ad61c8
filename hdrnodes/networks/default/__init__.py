"""`default`: four compact networks of our own, see each file."""

from hdrnodes.networks.base import StageNetwork
from hdrnodes.networks.default.dequantize import Dequantize
from hdrnodes.networks.default.hallucinate import Hallucinate, HallucinateOverview
from hdrnodes.networks.default.linearize import Linearize
from hdrnodes.networks.default.refine import Refine, RefineOverview

NETWORKS: dict[str, type[StageNetwork]] = {
    "dequantize": Dequantize,
    "linearize": Linearize,
    "hallucinate": Hallucinate,
    "hallucinate_overview": HallucinateOverview,
    "refine": Refine,
    "refine_overview": RefineOverview,
}
