"""All cells in turn, again and again: what disturbs the machine for a while disturbs them alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hdrnodes.bench.cells import Cell, Lane, Measured, Results, Visit
from hdrnodes.bench.child import Failed, in_child
from hdrnodes.bench.command import visit_command
from hdrnodes.bench.work import peak_of, save_plate, visit
from hdrnodes.frames import available

Tell = Callable[[str], None]


def plan(
    lanes: Sequence[Lane], models: Sequence[str], parts: Sequence[str], sizes: Sequence[tuple[int, int]]
) -> list[Cell]:
    """The cells in the order in which they are visited: small plates first, and beside each other what is compared."""
    return [
        Cell(lane, model, part, width, height)
        for width, height in sorted(sizes, key=lambda size: size[0] * size[1])
        for part in parts
        for model in models
        for lane in lanes
    ]


def visits_of(cells: Sequence[Cell], repeats: int) -> int:
    """How many times `measure` tells of something done, if nothing fails."""
    return repeats * (len(cells) + len({cell.lane for cell in cells}))


def measure(cells: Sequence[Cell], repeats: int, folder: Path, results: Results, tell: Tell) -> None:
    """Visit every cell `repeats` times, each time in a new process, and the peaks as often.

    A cell that fails is not visited again, and says why; nor is one that would not fit into memory, by what smaller
    plates took. Interrupted, it leaves in `results` what there is.

    Args:
        cells: as `plan` orders them.
        folder: for plates and pictures; they are not taken away.
        results: filled, as it goes.
        tell: told of each visit when it is done.
    """
    results.measured = [Measured(cell) for cell in cells]
    for round_ in range(repeats):
        for lane in dict.fromkeys(cell.lane for cell in cells):
            _visit_peak(lane, results, tell)
        for one in results.measured:
            if one.problem is None:
                one.problem = _visit(one, results.measured, folder, first=not round_)
                tell(str(one.cell))


def _visit_peak(lane: Lane, results: Results, tell: Tell) -> None:
    try:
        found = in_child(peak_of, lane)
    except Failed as error:
        tell(f"{lane.executor}, the machine's peak: {error}")
        return
    results.peaks[lane] = found.or_better(results.peaks.get(lane, found))
    tell(f"{lane.executor}, the machine's peak")


def _visit(one: Measured, others: Sequence[Measured], folder: Path, first: bool) -> str | None:
    """Why there is no result, or None."""
    cell = one.cell
    if first and (problem := _too_large(cell, others)):
        return problem
    try:
        one.visits.append(_measured(cell, folder))
    except Failed as error:
        return str(error)
    return None


def _measured(cell: Cell, folder: Path) -> Visit:
    plate = folder / f"{cell.width}x{cell.height}"
    if not plate.with_suffix(".jpg").exists():
        in_child(save_plate, plate, cell.width, cell.height)
    return visit_command(cell, plate) if cell.part == "command" else in_child(visit, cell, plate)


def _too_large(cell: Cell, others: Sequence[Measured]) -> str | None:
    """Why a cell is left out, by a line through what its two next smaller sizes took."""
    free = available()
    known = [
        (other.cell.megapixels, other.memory)
        for other in others
        if other.memory
        and (other.cell.lane, other.cell.model, other.cell.part) == (cell.lane, cell.model, cell.part)
        and other.cell.megapixels < cell.megapixels
    ]
    if len(known) < 2:
        return None
    (small, less), (large, more) = sorted(known)[-2:]
    needed = more + max(0.0, (more - less) / (large - small)) * (cell.megapixels - large)
    if needed < free:
        return None
    return (
        f"left out: it would take about {needed / 1e9:.1f} GB, by what smaller plates took; {free / 1e9:.1f} are free"
    )
