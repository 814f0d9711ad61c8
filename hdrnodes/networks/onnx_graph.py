"""A network as an ONNX graph: self-contained, sizes and batch free, nothing said of the machine that made it."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch.export import Dim

from hdrnodes.networks.base import StageNetwork

if TYPE_CHECKING:
    from onnx import ModelProto


def to_onnx(network: StageNetwork, name: str) -> "ModelProto":
    """The network as one ONNX graph that holds its weights; batch, height and width dynamic.

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
