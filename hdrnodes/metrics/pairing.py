"""Which picture belongs to which reference and plate: two files, two patterns by their frames, two folders by stem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hdrnodes.errors import HdrnodesError, MetricError, ReadError
from hdrnodes.preview import is_preview
from hdrnodes.sequences import existing_frames, frame_path, is_pattern


@dataclass(frozen=True)
class Paths:
    """The files of one comparison; `name` tells it from the others: a stem, or a frame's number."""

    name: str
    test: Path
    reference: Path
    plate: Path | None = None
    against: Path | None = None


@dataclass(frozen=True)
class Unpaired:
    """A picture that cannot be compared, and why."""

    name: str
    path: Path
    error: HdrnodesError


def pair_up(
    test: str, reference: str, plate: str | None = None, against: str | None = None, frames: str | None = None
) -> tuple[list[Paths], list[Unpaired]]:
    """Find the files that belong together.

    Args:
        test, reference, plate, against: each a file, a pattern of frames, or a folder; all of one kind.
        frames: of patterns, as in `sequences.plan_jobs`.

    Returns:
        The comparisons, in order of their names or frames; and every file without a partner.

    Raises:
        ReadError: a file, folder or sequence is not there at all, or has no name in common with PRED's; `frames` is no
            range.
        MetricError: they are of different kinds.
    """
    given = {"PRED": test, "REF": reference, "the plate": plate, "the other method": against}
    sources = {role: each for role, each in given.items() if each is not None}
    kinds = {role: _kind(each) for role, each in sources.items()}
    for role, kind in kinds.items():
        if kind != kinds["PRED"]:
            for each in ("PRED", role):
                if kinds[each] == "file" and not Path(sources[each]).exists():
                    raise ReadError(sources[each], "does not exist", "check the path")
            raise MetricError(sources[role], f"is a {kind}, and PRED a {kinds['PRED']}", "give all as one kind")
    if frames is not None and kinds["PRED"] != "pattern":
        raise MetricError(test, "is no pattern of frames, which --frames is for", "write it as pred.####.exr")
    if kinds["PRED"] == "file":
        return [_paths(Path(test).stem, {role: Path(each) for role, each in sources.items()})], []
    unpaired: list[Unpaired] = []
    files = {role: _files(each, kinds[role], frames, unpaired) for role, each in sources.items()}
    for role in files:
        _check_some_in_common(sources, files, role)
    names = {name for found in files.values() for name in found} - _names(unpaired)
    whole = []
    for name in sorted(names, key=int if kinds["PRED"] == "pattern" else str):
        there = {role: found[name] for role, found in files.items() if name in found}
        lacking = [sources[role] for role in files if role not in there]
        if not lacking:
            whole.append(_paths(name, there))
        elif "PRED" in there or "REF" in there:  # a plate that nobody predicted is no fault
            path = there.get("PRED") or there["REF"]
            problem = f"has no partner {name} in {' and '.join(lacking)}"
            unpaired.append(Unpaired(name, path, MetricError(path, problem, "add it, or leave this one out")))
    return whole, unpaired


def _kind(source: str) -> str:
    if Path(source).is_dir():
        return "folder"
    return "pattern" if is_pattern(source) else "file"


def _files(source: str, kind: str, frames: str | None, unpaired: list[Unpaired]) -> dict[str, Path]:
    """Name -> file. What is in a folder twice, under one stem, goes to `unpaired`; contact sheets are nothing."""
    if kind == "pattern":
        there, gaps = existing_frames(source, frames)
        if frames is not None:
            unpaired += [
                _lacking(str(gap), frame_path(source, gap)) for gap in gaps if str(gap) not in _names(unpaired)
            ]
        return {str(frame): frame_path(source, frame) for frame in there}
    found: dict[str, list[Path]] = {}
    extensions = _extensions()
    for path in sorted(Path(source).iterdir()):
        if path.suffix.lower().lstrip(".") in extensions and not (path.name.startswith(".") or is_preview(path)):
            found.setdefault(path.stem, []).append(path)
    if not found:
        raise ReadError(source, "holds no pictures", "check the path")
    for name, paths in found.items():
        if len(paths) > 1:
            error = MetricError(paths[0], f"is one of several called {name}", "leave one of them in the folder")
            unpaired.append(Unpaired(name, paths[0], error))
    return {name: paths[0] for name, paths in found.items() if len(paths) == 1}


def _check_some_in_common(sources: Mapping[str, str], files: Mapping[str, Mapping[str, Path]], role: str) -> None:
    """Two folders of other names are one fault, and not one for each file."""
    ours, theirs = files["PRED"], files[role]
    if ours and theirs and ours.keys().isdisjoint(theirs):
        examples = f"here {next(iter(ours))}, there {next(iter(theirs))}"
        problem = f"has no picture called as one in {sources[role]} ({examples})"
        raise ReadError(sources["PRED"], problem, "name those that belong together alike")


def _names(unpaired: Iterable[Unpaired]) -> set[str]:
    return {each.name for each in unpaired}


def _lacking(name: str, path: Path) -> Unpaired:
    return Unpaired(name, path, ReadError(path, "does not exist", "render it, or leave it out"))


def _extensions() -> set[str]:
    import OpenImageIO as oiio

    formats = oiio.get_string_attribute("extension_list").split(";")
    return {name for each in formats for name in each.partition(":")[2].split(",")}


def _paths(name: str, by_role: dict[str, Path]) -> Paths:
    return Paths(name, by_role["PRED"], by_role["REF"], by_role.get("the plate"), by_role.get("the other method"))
