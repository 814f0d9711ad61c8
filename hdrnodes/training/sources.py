"""Scenes from folders: every float picture, scene-linear BT.709, one at a time.

    for source in load("hdr/train"):
        source.name, source.light, source.panorama

This reads, among others, what the field trains on as it is distributed: HDR-Synth of Liu et al. (CVPR 2020) has .hdr
and .exr in a folder for each collection (`funt/hdr`, `hdr_book/exr`, `stanford`, `fairchild`, by the lists in the
authors' repository), SI-HDR of Hanji et al. (SIGGRAPH 2022) has `reference/*.exr`: photographs mostly, not panoramas.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import torch

from hdrnodes.clean import clean
from hdrnodes.errors import HdrnodesError, KnobError, ReadError
from hdrnodes.image import LINEAR, Image, Pixels
from hdrnodes.imagebuf import is_float
from hdrnodes.io import MAX_PIXELS, read
from hdrnodes.nodes.color_space import convert
from hdrnodes.reduce import reduce_planar
from hdrnodes.unreadable import check_file, why_not_an_image

log = logging.getLogger("hdrnodes")

SUFFIXES = (".exr", ".hdr", ".pfm", ".tif", ".tiff")  # in this order where one scene is there as several files

# Of folders only: the name of many a panorama has "photo studio" or "view" in it.
_PANORAMAS = {"latlong", "equirectangular", "panoramas", "hdris"}
_VIEWS = {"views", "perspective", "photos", "photographs", "plates", "reference"}


@dataclass(frozen=True, eq=False)
class Source:
    """A scene.

    Attributes:
        name: its path under the folder, without the suffix: `stanford/office3`.
        light: H x W x 3 float32, scene-linear BT.709, as bright as the file has it; finite, not negative.
        panorama: whether it is equirectangular and shows all around; else it is a view, as a camera's.
    """

    name: str
    light: Pixels
    panorama: bool


def load(path: str | os.PathLike[str], longest_side: int = 1024) -> Iterator[Source]:
    """Every .exr, .hdr, .pfm and float .tif of a folder and the folders in it, in the order of their names.

    Channels beyond RGB are dropped, grey is expanded, colours are converted to BT.709 where the header says what they
    are. NaN, infinity and negatives are taken out, and a line says how many (`hdrnodes.clean.clean`). A file that
    cannot be read is left out, and a line says why. One full-size picture is held at a time.

    Twice as wide as high is a panorama, unless it lies in a folder called views, perspective, photos, photographs,
    plates or reference. What says the opposite, and is nearer, goes before: the attribute `envmap` of an EXR,
    `latlong` or `equirect` in the file's name, a folder called latlong, equirectangular, panoramas or hdris.

    Args:
        path: a folder, or a single file.
        longest_side: pixels; what is larger is averaged down by area to this.

    Raises:
        ReadError: there is no such folder, it holds no float picture, or none of them can be read.
    """
    path = Path(path)
    used, left_out = 0, 0
    for name, file in _files(path):
        try:
            spec = _header(file)
            if not is_float(spec):  # an ordinary TIFF
                continue
            yield Source(name, reduced(read_light(file), longest_side), _is_panorama(file, path, spec))
            used += 1
        except HdrnodesError as error:
            log.warning("%s", error)
            left_out += 1
    if left_out and not used:
        raise ReadError(path, f"none of its {left_out} pictures can be used", "see the lines above")
    if not used:
        raise ReadError(path, "holds no .exr, .hdr, .pfm or float .tif", "name another folder")


def read_light(file: Path) -> Pixels:
    """The colours of a float picture, H x W x 3 float32 scene-linear BT.709, finite, not negative; read-only.

    Raises:
        HdrnodesError: the file cannot be read, its colour space is not known, or nothing in it is above zero.
    """
    image = read(file)
    if file.suffix.lower() == ".pfm":  # OpenImageIO calls these Rec709; by use they are linear, and have no header
        image = replace(image, colorspace=LINEAR)
    if "chromaticities" in image.metadata:
        log.warning("%s: has primaries that no colour space here has; they are taken for BT.709's", file)
    try:
        image = convert(Image(image.rgb, colorspace=image.colorspace), LINEAR)
    except KnobError as error:
        problem = f"cannot be converted to BT.709 ({error.subject} {error.problem})"
        raise ReadError(file, problem, "convert it first") from error
    image, counts = clean(image)
    if counts:
        log.warning("%s: %s taken out", file, ", ".join(f"{count} {kind} values" for kind, count in counts.items()))
    if not image.pixels.any():
        raise ReadError(file, "is black", "take it out of the folder")
    return image.pixels


def reduced(light: Pixels, longest_side: int) -> Pixels:
    """A copy of H x W x 3, averaged by area so that no side is longer than that; smaller ones stay as they are."""
    planes = torch.from_numpy(light.transpose(2, 0, 1).copy())[None]
    return np.ascontiguousarray(reduce_planar(planes, longest_side)[0].permute(1, 2, 0).numpy())


def walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Folders, through links too, each once; with the names of folders and files in them, sorted. None are hidden."""
    seen = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        yield Path(parent), folders, sorted(each for each in files if not each.startswith("."))


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Names of scenes, and a file each."""
    if path.is_file():
        yield path.stem, path
        return
    if not path.is_dir():
        raise ReadError(path, "does not exist", "check the path")
    for parent, _, names in walk(path):
        scenes: dict[str, list[Path]] = {}
        for name in names:
            if (file := parent / name).suffix.lower() in SUFFIXES:
                scenes.setdefault(file.stem, []).append(file)
        for stem, files in scenes.items():
            first, *others = sorted(files, key=lambda file: SUFFIXES.index(file.suffix.lower()))
            for other in others:
                log.warning("%s: left out, for %s is the same scene by its name", other, first.name)
            yield (parent / stem).relative_to(path).as_posix(), first


def _header(file: Path) -> oiio.ImageSpec:
    check_file(file, MAX_PIXELS)
    source = oiio.ImageInput.open(str(file))
    if source is None:
        raise why_not_an_image(file, oiio.geterror())
    try:
        return source.spec()
    finally:
        source.close()


def _is_panorama(file: Path, root: Path, spec: oiio.ImageSpec) -> bool:
    layout = spec.get_string_attribute("textureformat")
    if layout == "CubeFace Environment":
        raise ReadError(file, "is a cube map", "convert it to an equirectangular picture (OpenEXR's exrenvmap does)")
    if spec.width != 2 * spec.height:
        return False
    if layout == "LatLong Environment" or re.search("latlong|equirect", file.stem.lower()):
        return True
    outside = root.absolute().parent.parts
    for folder in reversed(file.absolute().parent.parts[len(outside) :]):
        if folder.lower() in _PANORAMAS | _VIEWS:
            return folder.lower() in _PANORAMAS
    return True
