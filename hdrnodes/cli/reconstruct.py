"""`hdrnodes reconstruct`: the main job, for photographs and for frames."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rich_click as click

from hdrnodes.cli.at_a_time import make_room
from hdrnodes.cli.knob_options import (
    READ_OPTIONS,
    RENAMED,
    WRITE_OPTIONS,
    knob_options,
    read_options,
    stage_options,
    write_options,
)
from hdrnodes.cli.models import model_hashes, models_of
from hdrnodes.cli.plates import find_plates
from hdrnodes.cli.previewed import Preview
from hdrnodes.cli.recorded import RecordedGraph, check_target, is_finished
from hdrnodes.cli.running import EXECUTOR_OPTIONS, Executing, executor_options, make_context
from hdrnodes.cli.shot import Shot
from hdrnodes.cli.tasks import Say, Task, do_tasks
from hdrnodes.cli.telling import Teller, json_option, verbose_option
from hdrnodes.curve import Curve
from hdrnodes.errors import KnobError
from hdrnodes.graph import Graph
from hdrnodes.image import LINEAR, Image
from hdrnodes.nodes.base import Context
from hdrnodes.nodes.color_space import convert
from hdrnodes.nodes.inverse_crf import InverseCRF
from hdrnodes.nodes.read import Read
from hdrnodes.nodes.write import Write
from hdrnodes.pipeline import add_stages
from hdrnodes.sequences import Job


def _flags(names: Mapping[str, object]) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name in names]


PANELS = [
    {"name": "Options", "options": ["--output", "--frames", "--model", "--curve"]},
    {"name": "Files", "options": [*_flags(write_options()), "--preview", *_flags(read_options())]},
    {"name": "Knobs", "options": [flag for flag in _flags(stage_options()) if flag not in ("--model", "--curve")]},
    {"name": "Machine", "options": [*EXECUTOR_OPTIONS]},
    {"name": "Telling", "options": ["--json", "--verbose", "--help"]},
]


@click.command()
@click.rich_config(help_config={"option_groups": {"*reconstruct": PANELS}})
@click.argument("plates", nargs=-1, required=True, metavar="PLATE...")
@click.option("-o", "--output", metavar="FILE|PATTERN|FOLDER", help="What to write; .exr beside it if not given.")
@click.option("--frames", metavar="RANGE", help="Of a pattern: 1001-1100, 1001-1100x2; all there are if not given.")
@knob_options(stage_options())
@executor_options
@knob_options(write_options())
@click.option("--preview", is_flag=True, help="A contact sheet beside each picture, too: plate.preview.png.")
@knob_options(read_options())
@json_option
@verbose_option
def reconstruct(
    plates: tuple[str, ...],
    output: str | None,
    frames: str | None,
    executing: Executing,
    preview: bool,
    as_json: bool,
    **knobs: Any,
) -> None:
    """Turn photographs or frames into scene-linear HDR.

    A PLATE is a file, or a pattern of frames: plate.####.jpg, plate.%04d.jpg. Written paths go to stdout. Every
    --model takes a name or a model folder.

    After it was stopped, the same command keeps the pictures that are there, and makes the rest. To render a shot in
    parts with one curve: `hdrnodes curve plate.####.jpg -o shot.csv`, then --curve shot.csv.
    """
    teller = Teller()
    given = {name: value for name, value in knobs.items() if value is not None}
    usual = _graph(Job(Path("plate"), Path("plate.exr")), given)
    found = find_plates(plates, output, frames, teller)
    context = make_context(executing, models_of(usual), teller)
    _check_colorspace(given)
    _check_curve(usual, context)
    hashes = model_hashes(models_of(usual), context.known_plugins())
    shots: dict[str, Shot] = {}
    tasks = []
    for job in found.jobs:
        shot = shots.setdefault(_shot_name(job), Shot())
        graph = RecordedGraph(_graph(job, given), hashes, shot, job.frame)
        shot.frames.append((graph, job.frame))
        tasks.append(_task(job, graph, shot, context, preview))
    at_a_time = make_room((job.source for job in found.jobs), models_of(usual), context.needed_runtime())
    do_tasks(tasks, teller, failed=found.failed, as_json=as_json, at_a_time=at_a_time)


def _graph(job: Job, given: Mapping[str, Any]) -> Graph:
    """The whole way of one plate, from its file to the picture's.

    Raises:
        click.UsageError: a knob has a value that is not allowed.
    """
    plumbing = {**READ_OPTIONS, **WRITE_OPTIONS}
    knobs = {_knob_of(option): value for option, value in given.items() if option not in plumbing}
    reading = {knob: given[option] for option, knob in READ_OPTIONS.items() if option in given}
    writing = {knob: given[option] for option, knob in WRITE_OPTIONS.items() if option in given}
    try:
        graph = Graph()
        plate = graph.add(Read(path=str(job.source), **reading))
        last = add_stages(graph, plate, **knobs)
        graph.outputs = (graph.add(Write(path=str(job.target), **writing), image=last),)
    except KnobError as error:
        raise click.UsageError(str(error)) from error
    return graph


def _knob_of(option: str) -> str:
    return next((knob for knob, renamed in RENAMED.items() if renamed == option), option)


def _check_colorspace(given: Mapping[str, Any]) -> None:
    """Find out now, not after the first picture, that OCIO does not know a colour space."""
    try:
        for option in ("colorspace", "read_colorspace"):
            if option in given:
                convert(Image(np.zeros((1, 1, 3), np.float32), colorspace=LINEAR), given[option])
    except KnobError as error:
        raise click.UsageError(str(error)) from error


def _check_curve(graph: Graph, context: Context) -> None:
    node = _inverse_crf(graph)
    if node.curve != "estimate":
        try:
            node.find_curve(Image(np.zeros((1, 1, 3), np.float32)), context)
        except KnobError as error:
            raise click.UsageError(str(error)) from error


def _inverse_crf(graph: Graph) -> InverseCRF:
    return next(step.node for step in graph.steps.values() if isinstance(step.node, InverseCRF))


def _shot_name(job: Job) -> str:
    """Frames of one pattern are a shot; so are files that were given by their names."""
    return re.sub(r"\d+(?=\D*$)", "#", str(job.source.with_suffix(""))) if job.frame is not None else ""


def _task(job: Job, graph: RecordedGraph, shot: Shot, context: Context, with_preview: bool) -> Task:
    write = graph.steps[graph.outputs[0]].node
    assert isinstance(write, Write)
    preview = Preview(graph, job.target, write.overwrite) if with_preview else None

    def is_made() -> bool:
        return not write.overwrite and is_finished(job.target, graph)

    def finished() -> bool:
        check_target(job.target, write)
        made = is_made()
        return (preview is None or preview.is_there(made)) and made

    def make(say: Say) -> Mapping[str, Any]:
        surroundings = shot.context(context, job.frame, say)
        if preview and is_made():  # by a run that made no preview, or was stopped before it
            return {"curve": _curve_source(_inverse_crf(graph), preview.write_of_finished(surroundings))}
        made = graph.run(surroundings, keep=preview.steps if preview else ())
        if preview:
            preview.write(made, surroundings)
        return {"curve": _curve_source(_inverse_crf(graph), made[graph.outputs[0]])}

    about = {"input": str(job.source), "output": str(job.target), "frame": job.frame}
    if preview is None:
        return Task(str(job.source), about, (job.target,), finished, make)
    about |= {"preview": str(preview.path)}
    return Task(str(job.source), about, (job.target, preview.path), finished, make)


def _curve_source(node: InverseCRF, picture: Image) -> str | None:
    """Which curve a picture went through: "estimate", "srgb", "bt709", a file; None for one that was linear."""
    if picture.curves is None or node.curve != "estimate":
        return None if picture.curves is None else node.curve
    return "srgb" if np.array_equal(picture.curves, Curve.named("srgb").samples) else "estimate"
