"""Write model folders from torch modules: weights as safetensors, self-contained float32 ONNX, model.toml."""

import copy
import os
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.export import Dim

from hdrnodes.errors import ModelError
from hdrnodes.models import MODEL_FILE, Model, file_sha256
from hdrnodes.networks.base import StageNetwork

if TYPE_CHECKING:
    from onnx import ModelProto


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
    overwrite: bool = False,
) -> Model:
    """Write a model folder, whole or not at all, and load it.

    Args:
        folder: the model folder to make; its name should be `name`.
        name, version, licence, description: told to users by `hdrnodes doctor` and in each EXR's header.
        training: what made the weights; any record that TOML can hold (no None).
        stages: stage name to what to export. The modules are left as they are.
        overwrite: replace a folder of that name.

    Raises:
        ModelError: the folder exists, or cannot be written, or `stages` is not a model.
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
            "stages": {key: _export_stage(temporary, stage) for key, stage in stages.items()},
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


def _export_stage(folder: Path, stage: StageExport) -> dict[str, Any]:
    return {
        "architecture": stage.architecture,
        "multiple": stage.multiple,
        "halo": stage.halo,
        "overview": stage.overview,
        "networks": {name: _export_network(folder, name, network) for name, network in stage.networks.items()},
    }


def _export_network(folder: Path, name: str, network: StageNetwork) -> dict[str, Any]:
    from safetensors.torch import save

    # A copy: training may go on, on its device and in its precision.
    network = copy.deepcopy(network).cpu().float().eval()
    weights, graph = folder / f"{name}.safetensors", folder / f"{name}.onnx"
    # Not save_file, which lets nobody but the user read the file.
    weights.write_bytes(save({key: value.contiguous() for key, value in network.state_dict().items()}))
    graph.write_bytes(to_onnx(network, name).SerializeToString())
    return {
        "inputs": list(network.example_inputs()),
        "output": network.output,
        "onnx": graph.name,
        "onnx_sha256": file_sha256(graph),
        "safetensors": weights.name,
        "safetensors_sha256": file_sha256(weights),
        "config": network.config,
    }


def to_onnx(network: StageNetwork, name: str) -> "ModelProto":
    """The network as one ONNX graph that holds its weights; batch 1, height and width dynamic.

    A forward that fixes a size (say, by asking `if height % 16:`) is an error of torch.export here, never a
    graph that works at the example's size only.
    """
    import onnx

    # Two of each: of one, torch.export takes the batch for fixed.
    examples = {name: torch.cat([example, example]) for name, example in network.example_inputs().items()}
    with warnings.catch_warnings():
        # The exporter's own (torch 2.13): a deprecated call that it makes; that inputs of one size share its name.
        warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\)", FutureWarning)
        warnings.filterwarnings("ignore", r"# The axis name: .* will not be used", UserWarning)
        program = torch.onnx.export(
            network,
            tuple(examples.values()),
            input_names=list(examples),
            output_names=[network.output],
            dynamic_shapes=dynamic_shapes(network, examples),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None  # None only with dynamo=False
    model = program.model_proto
    _forget_where_it_was_made(model)
    model.graph.name = name
    onnx.checker.check_model(model)
    return model


def dynamic_shapes(network: StageNetwork, examples: Mapping[str, torch.Tensor]) -> tuple[dict[int, Dim], ...]:
    """Per input, in order, which axes are free: the first of all, height and width of the 4-D ones."""
    shapes: list[dict[int, Dim]] = []
    for name, example in examples.items():
        owner = network.same_size[0] if name in network.same_size else name
        # One Dim object per name: torch.export takes two of one name for one size.
        sizes = {2: Dim(f"height_{owner}"), 3: Dim(f"width_{owner}")} if example.ndim == 4 else {}
        shapes.append({0: Dim("batch"), **sizes})
    return tuple(shapes)


def _forget_where_it_was_made(model: "ModelProto") -> None:
    """Drop the stack traces, with the paths of this machine, that torch leaves at every node."""
    for holder in (model, model.graph, *model.functions):
        del holder.metadata_props[:]
        holder.doc_string = ""
    for graph in (model.graph, *model.functions):
        for node in graph.node:
            del node.metadata_props[:]
            node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
