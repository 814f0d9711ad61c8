"""What a written picture says of how it was made, and how a later run knows it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hdrnodes.errors import WriteError
from hdrnodes.file_formats import file_format
from hdrnodes.graph import Graph
from hdrnodes.image import Image
from hdrnodes.nodes.write import Write
from hdrnodes.whole_file import check_writable

# Which file it is, how large it may be, and whether it may replace another, says nothing of how a picture looks.
_NOT_OF_THE_PICTURE = {"path", "max_megapixels", "overwrite"}


class RecordedGraph(Graph):
    """A graph whose pictures say more of how they were made: every knob as JSON, and the hashes of the models.

    Args:
        graph: to be taken over.
        model_hashes: from `hdrnodes.cli.models.model_hashes`.
    """

    def __init__(self, graph: Graph, model_hashes: Mapping[str, Any]) -> None:
        super().__init__(graph.inputs, graph.outputs)
        self.steps = dict(graph.steps)
        self.model_hashes = dict(model_hashes)

    def record(self) -> dict[str, object]:
        return {**super().record(), **self.settings()}

    def settings(self) -> dict[str, object]:
        """What two runs must have in common for their frames to go together."""
        knobs = {
            name: {knob: value for knob, value in step.node.model_dump().items() if knob not in _NOT_OF_THE_PICTURE}
            for name, step in self.steps.items()
        }
        return {"knobs": knobs, "model_hashes": self.model_hashes}


def check_target(path: Path, write: Write, resumes: bool) -> None:
    """Find out before the work, not after it, that a picture cannot be written.

    Args:
        write: the node that is to write it.
        resumes: whether a file that is there may be one of an earlier run.

    Raises:
        WriteError
    """
    file = file_format(path)
    file.compression_for(write.compression, path)
    file.pixel_type_for(Image(np.zeros((1, 1, 3), np.float32)), write.pixel_type, path)
    check_writable(path, write.overwrite or resumes)


def is_finished(path: Path, graph: RecordedGraph) -> bool:
    """Whether an earlier run of the same command wrote this file; it is whole then, for files appear when they are.

    Raises:
        WriteError: it was made with other knobs or models, or by somebody else.
    """
    if not path.exists():
        return False
    if path.suffix.lower() != ".exr":  # the others have no place for the record
        return True
    found = _recorded(path)
    if not found:
        raise WriteError(path, "exists already, and hdrnodes did not make it", "choose another name, or overwrite")
    for name, wanted in graph.settings().items():
        if found.get(f"hdrnodes:{name}") != json.dumps(wanted, default=str, sort_keys=True):
            what = "models" if name == "model_hashes" else name
            raise WriteError(path, f"exists already, made with other {what}", "choose another name, or overwrite")
    return True


def _recorded(path: Path) -> dict[str, Any]:
    """The attributes of a file that hdrnodes wrote; nothing of others, or where there is no picture."""
    import OpenImageIO as oiio

    source = oiio.ImageInput.open(str(path))
    if source is None:
        oiio.geterror()  # taken, or it is printed at exit
        return {}
    try:
        return {each.name: each.value for each in source.spec().extra_attribs if each.name.startswith("hdrnodes:")}
    finally:
        source.close()
