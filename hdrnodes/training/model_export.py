"""Write the model folder of what was trained."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from hdrnodes.models import Model
from hdrnodes.networks.export import export_model
from hdrnodes.training.runs import Runs


def export_trained(
    runs: Runs,
    output: Path,
    *,
    version: str | None = None,
    licence: str | None = None,
    material: str | None = None,
    stagewise: bool = False,
    plates: Sequence[Tensor] = (),
    overwrite: bool = False,
) -> Model:
    """From the best checkpoints of all stages; see `Runs.all_four`.

    Args:
        runs: of one model.
        output: the model folder.
        version, licence: instead of the model's own.
        material: what it was trained on, in words, for the record.
        stagewise: take each stage from its own run, though it was trained on with others.
        plates: what half precision is audited on (`networks.export.export_model`).
        overwrite: replace the folder.

    Raises:
        TrainingError: a stage was not trained.
        ModelError: the folder exists, or cannot be written, or a network overflows half precision.
    """
    model = runs.model
    networks = runs.all_four(stagewise=stagewise)
    record = {"torch": torch.__version__, "stagewise": stagewise, "runs": runs.records()}
    if material:
        record["material"] = material
    return export_model(
        output,
        model.name,
        version or model.version,
        licence or model.licence,
        model.description,
        record,
        {stage: model.export(stage, network) for stage, network in networks.items()},
        plates=plates,
        overwrite=overwrite,
    )
