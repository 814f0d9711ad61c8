"""Which files under a folder are a plate and its light, by how the field's sets and ordinary folders are laid out.

HDR-Real of Liu et al. (CVPR 2020), to train with: `LDR_in/00001.jpg`, `HDR_gt/00001.hdr`. Known from the authors'
`training_code/convert_to_tf_record.py`, which pairs them by their order; that the names agree, from others' loaders.

HDR-Real, HDR-Eye, HDR-Synth and RAISE as the same authors hand them out to test with: `00001/input.jpg` (of HDR-Synth
.png), `00001/gt.hdr`. Known from two published loaders of the first two; of RAISE it is assumed.

SI-HDR of Hanji et al. (SIGGRAPH 2022): `input/clip_95/001.png`, `input/clip_97/001.png`, `reference/001.exr`, when all
archives are unpacked into one folder. Known from a published evaluation.

HDR-Eye as EPFL hands it out: not known; bring it into the next form.

Your own: `ldr/shot/a.png`, `hdr/shot/a.exr`, or two folders by other names.

Your own, in one folder: `a.jpg`, `a.exr`; or `a_ldr.png`, `a_hdr.exr` (also `plate` or `input`, `gt` or `reference`).

Capitals do not matter in the names of folders, and a set may lie deeper than the folder that is given.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hdrnodes.errors import ReadError
from hdrnodes.training.sources import SUFFIXES, walk

log = logging.getLogger("hdrnodes")

FOLDERS = (("LDR_in", "HDR_gt"), ("input/clip_95", "reference"), ("input/clip_97", "reference"), ("ldr", "hdr"))

_PLATES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
_LIGHTS = {".exr", ".hdr", ".pfm"}  # a .tif beside a plate may be a plate; in a folder of lights it is one of them
_MARK = {"plate": re.compile(r"(^|[._-])(ldr|input|plate)$"), "light": re.compile(r"(^|[._-])(hdr|gt|reference)$")}


@dataclass(frozen=True)
class PairFiles:
    """A plate and its light.

    Attributes:
        name: the plate's path under the folder, without the suffix.
        plate, light: files.
    """

    name: str
    plate: Path
    light: Path


def find_pairs(path: Path, folders: tuple[str, str] | None = None) -> list[PairFiles]:
    """Every plate with its light under a folder, in the order of their names. Lines say which files have no partner.

    Args:
        path: a folder, laid out as above.
        folders: names of those with the plates and with the lights, under `path`, where they are others.

    Raises:
        ReadError: there is no such folder, or no plate in it has a light.
    """
    for needed in (path, *(path / each for each in folders or ())):
        if not needed.is_dir():
            raise ReadError(needed, "is no folder", "check the path")
    pairs = _of_two_folders(path, path / folders[0], path / folders[1]) if folders else _search(path)
    if not pairs:
        remedy = "lay them out as ldr/a.png and hdr/a.exr, or a.png beside a.exr"
        raise ReadError(path, "holds no plate (JPEG, PNG, TIFF) with its light (.exr, .hdr)", remedy)
    return pairs


def _search(path: Path) -> list[PairFiles]:
    pairs = []
    for parent, inner, names in walk(path):
        for plates, lights in FOLDERS:
            plate_folder, light_folder = _subfolder(parent, plates), _subfolder(parent, lights)
            if plate_folder and light_folder:
                pairs += _of_two_folders(path, plate_folder, light_folder)
                used = {plates.split("/")[0].lower(), lights.lower()}
                inner[:] = [each for each in inner if each.lower() not in used]
        pairs += _of_one_folder(path, [parent / name for name in names])
    return pairs


def _of_two_folders(root: Path, plates: Path, lights: Path) -> list[PairFiles]:
    def keys(folder: Path, suffixes: Iterable[str]) -> dict[str, list[Path]]:
        files = (parent / name for parent, _, names in walk(folder) for name in names)
        return _by_key((f, str(f.relative_to(folder).with_suffix(""))) for f in files if f.suffix.lower() in suffixes)

    return _matched(root, keys(plates, _PLATES), keys(lights, SUFFIXES))


def _of_one_folder(root: Path, files: list[Path]) -> list[PairFiles]:
    plates = [file for file in files if file.suffix.lower() in _PLATES]
    lights = [file for file in files if file.suffix.lower() in _LIGHTS]
    if not (plates and lights):  # a folder of pictures, or of scenes; only what is called input or gt misses a partner
        plates = [file for file in plates if _MARK["plate"].search(file.stem.lower())]
        lights = [file for file in lights if _MARK["light"].search(file.stem.lower())]
    same = {file.stem for file in plates} & {file.stem for file in lights}

    def keys(files: list[Path], mark: re.Pattern[str]) -> dict[str, list[Path]]:
        return _by_key((file, file.stem if file.stem in same else mark.sub("", file.stem.lower())) for file in files)

    return _matched(root, keys(plates, _MARK["plate"]), keys(lights, _MARK["light"]))


def _by_key(keyed: Iterable[tuple[Path, str]]) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for file, key in keyed:
        files.setdefault(key, []).append(file)
    return files


def _matched(root: Path, plates: dict[str, list[Path]], lights: dict[str, list[Path]]) -> list[PairFiles]:
    """A pair for each plate whose key a light has; one line on the files of all other keys."""
    alone = [file for key in plates.keys() ^ lights.keys() for file in (*plates.get(key, ()), *lights.get(key, ()))]
    if alone:
        first, *others = sorted(alone)
        others_too = f", nor have {len(others)} more there" if others else ""
        log.warning("%s: has no partner%s; left out", first, others_too)
    return [
        PairFiles(plate.relative_to(root).with_suffix("").as_posix(), plate, lights[key][0])
        for key in sorted(plates.keys() & lights.keys())
        for plate in plates[key]
    ]


def _subfolder(parent: Path, name: str) -> Path | None:
    for part in name.lower().split("/"):
        found = [each for each in parent.iterdir() if each.name.lower() == part and each.is_dir()]
        if not found:
            return None
        parent = found[0]
    return parent
