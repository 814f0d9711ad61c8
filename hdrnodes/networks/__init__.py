"""The stages as torch modules, to train, to export, and for the torch executor. Needs torch: hdrnodes[train].

An architecture is a module of this package that offers `NETWORKS: dict[str, type[StageNetwork]]`, network
name to class. A model folder names the architecture and keyword arguments: enough to build networks again.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hdrnodes.errors import ModelError
from hdrnodes.models import MODEL_FILE, Network

if TYPE_CHECKING:
    from hdrnodes.networks.base import StageNetwork

ARCHITECTURES = {"default": "hdrnodes.networks.default", "published": "hdrnodes.networks.published"}


def build(architecture: str, network_name: str, config: Mapping[str, Any]) -> "StageNetwork":
    """Make a network with fresh weights.

    Args:
        architecture: a key of ARCHITECTURES.
        network_name: such as "dequantize" or "hallucinate_overview".
        config: keyword arguments of the network's class.

    Raises:
        ModelError: no such architecture or network, or a config that the network does not take.
    """
    if architecture not in ARCHITECTURES:
        raise ModelError(f"architecture {architecture}", "unknown", f"known are: {', '.join(ARCHITECTURES)}")
    networks: dict[str, type[StageNetwork]] = import_module(ARCHITECTURES[architecture]).NETWORKS
    if network_name not in networks:
        known = ", ".join(networks)
        raise ModelError(f"network {network_name}", f"not in architecture {architecture}", f"it has: {known}")
    try:
        return networks[network_name](**config)
    except (TypeError, ValueError) as error:  # pydantic's ValidationError is a ValueError
        raise ModelError(f"network {network_name}", f"cannot be built: {error}", "check its config") from error


def load(network: Network) -> "StageNetwork":
    """Build a model folder's network and give it its weights; float32, on the CPU, in evaluation mode.

    Raises:
        ModelError: as `build`; it takes other inputs than model.toml says; the weights are not what their hash says,
            or not this network's.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    module = build(network.architecture, network.name, network.config)
    if (takes := tuple(module.example_inputs())) != network.inputs:
        problem = f"network {network.name} takes {', '.join(takes)}, not {', '.join(network.inputs)}"
        raise ModelError(network.folder / MODEL_FILE, problem, "export the model again")
    path = network.verified_safetensors()
    try:
        module.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        problem = " ".join(f"not weights of {network.architecture}/{network.name}: {error}".split())
        raise ModelError(path, problem, "export the model again") from error
    return module.eval()
