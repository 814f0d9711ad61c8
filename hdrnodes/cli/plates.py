"""What `PLATE... -o OUTPUT --frames RANGE` stands for: which files, and what becomes of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rich_click as click

from hdrnodes.cli.telling import Teller
from hdrnodes.errors import HdrnodesError, ReadError, WriteError
from hdrnodes.sequences import Job, as_ranges, existing_frames, frame_path, frames_of, is_pattern, plan_jobs


@dataclass
class Plates:
    """Pictures to make, in order; and what cannot be made, as `--json` says it: patterns without frames, gaps."""

    jobs: list[Job] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)


def find_plates(plates: Sequence[str], output: str | None, frames: str | None, teller: Teller) -> Plates:
    """Find the files; say which are missing, in one line for each pattern.

    Raises:
        click.UsageError: the command contradicts itself.
    """
    check_frames(plates, frames)
    found = Plates()
    usable = [plate for plate in plates if not is_pattern(plate) or _has_frames(plate, frames, found, teller)]
    try:
        for group, target in _groups(usable, output):
            found.jobs += plan_jobs(group, target, frames if any(map(is_pattern, group)) else None).jobs
    except WriteError as error:
        raise click.UsageError(str(error)) from error
    return found


def check_frames(plates: Iterable[str], frames: str | None) -> None:
    """Refuse a range that is none, or that no pattern wants.

    Raises:
        click.UsageError
    """
    if frames is None:
        return
    if not any(map(is_pattern, plates)):
        raise click.UsageError("--frames is for patterns, such as plate.####.jpg")
    try:
        frames_of("plate.####.jpg", frames)
    except ReadError as error:
        raise click.UsageError(f"--frames: {error.problem}; {error.remedy}") from error


def say_gaps(pattern: str, gaps: Sequence[int], teller: Teller) -> list[dict[str, Any]]:
    """Say which frames are missing; give back what `--json` says of each."""
    if gaps:
        noun = "frame" if len(gaps) == 1 else "frames"
        teller.error(f"{pattern}: {noun} {as_ranges(gaps)} missing; the others go on")
    missing = ((frame_path(pattern, frame), frame) for frame in gaps)
    remedy = "render it, or leave it out"
    return [failure(path, ReadError(path, "does not exist", remedy), frame) for path, frame in missing]


def _has_frames(pattern: str, frames: str | None, found: Plates, teller: Teller) -> bool:
    try:
        _, gaps = existing_frames(pattern, frames)
    except ReadError as error:
        teller.error(str(error))
        found.failed.append(failure(pattern, error))
        return False
    found.failed += say_gaps(pattern, gaps, teller)
    return True


def failure(plate: str | Path, error: HdrnodesError, frame: int | None = None) -> dict[str, Any]:
    """What `--json` says of an input that was not even tried."""
    about = {"input": str(plate), "output": None, "frame": frame}
    return {**about, "ok": False, "skipped": False, "error": str(error), "notes": [], "seconds": 0.0}


def _groups(plates: Sequence[str], output: str | None) -> list[tuple[list[str], str]]:
    """Plates, and where they go: all to the output; without one, each to where it is."""
    if not plates:
        return []
    if output is not None:
        return [(list(plates), output)]
    folders: dict[str, list[str]] = {}
    for plate in plates:
        folders.setdefault(f"{Path(plate).parent}/", []).append(plate)
    return [(group, folder) for folder, group in folders.items()]
