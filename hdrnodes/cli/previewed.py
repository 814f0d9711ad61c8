"""`hdrnodes reconstruct --preview`: the contact sheet that goes with a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hdrnodes import __version__
from hdrnodes.cli.finished import attributes_of_whole
from hdrnodes.curve import Curve
from hdrnodes.graph import Graph
from hdrnodes.image import Image
from hdrnodes.io import read
from hdrnodes.nodes.base import Context
from hdrnodes.nodes.hallucinate import Hallucinate
from hdrnodes.nodes.read import Read
from hdrnodes.preview import facts_of, preview_path, write_preview
from hdrnodes.whole_file import check_writable


@dataclass(frozen=True)
class Preview:
    """The contact sheet of one picture.

    Args:
        graph: what makes the picture: one Read, one Hallucinate, and a Write as its output.
        target: the picture's file; the sheet lies beside it.
        overwrite: whether a sheet that is there may be replaced.
    """

    graph: Graph
    target: Path
    overwrite: bool

    @property
    def path(self) -> Path:
        return preview_path(self.target)

    @property
    def steps(self) -> tuple[str, str]:
        """Those that give the plate, and what Hallucinate is fed."""
        plate = next(name for name, step in self.graph.steps.items() if isinstance(step.node, Read))
        linear = next(step.sources["image"] for step in self.graph.steps.values() if isinstance(step.node, Hallucinate))
        return plate, linear

    def is_there(self, target_is_made: bool) -> bool:
        """Whether an earlier run wrote it. It is written after its picture: without that, it is another's.

        Raises:
            WriteError: it cannot be written, or what is there is not to be replaced, or is not whole.
        """
        check_writable(self.path, self.overwrite or target_is_made)
        if self.overwrite or not self.path.exists():
            return False
        attributes_of_whole(self.path, ())
        return True

    def write(self, made: Mapping[str, Image], context: Context) -> None:
        """Write it, from the images of the graph's output and of `steps`.

        Raises:
            WriteError: it cannot be written.
        """
        plate, linear = (made[name] for name in self.steps)
        result = made[self.graph.outputs[0]]
        hallucinate = next(step.node for step in self.graph.steps.values() if isinstance(step.node, Hallucinate))
        only_mask = hallucinate.model_copy(update={"output": "mask"})
        mask = only_mask.process({"image": linear}, context).to_host().rgb[..., :1]
        about = facts_of(self.target.name, result, mask)
        about += [f"hdrnodes {__version__}, model {hallucinate.model}"]
        write_preview(self.path, plate, result, mask, Curve.applied_to(result), about, self.overwrite)

    def write_of_finished(self, context: Context) -> Image:
        """Write it, from the picture that is there; gives that.

        Raises:
            HdrnodesError: as the steps before Hallucinate, and `write`.
        """
        first = Graph(self.graph.inputs, self.steps)
        first.steps = self.graph.steps
        picture = read(self.target)
        curve = Curve.applied_to(picture)
        picture = replace(picture, curves=None if curve is None else curve.samples)
        self.write({**first.run(context), self.graph.outputs[0]: picture}, context)
        return picture
