"""Weights to start from: a model folder's, or a checkpoint's; of a run for one stage, or of one for several."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from hdrnodes.errors import TrainingError
from hdrnodes.models import Model
from hdrnodes.training.checkpoints import check_same
from hdrnodes.training.system import PREFIX
from hdrnodes.training.trainable import Trainable

REMEDY = "start from weights of the same network"


def start_from(path: Path, model: Trainable, stages: Mapping[str, nn.Module]) -> None:
    """Give networks the weights that lie at a path; of a checkpoint to go on from, the averaged ones.

    Args:
        path: a model folder, or `best.safetensors` or `last.safetensors` of a run.
        model: what the networks are of.
        stages: a network each.

    Raises:
        TrainingError: the file cannot be read, lacks a stage, or holds other shapes.
        ModelError: the folder is no model's, or lacks a stage.
    """
    if path.is_dir():
        _from_folder(path, model, stages)
        return
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        remedy = "give a model folder, or best.safetensors of a run"
        raise TrainingError(path, f"holds no weights that can be read ({error})", remedy) from error
    found = _under("average.", found) or found
    several = any(name.startswith(PREFIX) for name in found)
    for stage, network in stages.items():
        own = _under(f"{PREFIX}{stage}.", found) if several else found
        if not own or (len(stages) > 1 and not several):
            raise TrainingError(path, f"does not hold {stage} among others", REMEDY)
        _fill(network, own, path)


def _from_folder(folder: Path, model: Trainable, stages: Mapping[str, nn.Module]) -> None:
    described = Model.load(folder)
    for stage, network in stages.items():
        known = described.stage(stage).networks
        for name, part in model.export(stage, network).networks.items():
            if name not in known:
                raise TrainingError(folder, f"has no network {name}", REMEDY)
            file = known[name].verified_safetensors()
            _fill(part, load_file(file), file)


def _fill(network: nn.Module, found: Mapping[str, Tensor], file: Path) -> None:
    check_same(file, network.state_dict(), found, REMEDY)
    network.load_state_dict(found)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}
