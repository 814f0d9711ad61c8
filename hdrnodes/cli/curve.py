"""`hdrnodes curve`: the response curve of the camera that took a plate, to look at, keep, and give back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import rich_click as click
from click.exceptions import Exit

from hdrnodes.cli.knob_options import READ_OPTIONS, knob_options, read_options, stage_options
from hdrnodes.cli.models import models_of
from hdrnodes.cli.plates import check_frames, say_gaps
from hdrnodes.cli.running import Executing, executor_options, make_context
from hdrnodes.cli.shot import inputs_of, spread
from hdrnodes.cli.telling import Teller, json_option, log_as_notes, print_json, result, verbose_option
from hdrnodes.curve import Curve
from hdrnodes.errors import CurveError, HdrnodesError, ReadError, WriteError
from hdrnodes.graph import Graph
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context
from hdrnodes.nodes.dequantize import Dequantize
from hdrnodes.nodes.inverse_crf import InverseCRF, estimate_shot_curve
from hdrnodes.nodes.read import Read
from hdrnodes.sequences import existing_frames, frame_path, is_pattern

KNOBS = {name: stage_options()[name] for name in ("model", "per_channel")}


@click.command()
@click.argument("plates", nargs=-1, required=True, metavar="PLATE...")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .csv, .spi1d or .cube, or a .png plot of it; may be repeated. CSV on stdout if not given.",
)
@click.option("--frames", metavar="RANGE", help="Of a pattern: 1001-1100, 1001-1100x2; all there are if not given.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@knob_options(KNOBS)
@executor_options
@knob_options(read_options())
@json_option
@verbose_option
def curve(
    plates: tuple[str, ...],
    outputs: tuple[Path, ...],
    frames: str | None,
    overwrite: bool,
    executing: Executing,
    as_json: bool,
    **knobs: Any,
) -> None:
    """Estimate the response curve of the camera that took a plate or a shot.

    Of a pattern, plate.####.jpg, or of several plates, it is one curve for all, estimated from up to five of them,
    evenly spread. `hdrnodes reconstruct --curve FILE` takes it back.
    """
    teller = Teller()
    graph = _graph({name: value for name, value in knobs.items() if value is not None})
    files, complete = _files(plates, frames, teller)
    context = make_context(executing, models_of(graph), teller)
    notes: list[str] = []
    with log_as_notes(notes.append):
        estimated, failures = _estimate(graph, files, replace(context, say=notes.append), teller)
    if estimated is None:
        raise Exit(1)
    for note in dict.fromkeys(notes):
        teller.line(note)
    written = [path for path in outputs if _save(estimated, path, overwrite, teller)]
    if as_json:
        print_json(_as_json(estimated, written, notes))
    elif outputs:
        for path in written:
            result(path)
    else:
        click.echo(_as_csv(estimated), nl=False)
    if failures or not complete or len(written) < len(outputs):
        raise Exit(1)


def _graph(given: dict[str, Any]) -> Graph:
    """A plate's way to the node that wants a curve for it."""
    reading = {knob: given[option] for option, knob in READ_OPTIONS.items() if option in given}
    model = {"model": given["model"]} if "model" in given else {}
    per_channel = {"per_channel": given["per_channel"]} if "per_channel" in given else {}
    graph = Graph.chain(Read(**reading), Dequantize(**model), InverseCRF(scope="shot", **model, **per_channel))
    graph.connect("inverse_crf", plate="read")
    return graph


def _files(plates: Sequence[str], frames: str | None, teller: Teller) -> tuple[list[str], bool]:
    """The files that the plates stand for, and whether none is missing."""
    check_frames(plates, frames)
    files, complete = [], True
    for plate in plates:
        if not is_pattern(plate):
            files.append(plate)
            continue
        try:
            there, gaps = existing_frames(plate, frames)
        except ReadError as error:
            teller.error(str(error))
            complete = False
            continue
        say_gaps(plate, gaps, teller)
        complete = complete and not gaps
        files += [str(frame_path(plate, frame)) for frame in there]
    return files, complete


def _estimate(graph: Graph, files: Sequence[str], context: Context, teller: Teller) -> tuple[Curve | None, int]:
    """The curve, None where no file was of use; and how many of those looked at were not."""
    failures: list[HdrnodesError] = []
    used: list[str] = []

    def shown() -> Iterator[dict[str, Image]]:
        for index in spread(len(files)):
            graph.set("read.path", files[index])
            try:
                inputs = inputs_of(graph, "inverse_crf", context)
                if inputs["image"].is_linear:
                    problem = "is scene-linear already: there is no camera's response in it"
                    raise CurveError(files[index], problem, "give the picture as the camera made it")
            except (ReadError, CurveError) as error:
                failures.append(error)
                teller.error(str(error))
            else:
                used.append(files[index])
                yield inputs

    node = graph.steps["inverse_crf"].node
    assert isinstance(node, InverseCRF)
    estimated = estimate_shot_curve(shown(), context, node.model, node.per_channel)
    return estimated if used else None, len(failures)


def _save(estimated: Curve, path: Path, overwrite: bool, teller: Teller) -> bool:
    try:
        estimated.save(path, overwrite)
    except WriteError as error:
        teller.error(str(error))
        return False
    return True


def _as_csv(estimated: Curve) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curve.csv"
        estimated.save(path)
        return path.read_text(encoding="ascii")


def _as_json(estimated: Curve, written: Sequence[Path], notes: Sequence[str]) -> dict[str, Any]:
    return {
        "source": estimated.source,
        "samples": estimated.samples.tolist(),  # 1 or 3 lists of 1024: scene-linear at evenly spaced display values
        "outputs": [str(path) for path in written],
        "notes": list(dict.fromkeys(notes)),
    }
