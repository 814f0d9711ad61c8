"""Frame sequences: which files an input names, and which file each becomes. Patterns through fileseq.

    plate.####.jpg  plate.%04d.jpg  plate.@@@@.jpg  plate.$F4.jpg  plate.1001-1100####.jpg

`#` and `@` are a digit each, as in Nuke; a frame that needs more digits takes them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fileseq.constants import PAD_STYLE_HASH1
from fileseq.exceptions import FileSeqException, MaxSizeException
from fileseq.filesequence import FileSequence
from fileseq.frameset import FrameSet

from hdrnodes.errors import ReadError, WriteError


@dataclass(frozen=True)
class Job:
    """One picture to make: from a file, to a file; `frame` is its number where it is one of a sequence."""

    source: Path
    target: Path
    frame: int | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be done. `gaps` are the files of the asked range that do not exist."""

    jobs: tuple[Job, ...]
    gaps: tuple[Path, ...] = ()


def plan_jobs(inputs: Sequence[str | Path], output: str | Path, frames: str | None = None) -> Plan:
    """Find the files that inputs stand for, and a target for each.

    Args:
        inputs: files, or patterns. A file that is there under that very name is no pattern.
        output: a file for one input; a pattern, whose number is the source's; or a folder, there already or ending
            in `/`, in which each keeps its name, as .exr.
        frames: `1001-1100`, `1001-1100x2`, `1001,1005-1010`; None takes what is on the disk, from the first frame
            to the last: what is missing between them is a gap.

    Raises:
        ReadError: no frame of a pattern exists, or `frames` is no range, or is given without a pattern.
        WriteError: two pictures would become one file, or one its own source.
    """
    sources: list[tuple[Path, int | None]] = []
    gaps: list[Path] = []
    for each in map(str, inputs):
        if is_pattern(each):
            there, missing = existing_frames(each, frames)
            sources += [(frame_path(each, frame), frame) for frame in there]
            gaps += [frame_path(each, frame) for frame in missing]
        else:
            sources.append((Path(each), None))
    if frames is not None and not any(map(is_pattern, map(str, inputs))):
        raise ReadError(inputs[0], f"is not a pattern, so frames {frames} mean nothing", "write it as plate.####.jpg")
    jobs = tuple(Job(source, _target(source, frame, str(output), len(sources)), frame) for source, frame in sources)
    _refuse_collisions(jobs)
    return Plan(jobs, tuple(gaps))


def is_pattern(path: str) -> bool:
    """Whether a path stands for frames: it has a place for the number, and no file has that very name.

    >>> is_pattern("plate.####.jpg"), is_pattern("plate.%04d.jpg"), is_pattern("plate.jpg"), is_pattern("50%.jpg")
    (True, True, False, False)
    """
    name = re.split(r"[/\\]", path)[-1]
    return bool(re.search(r"[#@]|%\d*d|\$F\d*", name)) and not _exists(path)


def frame_path(path: str, frame: int) -> Path:
    """The file of one frame.

    >>> frame_path("plate.####.jpg", 42).name, frame_path("plate.%04d.jpg", 12345).name
    ('plate.0042.jpg', 'plate.12345.jpg')
    """
    return Path(_parse(path).frame(frame))


def frames_of(pattern: str, frames: str | None = None) -> tuple[int, ...]:
    """The frame numbers of a range; of the pattern's own range; else from the first file on the disk to the last."""
    if frames is not None:
        return _parse_range(pattern, frames)
    own = _parse(pattern).frameSet()
    if own:
        return _parse_range(pattern, str(own))
    try:
        on_disk = FileSequence.findSequenceOnDisk(pattern, strictPadding=True, pad_style=PAD_STYLE_HASH1)
    except (FileSeqException, OSError) as error:
        raise ReadError(pattern, "no frame of it exists", "check the path and the number of digits") from error
    numbers = _parse_range(pattern, str(on_disk.frameSet()))
    return tuple(range(min(numbers), max(numbers) + 1))


def existing_frames(pattern: str, frames: str | None = None) -> tuple[list[int], list[int]]:
    """The frames of a pattern that are there, and those that are missing. Raises ReadError where none is there."""
    wanted = frames_of(pattern, frames)
    exists = {frame: _exists(frame_path(pattern, frame)) for frame in wanted}
    if not any(exists.values()):
        raise ReadError(pattern, f"none of its frames {as_ranges(wanted)} exists", "check the path and the range")
    return [frame for frame in wanted if exists[frame]], [frame for frame in wanted if not exists[frame]]


def as_ranges(frames: Sequence[int]) -> str:
    """Frame numbers as people write them.

    >>> as_ranges([1001, 1002, 1003, 1005])
    '1001-1003,1005'
    """
    return str(FrameSet.framesToFrameRange(frames, sort=False))


def _exists(path: str | Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises OSError for a name that is too long


def _parse(path: str) -> FileSequence:
    try:
        return FileSequence(path, pad_style=PAD_STYLE_HASH1)
    except FileSeqException as error:
        raise ReadError(path, "is no pattern of frames", "write it as plate.####.jpg") from error


def _parse_range(subject: str, frames: str) -> tuple[int, ...]:
    try:
        numbers = tuple(FrameSet(frames))
    except (FileSeqException, MaxSizeException) as error:
        raise ReadError(subject, f"{frames!r} is no range of frames", "write 1001-1100 or 1001-1100x2") from error
    if not numbers or any(number != int(number) for number in numbers):
        raise ReadError(subject, f"{frames!r} has no whole frame numbers", "write 1001-1100 or 1001-1100x2")
    return tuple(map(int, numbers))


def _target(source: Path, frame: int | None, output: str, count: int) -> Path:
    if output.endswith(("/", "\\")) or os.path.isdir(output):  # noqa: PTH112 - as in `_exists`
        return Path(output) / f"{source.stem}.exr"
    if not is_pattern(output):
        if count > 1:
            remedy = f"put #### in it, as {Path(output).stem}.####{Path(output).suffix}, or name a folder"
            raise WriteError(output, f"is one name for {count} pictures", remedy)
        return Path(output)
    if frame is None:
        numbers = re.findall(r"\d+", source.stem)
        if not numbers:
            raise WriteError(output, f"has a place for a frame number, and {source} has none", "name a folder instead")
        frame = int(numbers[-1])
    return frame_path(output, frame)


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    taken: dict[str, Path] = {}
    # Not Path.resolve, which raises RuntimeError where links run in a circle (Python 3.11).
    sources = {os.path.realpath(job.source): job.source for job in jobs}
    for job in jobs:
        target = os.path.realpath(job.target)
        if target in sources:
            raise WriteError(job.target, f"would replace {sources[target]}, which is read", "choose another name")
        if target in taken:
            problem = f"would be written twice, from {taken[target]} and {job.source}"
            raise WriteError(job.target, problem, "choose a pattern or folder that tells them apart")
        taken[target] = job.source
