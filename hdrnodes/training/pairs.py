"""Photographs of real cameras with their light: what `refine` is fitted to beside made plates."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hdrnodes.errors import HdrnodesError, ReadError
from hdrnodes.image import SRGB, Pixels
from hdrnodes.io import read
from hdrnodes.training.clip_level import Codes, clip_level, likeness
from hdrnodes.training.pair_layouts import PairFiles, find_pairs
from hdrnodes.training.sources import read_light

log = logging.getLogger("hdrnodes")

ALIKE = 0.7  # correlation; made plates have 0.9 and more with their own light, 0.1 (0.8 at most) with other light


@dataclass(frozen=True, eq=False)
class PlatePair:
    """A plate and its light.

    Attributes:
        name: the plate's path under the folder, without the suffix.
        codes: H x W x 3, the plate, 0..255.
        light: H x W x 3 float32, scene-linear BT.709; 1.0 is where the plate clips (`clip_level`).
        scene: what it shows: plates of one light file, at several exposures, have one scene.
    """

    name: str
    codes: Codes
    light: Pixels
    scene: str


@dataclass(frozen=True)
class RealPlates:
    """A batch, N x 3 x H x W float32 each; of a real camera neither the curve nor the noiseless picture is known.

    Attributes:
        light: scene-linear; 1.0 is where the plate clips.
        codes: the plate, on 8-bit codes, 0..1.
    """

    light: Tensor
    codes: Tensor


def load_pairs(
    path: str | os.PathLike[str], folders: tuple[str, str] | None = None, most: int | None = None
) -> Iterator[PlatePair]:
    """Plates with their light, in the order of their names; `hdrnodes.training.pair_layouts` has the layouts.

    What cannot be used is left out, and a line says why: a file without a partner, or that cannot be read; two sizes
    (nothing is resized: codes would no longer be codes); a plate of more than 8 bits, or not in sRGB; light that shows
    another picture. One pair is held at a time.

    Args:
        path: a folder.
        folders: names of those with the plates and with the lights, under `path`, where they are none of the known.
        most: pairs; of more, evenly spaced ones are taken, so that each scene has its share.

    Raises:
        ReadError: there is no such folder, it holds no pair, or none of them can be used.
    """
    path = Path(path)
    files = find_pairs(path, folders)
    if most is not None and most < len(files):
        files = [files[i * len(files) // most] for i in range(most)]
    used = 0
    for each in files:
        try:
            yield _read_pair(each)
            used += 1
        except HdrnodesError as error:
            log.warning("%s", error)
    if not used:
        raise ReadError(path, f"none of its {len(files)} pairs can be used", "see the lines above")


class PairMaker:
    """Draws crops of pairs without end, turned and mirrored at random. Same generator state, same crops.

    Each scene is drawn as often as any other. All pairs are held on the device, 9 bytes a pixel (light as half): 23 GB
    for the 9800 pairs of 512 x 512 that HDR-Real has; `load_pairs` takes fewer.

    Args:
        pairs: a line says which are smaller than the crops; they are left out.
        size: height and width of the crops, pixels.
        device: where the pairs are, and the crops.

    Raises:
        ReadError: none is large enough.
    """

    def __init__(self, pairs: Iterable[PlatePair], size: tuple[int, int], device: torch.device | str = "cpu") -> None:
        self.size = size
        self._held: list[tuple[Tensor, Tensor]] = []
        scenes = []
        for pair in pairs:
            height, width, _ = pair.codes.shape
            if min(height, width) < min(size) or max(height, width) < max(size):
                log.warning(
                    "%s: %d x %d pixels are too few for crops of %d x %d", pair.name, width, height, *size[::-1]
                )
                continue
            scenes.append(pair.scene)
            codes, light = torch.from_numpy(pair.codes), torch.from_numpy(pair.light)
            half = light.clamp(max=torch.finfo(torch.half).max).half()
            self._held.append((codes.permute(2, 0, 1).to(device), half.permute(2, 0, 1).to(device)))
        if not self._held:
            raise ReadError("pairs", f"none is as large as {size[1]} x {size[0]} pixels", "give larger pictures")
        count = Counter(scenes)
        self._weights = torch.tensor([1 / count[scene] for scene in scenes])

    def __len__(self) -> int:
        return len(self._held)

    def draw(self, n: int, random: torch.Generator) -> RealPlates:
        """N crops, each of a pair of its own choice."""
        chosen = torch.multinomial(self._weights.to(random.device), n, replacement=True, generator=random).tolist()
        places = torch.rand(n, 4, generator=random, device=random.device).tolist()
        crops = [self._crop(index, *place) for index, place in zip(chosen, places, strict=True)]
        codes, light = (torch.stack(each) for each in zip(*crops, strict=True))
        return RealPlates(light, codes.float() / 255)

    def _crop(self, index: int, top: float, left: float, turn: float, mirror: float) -> tuple[Tensor, Tensor]:
        """A crop by four numbers of 0..1."""
        turns = int(4 * turn)
        picture = torch.Size(self._held[index][0].shape[1:])
        height, width = self.size if turns % 2 == 0 else self.size[::-1]
        if height > picture[0] or width > picture[1]:  # it fits the other way round only
            turns, height, width = turns ^ 1, width, height
        y, x = int(top * (picture[0] - height + 1)), int(left * (picture[1] - width + 1))

        def cut(pixels: Tensor) -> Tensor:
            pixels = torch.rot90(pixels[:, y : y + height, x : x + width], turns, (1, 2))
            return pixels.flip(2) if mirror < 0.5 else pixels

        codes, light = self._held[index]
        # Half no longer: autocast on a CPU stacks none.
        return cut(codes), cut(light).float()


def _read_pair(files: PairFiles) -> PlatePair:
    plate, light = read(files.plate), read_light(files.light)
    if plate.bits != 8:
        raise ReadError(files.plate, f"has {plate.bits} bits, and a plate has 8", "save it with 8, or take it out")
    if plate.colorspace != SRGB:
        raise ReadError(files.plate, f"is in {plate.colorspace}, and its light in BT.709", "convert it to sRGB")
    if plate.rgb.shape != light.shape:
        sizes = f"{plate.width} x {plate.height} pixels, but {files.light} {light.shape[1]} x {light.shape[0]}"
        raise ReadError(files.plate, f"has {sizes}", "give both one size")
    codes = np.rint(plate.rgb * 255).astype(np.uint8)
    level = clip_level(codes, light)
    if level is None:
        raise ReadError(files.plate, "has no tones to tell its exposure by", "take it out")
    light = light / np.float32(level)
    if likeness(codes, light) < ALIKE:
        raise ReadError(files.plate, f"does not show what {files.light} shows", "pair it with its own light")
    return PlatePair(files.name, codes, light, str(files.light))
