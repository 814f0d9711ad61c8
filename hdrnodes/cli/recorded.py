"""What a written picture says of how it was made, and how a later run knows it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hdrnodes.cli.fingerprint import fingerprint
from hdrnodes.cli.finished import REMEDY, attributes_of_whole
from hdrnodes.cli.shot import Shot, fingerprints_of_plates
from hdrnodes.errors import WriteError
from hdrnodes.file_formats import file_format
from hdrnodes.graph import Graph
from hdrnodes.image import Image
from hdrnodes.nodes.inverse_crf import InverseCRF
from hdrnodes.nodes.read import Read, frame_path
from hdrnodes.nodes.write import Write
from hdrnodes.whole_file import check_writable

# Which file it is, how large it may be, and whether it may replace another, says nothing of how a picture looks.
_NOT_OF_THE_PICTURE = {"path", "max_megapixels", "overwrite"}


# What two runs may differ in -> what is said of a file when they do.
_DIFFERENCES = {
    "knobs": "made with other knobs",
    "model_hashes": "made with other models",
    "curves": "made with another curve, for the curve file or the shot's frames are not the same",
    "plates": "made from another plate",
}


class RecordedGraph(Graph):
    """A graph whose pictures say more of how they were made: every knob as JSON, and what went in besides.

    Args:
        graph: to be taken over.
        model_hashes: from `hdrnodes.cli.models.model_hashes`.
        shot: the frames that share curves; read when they are needed, so they may be added later.
        frame: the number of the one that is made.
    """

    def __init__(
        self, graph: Graph, model_hashes: Mapping[str, Any], shot: Shot | None = None, frame: int | None = None
    ) -> None:
        super().__init__(graph.inputs, graph.outputs)
        self.steps = dict(graph.steps)
        self.model_hashes = dict(model_hashes)
        self.shot = shot or Shot([(self, frame)])
        self.frame = frame

    def record(self) -> dict[str, object]:
        return {**super().record(), **self.settings()}

    def settings(self) -> dict[str, object]:
        """What two runs must have in common for their frames to go together."""
        knobs = {
            name: {knob: value for knob, value in step.node.model_dump().items() if knob not in _NOT_OF_THE_PICTURE}
            for name, step in self.steps.items()
        }
        plates = fingerprints_of_plates(self, self.frame)
        return {"knobs": knobs, "model_hashes": self.model_hashes, "curves": self._curves(), "plates": plates}

    def _curves(self) -> dict[str, object]:
        """What the curves come from that knobs do not tell: a file's contents, the frames that a shot's is made of.

        Not the curve itself: another executor makes another one, by a rounding, and a run that finds everything done
        would have to estimate it first.
        """
        sources: dict[str, object] = {}
        for name, step in self.steps.items():
            node = step.node
            if isinstance(node, InverseCRF) and node.curve not in ("estimate", "srgb", "bt709"):
                sources[name] = fingerprint(Path(node.curve))
            elif isinstance(node, InverseCRF) and node.curve == "estimate" and node.scope == "shot":
                sources[name] = self.shot.fingerprint
        return sources


def check_target(path: Path, write: Write) -> None:
    """Find out before the work, not after it, that a node cannot write a picture. Whether one that is there is of an
    earlier run is for `is_finished` to say.

    Raises:
        WriteError
    """
    file = file_format(path)
    file.compression_for(write.compression, path)
    file.pixel_type_for(Image(np.zeros((1, 1, 3), np.float32)), write.pixel_type, path)
    check_writable(path, overwrite=True)


def is_finished(path: Path, graph: RecordedGraph) -> bool:
    """Whether an earlier run of the same command wrote this file. Only an EXR can tell; of other formats, a whole
    frame of a shot that has the plate's size is taken for one.

    Raises:
        WriteError: it is not whole; it cannot tell; it was made with other knobs, models, curves, from other plates, or
            by somebody else.
    """
    if not path.exists():
        return False
    nodes = [step.node for step in graph.steps.values()]
    plates = [Path(frame_path(node.path, graph.frame)) for node in nodes if isinstance(node, Read)]
    found = attributes_of_whole(path, plates)
    if path.suffix.lower() != ".exr":  # the others have no place for the record
        if graph.frame is None:  # not one of a shot that goes on: other knobs would have made nothing, unnoticed
            raise WriteError(path, "exists already, and only an EXR says what made it", REMEDY)
        return True
    if not found:
        raise WriteError(path, "exists already, and hdrnodes did not make it", "choose another name, or --overwrite")
    for name, wanted in graph.settings().items():
        if name == "plates" and isinstance(wanted, dict) and None in wanted.values():
            continue  # they went since; what was made of them is still that
        if found.get(f"hdrnodes:{name}") != json.dumps(wanted, default=str, sort_keys=True):
            raise WriteError(path, f"exists already, {_DIFFERENCES[name]}", "choose another name, or --overwrite")
    return True
