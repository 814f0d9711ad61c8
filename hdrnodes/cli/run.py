"""`hdrnodes run`: a graph file, once, or for each frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from hdrnodes.cli.at_a_time import make_room
from hdrnodes.cli.models import model_hashes, models_of
from hdrnodes.cli.plates import check_frames, say_gaps
from hdrnodes.cli.recorded import RecordedGraph, check_target, is_finished
from hdrnodes.cli.running import Executing, executor_options, make_context
from hdrnodes.cli.shot import Shot
from hdrnodes.cli.tasks import Say, Task, do_tasks
from hdrnodes.cli.telling import Teller, json_option, verbose_option
from hdrnodes.errors import GraphError, KnobError
from hdrnodes.graph import Graph
from hdrnodes.nodes.base import Context
from hdrnodes.nodes.read import Read
from hdrnodes.nodes.read import frame_path as path_at_frame
from hdrnodes.nodes.write import Write
from hdrnodes.sequences import existing_frames, is_pattern


@click.command()
@click.argument("graph_file", metavar="GRAPH.toml")
@click.option("--set", "settings", metavar="NODE.KNOB=VALUE", multiple=True, help="Turn a knob; may be repeated.")
@click.option("--frames", metavar="RANGE", help="1001-1100, 1001-1100x2; all that Read finds if not given.")
@click.option("--overwrite", is_flag=True, help="Let every Write replace what is there.")
@executor_options
@json_option
@verbose_option
def run(
    graph_file: str,
    settings: tuple[str, ...],
    frames: str | None,
    overwrite: bool,
    executing: Executing,
    as_json: bool,
) -> None:
    """Run a graph file, once or for each frame.

    It runs for each frame where a Read has a pattern, plate.####.jpg; a Write then needs one too. Written paths go to
    stdout. After it was stopped, the same command keeps the frames that are there, and makes the rest.
    """
    teller = Teller()
    graph = Graph.load(graph_file)
    _turn_knobs(graph, settings)
    writes = [name for name, step in graph.steps.items() if isinstance(step.node, Write)]
    if overwrite:
        for name in writes:
            graph.set(f"{name}.overwrite", True)
    if graph.inputs:
        remedy = "put a Read node in its place"
        raise GraphError(graph_file, f"wants to be given {', '.join(graph.inputs)}, which only Python can do", remedy)
    if not writes:
        teller.line(f"{graph_file}: has no Write node, so nothing is kept")
    numbers, failed = _frames(graph, frames, teller)
    context = make_context(executing, models_of(graph), teller)
    hashes = model_hashes(models_of(graph), context.known_plugins())
    shot = Shot([(graph, number) for number in numbers])
    tasks = [_task(graph_file, RecordedGraph(graph, hashes, shot, number), number, shot, context) for number in numbers]
    at_a_time = make_room(_plates(graph, numbers), models_of(graph), context.needed_runtime())
    do_tasks(tasks, teller, failed=failed, as_json=as_json, at_a_time=at_a_time)


def _turn_knobs(graph: Graph, settings: Sequence[str]) -> None:
    for setting in settings:
        knob, equals, value = setting.partition("=")
        if not equals:
            raise click.UsageError(f"--set {setting}: write node.knob=value")
        try:
            graph.set(knob.strip(), value)
        except (GraphError, KnobError) as error:
            raise click.UsageError(f"--set {setting}: {error}") from error


def _frames(graph: Graph, frames: str | None, teller: Teller) -> tuple[list[int | None], list[dict[str, Any]]]:
    """The frames to run, one None for a graph without patterns; and those that have no file, as `--json` says it."""
    nodes = [step.node for step in graph.steps.values()]
    patterns = [node.path for node in nodes if isinstance(node, Read) and is_pattern(node.path)]
    check_frames(patterns, frames)
    if not patterns:
        return [None], []
    if still := [node.path for node in nodes if isinstance(node, Write) and node.path and not is_pattern(node.path)]:
        raise click.UsageError(f"every frame would be written to {still[0]}; put #### in it")
    there: list[int] = []
    failed: list[dict[str, Any]] = []
    missing: set[int] = set()
    for pattern in patterns:
        found, gaps = existing_frames(pattern, frames)
        failed += say_gaps(pattern, gaps, teller)
        there += found
        missing.update(gaps)
    return [frame for frame in dict.fromkeys(there) if frame not in missing], failed


def _plates(graph: Graph, numbers: Sequence[int | None]) -> Iterator[Path]:
    """What the first Read of a graph reads, for each frame."""
    paths = (step.node.path for step in graph.steps.values() if isinstance(step.node, Read))
    path = next(paths, "")
    return (Path(path_at_frame(path, number)) for number in numbers)


def _task(graph_file: str, graph: RecordedGraph, frame: int | None, shot: Shot, context: Context) -> Task:
    writes = {name: step.node for name, step in graph.steps.items() if isinstance(step.node, Write) and step.node.path}
    paths = {name: Path(path_at_frame(node.path, frame)) for name, node in writes.items()}
    kept: list[str] = []  # of several files of a frame, those that are there already

    def finished() -> bool:
        for name, node in writes.items():
            check_target(paths[name], node)
            if not node.overwrite and is_finished(paths[name], graph):
                kept.append(name)
        return bool(writes) and len(kept) == len(writes)

    def make(say: Say) -> Mapping[str, Any]:
        again = RecordedGraph(graph, graph.model_hashes, shot, frame)
        for name in kept:  # made by this very graph, and so replaced by its like
            again.set(f"{name}.overwrite", True)
        again.run(shot.context(context, frame, say))
        return {}

    outputs = tuple(paths.values())
    about = {"graph": graph_file, "frame": frame, "outputs": [str(path) for path in outputs]}
    label = graph_file if frame is None else f"{graph_file} frame {frame}"
    return Task(label, about, outputs, finished, make)
