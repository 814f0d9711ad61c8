"""Turn the published TensorFlow 1 checkpoints into a model folder. Needs tensorflow: hdrnodes[tensorflow].

The authors' weights cannot be given away by us; whoever has them can use them with this.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from hdrnodes.errors import ModelError
from hdrnodes.models import Model
from hdrnodes.networks.checkpoint_reader import Variables, read_checkpoints
from hdrnodes.networks.emor import read_emor
from hdrnodes.networks.export import StageExport, export_model
from hdrnodes.networks.published import Published, from_tensorflow
from hdrnodes.networks.published.weights import tensorflow_variables

LICENCE = "The weights are their authors' (Liu et al., CVPR 2020), who gave no licence; not to be passed on."
DESCRIPTION = "Single-Image HDR Reconstruction by Learning to Reverse the Camera Pipeline, with its authors' weights."
# Pixels of context. On random weights a tile with so much differs from the whole by 2e-6 of its range; with a
# third less by 6e-5 (the U-Nets), and by a tenth (the hallucination, whose bottom is at 1/32).
UNET_HALO, HALLUCINATE_HALO = 96, 160
OVERVIEW = 768  # pixels on the longer side; the published networks were trained on pictures reduced to about that


def import_checkpoint(
    folder: str | Path, destination: str | Path, emor: str | Path | None = None, *, overwrite: bool = False
) -> Model:
    """Write the model folder `destination` from the checkpoints in `folder` and below it.

    Args:
        folder: holds checkpoints (<prefix>.index and its data files), one for all networks or one for each.
            Where a `checkpoint` file says which is the latest, the others beside it are passed over.
        emor: the published `invemor.txt`; None looks for it in `folder`.
        overwrite: replace `destination`.

    Raises:
        ModelError: no checkpoint, no invemor.txt, one that is broken, a variable that is missing, has another shape,
            or comes twice with different values; tensorflow is missing.
    """
    folder = Path(folder)
    prefixes = find_checkpoints(folder)
    basis = read_emor(Path(emor) if emor else find_emor(folder))
    published = from_tensorflow(read_variables(folder, prefixes), basis)
    record = {"source": "TensorFlow 1 checkpoints", "checkpoints": [_below(folder, path) for path in prefixes]}
    stages = published_stages(published)
    return export_model(
        destination, "published", "CVPR 2020", LICENCE, DESCRIPTION, record, stages, overwrite=overwrite
    )


def published_stages(published: Published) -> dict[str, StageExport]:
    """The four networks as the stages of a model."""
    return {
        "dequantize": StageExport("published", {"dequantize": published.dequantize}, multiple=16, halo=UNET_HALO),
        "linearize": StageExport("published", {"linearize": published.linearize}, multiple=4, overview=OVERVIEW),
        "hallucinate": StageExport(
            "published", {"hallucinate": published.hallucinate}, multiple=32, halo=HALLUCINATE_HALO
        ),
        "refine": StageExport("published", {"refine": published.refine}, multiple=16, halo=UNET_HALO),
    }


def find_checkpoints(folder: Path) -> list[Path]:
    """Checkpoint prefixes in a folder and below it, in order. Raises ModelError where there is none."""
    if not folder.is_dir():
        raise ModelError(folder, "no such folder", "give the folder that holds the published checkpoints")
    found = {path.with_suffix("") for path in folder.rglob("*.index")}
    prefixes = sorted(path for path in found if _latest(path) in (None, path) or _latest(path) not in found)
    if not prefixes:
        raise ModelError(folder, "holds no TensorFlow checkpoint", "it should have files *.index and *.data-*")
    return prefixes


def _latest(prefix: Path) -> Path | None:
    """What the file `checkpoint` beside it calls the latest; its folder may have been moved since."""
    note = prefix.with_name("checkpoint")
    text = note.read_text(encoding="utf-8", errors="replace") if note.is_file() else ""
    named = re.search(r'^model_checkpoint_path: "(?:.*/)?([^/"]+)"', text, re.MULTILINE)
    return prefix.with_name(named[1]) if named else None


def find_emor(folder: Path) -> Path:
    """The `invemor.txt` in a folder or below it.

    There is no falling back on our own basis: the network's weights are along the published directions, and ours
    differ from them in sign and order, so every curve would be wrong without a word.
    """
    found = sorted(path for path in folder.rglob("*.txt") if path.name.lower() == "invemor.txt")
    if not found:
        remedy = "copy it there from beside the published code or from the DoRF database, or give its path"
        raise ModelError(folder, "holds no invemor.txt, without which no curve can be made", remedy)
    return found[0]


def read_variables(folder: Path, prefixes: list[Path]) -> dict[str, np.ndarray]:
    """The published variables that the checkpoints hold, by published name.

    A name in a checkpoint may have more scopes before it. Optimiser slots come after it and so are passed over.
    """
    published_names = [name for name, _ in tensorflow_variables(Published())]
    checkpoints = read_checkpoints(prefixes, published_names)
    variables: dict[str, np.ndarray] = {}
    for wanted in published_names:
        for prefix, name in _places(wanted, checkpoints):
            value = checkpoints[prefix][name]
            if not np.array_equal(variables.setdefault(wanted, value), value):
                problem = f"holds different values of {wanted}, the last in {_below(folder, prefix)} as {name}"
                raise ModelError(folder, problem, "give a folder with one set of checkpoints")
    return variables


def _places(wanted: str, checkpoints: Mapping[Path, Variables]) -> Iterator[tuple[Path, str]]:
    """Where a variable is: under its own name, or, in no checkpoint so, with scopes before it."""
    exact = [(prefix, wanted) for prefix, known in checkpoints.items() if wanted in known]
    longer = ((prefix, name) for prefix, known in checkpoints.items() for name in known if name.endswith(f"/{wanted}"))
    yield from exact or longer


def _below(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()
