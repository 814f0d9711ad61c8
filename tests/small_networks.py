"""Two networks that are quickly built, and what they answer."""

import hashlib

import numpy as np
import pytest

from hdrnodes.models import Network
from hdrnodes.runtime import Settings
from hdrnodes.runtime.openvino import OpenVINO


def write_networks(folder):
    """Two networks of a folder: a convolution and a window's sum on it; twice the picture."""
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'hdrnodes[train]'")
    size = ["batch", 3, "height", "width"]
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 3)).astype(np.float32)
    pixels = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, size) for name in ("linear", "radiance")]
    window = onnx.helper.make_tensor_value_info("window", onnx.TensorProto.FLOAT, ["batch", 4])
    constants = [
        onnx.numpy_helper.from_array(kernel, "kernel"),
        onnx.numpy_helper.from_array(np.array([1]), "axes"),
        onnx.numpy_helper.from_array(np.array([2, 3]), "last"),
    ]
    nodes = [
        onnx.helper.make_node("Conv", ["linear", "kernel"], ["convolved"], pads=[1, 1, 1, 1]),
        onnx.helper.make_node("ReduceSum", ["window", "axes"], ["sum"]),
        onnx.helper.make_node("Unsqueeze", ["sum", "last"], ["scalar"]),
        onnx.helper.make_node("Add", ["convolved", "scalar"], ["radiance"]),
    ]
    twice = [onnx.helper.make_node("Add", ["linear", "linear"], ["radiance"])]
    made = {
        "hallucinate": onnx.helper.make_graph(nodes, "h", [pixels[0], window], pixels[1:], constants),
        "refine": onnx.helper.make_graph(twice, "r", pixels[:1], pixels[1:]),
    }
    return {name: save(folder, name, graph) for name, graph in made.items()}


def save(folder, name, graph):
    import onnx

    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    data = model.SerializeToString()
    (folder / f"{name}.onnx").write_bytes(data)
    return Network(
        name=name,
        architecture="none",
        folder=folder,
        inputs=[each.name for each in graph.input],
        output="radiance",
        onnx=f"{name}.onnx",
        onnx_sha256=hashlib.sha256(data).hexdigest(),
        safetensors="none.safetensors",
        safetensors_sha256="0" * 64,
    )


def inputs(height, width, tiles=1, seed=0):
    random = np.random.default_rng(seed)
    return {
        "linear": random.random((tiles, 3, height, width), np.float32),
        "window": random.random((tiles, 4), np.float32),
    }


def answers(networks, given):
    return OpenVINO(networks["hallucinate"], Settings(cache=None)).run(**given)
