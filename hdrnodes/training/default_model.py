"""How the stages of `default` are made, trained and put together into a model folder."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hdrnodes.errors import ModelError
from hdrnodes.models import Model
from hdrnodes.networks.default.dequantize import Dequantize
from hdrnodes.networks.default.hallucinate import Hallucinate, HallucinateOverview
from hdrnodes.networks.default.linearize import Linearize
from hdrnodes.networks.default.refine import Refine, RefineOverview
from hdrnodes.networks.export import StageExport, export_model
from hdrnodes.training.checkpoints import load_weights
from hdrnodes.training.refine import FirstThree
from hdrnodes.training.response_basis import BASIS
from hdrnodes.training.whole import WholeFrame

LINEARIZE_OVERVIEW = 192  # pixels on the longer side of the reduced frame
CONTEXT_OVERVIEW = 160


@dataclass(frozen=True)
class Recipe:
    """What a stage is trained with; the budget is two CPU cores for an hour, all stages together."""

    size: tuple[int, int]  # of the plates, height and width, pixels
    steps: int
    batch: int
    rate: float
    validate_every: int
    per_view: int = 1
    odd: float = 0.0
    one_curve: bool = False
    clipped: tuple[float, float] = (0.0, 0.25)  # of the pixels, least and most


RECIPES = {
    "dequantize": Recipe(size=(160, 160), steps=3000, batch=8, rate=1e-3, validate_every=200),
    "linearize": Recipe(
        (128, 192), steps=1200, batch=32, rate=1.5e-3, validate_every=100, per_view=2, odd=0.3, one_curve=True
    ),
    "hallucinate": Recipe((256, 384), steps=1700, batch=8, rate=8e-4, validate_every=100, clipped=(0.01, 0.25)),
    "refine": Recipe((192, 288), steps=400, batch=8, rate=1e-4, validate_every=100),
}


def dequantize_network() -> Dequantize:
    return Dequantize()


def linearize_network(measured: Tensor | None = None) -> Linearize:
    """With the shipped response basis; `measured` (N x 1024) says how far its weights usually go."""
    network = Linearize()
    if measured is not None:
        with np.load(BASIS) as basis:
            mean, directions = basis["mean"], basis["directions"]
        network.use_basis(mean, directions, ((measured.numpy() - mean) @ directions.T).std(axis=0))
    return network


def hallucinate_network() -> WholeFrame:
    return WholeFrame(Hallucinate(), HallucinateOverview(), CONTEXT_OVERVIEW)


def refine_network() -> WholeFrame:
    return WholeFrame(Refine(), RefineOverview(), CONTEXT_OVERVIEW)


def trained(stage: str, runs: Path) -> Any:
    """A stage's network with the best weights of its run. Raises ModelError where it has none."""
    makers: dict[str, Callable[[], nn.Module]] = {
        "dequantize": dequantize_network,
        "linearize": linearize_network,
        "hallucinate": hallucinate_network,
        "refine": refine_network,
    }
    file = runs / stage / "best.safetensors"
    if not file.exists():
        raise ModelError(file, "there is no such checkpoint", f"run `hdrnodes train {stage}` first")
    network = makers[stage]()
    load_weights(network, file)
    return network.eval()


def first_three(runs: Path) -> FirstThree:
    """The trained stages before refinement."""
    dequantize, linearize, hallucinate = (trained(stage, runs) for stage in ("dequantize", "linearize", "hallucinate"))
    return FirstThree(dequantize, linearize, hallucinate, LINEARIZE_OVERVIEW)


def export_default(runs: Path, output: Path, version: str, *, overwrite: bool = False) -> Model:
    """Write the model folder of `default` from the best checkpoints of all stages.

    Raises:
        ModelError: a stage was not trained, or the folder exists.
    """
    invented, rest = trained("hallucinate", runs), trained("refine", runs)
    stages = {
        "dequantize": StageExport("default", {"dequantize": trained("dequantize", runs)}, multiple=16, halo=64),
        "linearize": StageExport("default", {"linearize": trained("linearize", runs)}, overview=LINEARIZE_OVERVIEW),
        "hallucinate": StageExport(
            "default",
            {"hallucinate": invented.network, "hallucinate_overview": invented.overview_network},
            multiple=4,
            halo=32,
            overview=CONTEXT_OVERVIEW,
        ),
        "refine": StageExport(
            "default", {"refine": rest.network, "refine_overview": rest.overview_network}, overview=CONTEXT_OVERVIEW
        ),
    }
    return export_model(
        output,
        "default",
        version,
        "Apache-2.0",
        "Four compact networks, trained on CC0 panoramas and measured camera responses only.",
        {
            "scenes": "CC0 HDR panoramas of Poly Haven, Blender and pmndrs",
            "responses": "141 measured ones of DoRF (Grossberg and Nayar, CVPR 2003), and transfer functions",
            "torch": torch.__version__,
            "stages": {stage: _last_scores(runs / stage) for stage in stages},
        },
        stages,
        overwrite=overwrite,
    )


def _last_scores(run: Path) -> dict[str, float]:
    """The line of the log whose weights are the best."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    best: dict[str, float] = min(lines, key=lambda line: line["validation_score"])
    return best
