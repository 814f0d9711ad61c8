"""Write model folders from torch modules: weights as safetensors, ONNX in float32 and FP16, model.toml."""

import copy
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hdrnodes.errors import ModelError
from hdrnodes.models import MODEL_FILE, Model, file_sha256
from hdrnodes.networks import load
from hdrnodes.networks.activations import bytes_per_pixel
from hdrnodes.networks.audit_plates import drawn_plates, network_inputs
from hdrnodes.networks.base import StageNetwork
from hdrnodes.networks.half import half_precision
from hdrnodes.networks.onnx_graph import to_onnx
from hdrnodes.networks.range_audit import audit


@dataclass(frozen=True)
class StageExport:
    """A stage to export; the numbers are those of `models.Stage`."""

    architecture: str
    networks: Mapping[str, StageNetwork]  # "hallucinate", perhaps "hallucinate_overview" too
    multiple: int = 1
    halo: int = 0
    overview: int = 0


def export_model(
    folder: str | Path,
    name: str,
    version: str,
    licence: str,
    description: str,
    training: Mapping[str, Any],
    stages: Mapping[str, StageExport],
    *,
    plates: Sequence[Tensor] = (),
    overwrite: bool = False,
) -> Model:
    """Write a model folder, whole or not at all, and load it.

    Args:
        folder: the model folder to make; its name should be `name`.
        name, version, licence, description: told to users by `hdrnodes doctor` and in each EXR's header.
        training: what made the weights; any record that TOML can hold (no None).
        stages: stage name to what to export. The modules are left as they are.
        plates: what half precision is audited on, 1 x 3 x H x W each, codes / 255; if none is given, drawn ones.
        overwrite: replace a folder of that name.

    Raises:
        ModelError: the folder exists, or cannot be written, or `stages` is not a model, or something in a network
            overflows half precision.
    """
    import tomli_w

    folder = Path(folder).absolute()
    if folder.exists() and not overwrite:
        raise ModelError(folder, "exists already", "give another folder, or allow to overwrite it")
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        record: dict[str, Any] = {
            "name": name,
            "version": version,
            "licence": licence,
            "description": description,
            "training": dict(training),
            "stages": {key: _export_stage(temporary, stage, plates) for key, stage in stages.items()},
        }
        (temporary / MODEL_FILE).write_text(tomli_w.dumps(record, multiline_strings=True), encoding="utf-8")
        Model.load(temporary)  # what we would refuse to read, we refuse to write
        _move_into_place(temporary, folder)
    except OSError as error:
        raise ModelError(folder, f"cannot be written: {error}", "is there space, and may you write there?") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Model.load(folder)


def _move_into_place(temporary: Path, folder: Path) -> None:
    replaced = temporary.with_suffix(".old")
    if folder.exists():  # a folder that is not empty cannot be replaced in one step
        for file in folder.iterdir():  # a model card and its pictures are somebody's work
            if file.is_file() and file.suffix not in (".onnx", ".safetensors", ".toml"):
                shutil.copy2(file, temporary / file.name)
        folder.rename(replaced)
    temporary.rename(folder)
    shutil.rmtree(replaced, ignore_errors=True)


def export_again(
    source: str | Path,
    folder: str | Path | None = None,
    *,
    version: str | None = None,
    licence: str | None = None,
    plates: Sequence[Tensor] = (),
    overwrite: bool = False,
) -> Model:
    """Export a model folder's own weights anew, with its own record: what an older version wrote gains what is new.

    Args:
        source: a model folder; only its model.toml and safetensors are read.
        folder: the model folder to make; None for the same.
        version, licence: instead of its own.
        plates, overwrite: as of `export_model`.

    Raises:
        ModelError: `source` is no model folder, or as `export_model`.
    """
    model = Model.load(source)
    stages = {
        str(name): StageExport(
            stage.architecture,
            {each.name: load(each) for each in stage.networks.values()},
            stage.multiple,
            stage.halo,
            stage.overview,
        )
        for name, stage in model.stages.items()
    }
    return export_model(
        folder or model.folder,
        model.name,
        version or model.version,
        licence or model.licence,
        model.description,
        model.training,
        stages,
        plates=plates,
        overwrite=overwrite,
    )


def _export_stage(folder: Path, stage: StageExport, plates: Sequence[Tensor]) -> dict[str, Any]:
    # Copies: training may go on, on its device and in its precision.
    ready = {name: copy.deepcopy(network).cpu().float().eval() for name, network in stage.networks.items()}
    return {
        "architecture": stage.architecture,
        "multiple": stage.multiple,
        "halo": stage.halo,
        "overview": stage.overview,
        "networks": {name: _export_network(folder, name, ready, stage.overview, plates) for name in ready},
    }


def _export_network(
    folder: Path, name: str, stage: Mapping[str, StageNetwork], longer_side: int, plates: Sequence[Tensor]
) -> dict[str, Any]:
    from safetensors.torch import save

    network = stage[name]
    half = half_precision(network)
    audited: dict[str, Any] = {}
    if network.half_parts:  # before what takes long
        with torch.no_grad():
            inputs = list(network_inputs(network, stage.get(f"{name}_overview"), longer_side, plates or drawn_plates()))
        found = audit(name, network, half, inputs)
        found.check()
        audited = found.record()
    weights, graph = folder / f"{name}.safetensors", folder / f"{name}.onnx"
    half_graph = folder / f"{name}.fp16.onnx" if network.half_parts else graph
    # Not save_file, which lets nobody but the user read the file.
    weights.write_bytes(save({key: value.contiguous() for key, value in network.state_dict().items()}))
    graph.write_bytes(to_onnx(network, name).SerializeToString())
    if network.half_parts:
        half_graph.write_bytes(to_onnx(half, name).SerializeToString())
    return {
        "inputs": list(network.example_inputs()),
        "output": network.output,
        "onnx": graph.name,
        "onnx_sha256": file_sha256(graph),
        "fp16": {"onnx": half_graph.name, "onnx_sha256": file_sha256(half_graph), **audited},
        "safetensors": weights.name,
        "safetensors_sha256": file_sha256(weights),
        "batched": True,
        "bytes_per_pixel": round(bytes_per_pixel(network), 1),
        "config": network.config,
    }
