"""HDR scenes, all of them in the trainer's memory (a GPU's where there is one) as half floats, scene-linear BT.709."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hdrnodes.errors import ReadError
from hdrnodes.training.losses import luminance
from hdrnodes.whole_file import whole_file

# Mirrored skies and photo studios show little of the world, and a photograph less than a panorama; they are drawn
# this much less often.
RARE = {"puresky": 0.25, "studio": 0.4}
PHOTOGRAPH = 0.25

WIDTH, HEIGHT = 1024, 512
LEVELS = 5
MIDDLE = 0.18
PACKED = ".safetensors"


def _places() -> list[tuple[int, int, int, int]]:
    """Left, top, width and height of each level in the texture, without its border."""
    places, left = [(1, 1, WIDTH, HEIGHT)], 0
    for level in range(1, LEVELS):
        width, height = WIDTH >> level, HEIGHT >> level
        places.append((left + 1, HEIGHT + 3, width, height))
        left += width + 2
    return places


PLACES = _places()


@dataclass(eq=False)
class Scenes:
    """N panoramas and photographs, each a texture of one size.

    A texture has the picture as 512 x 1024 texels, and under it the same at a half, a quarter, ... of the size, side by
    side, for views that show it small. Around each lies a border of one texel, so that a bilinear lookup needs no care:
    of panoramas it has what lies across the seam. Photographs are stretched to that shape; portraits lie on their side.

    Attributes:
        light: N x 3 x 772 x 1026 half, scene-linear, >= 0, median luminance 0.18. Suns end at 65504.
        panorama: N booleans: equirectangular; else a photograph.
        aspect: N, width by height of what is stored, >= 1; 2 for panoramas.
        turn: N radians: how a view must be turned to stand upright in what is stored.
        bright: N x 64 x 2, where (0..1 along and down the picture) some of the brightest pixels are: windows, lamps.
        weights: N, how often each is drawn.
        names: N scene names.
    """

    light: Tensor
    panorama: Tensor
    aspect: Tensor
    turn: Tensor
    bright: Tensor
    weights: Tensor
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        # Known on the CPU, so that no draw has to wait for a GPU to tell.
        self.has_panoramas, self.has_photographs = bool(self.panorama.any()), not bool(self.panorama.all())

    def __len__(self) -> int:
        return len(self.names)

    @property
    def device(self) -> torch.device:
        return self.light.device

    @classmethod
    def read(cls, paths: Path | Sequence[Path], device: torch.device | str = "cpu") -> Self:
        """From folders of float pictures (`hdrnodes.training.sources`), packed files, or several of them.

        Raises:
            ReadError: one of them has no scene, or is no packed file.
        """
        parts = [
            cls.load(path, device) if path.suffix == PACKED else cls._of_folder(path, device)
            for path in ([paths] if isinstance(paths, Path) else paths)
        ]
        joined = {key: torch.cat([getattr(part, key) for part in parts]) for key in _TENSORS}
        return cls(**joined, names=tuple(name for part in parts for name in part.names))

    @classmethod
    def _of_folder(cls, path: Path, device: torch.device | str) -> Self:
        from hdrnodes.training.sources import load  # needs OpenImageIO, which packed files do without

        rows: list[dict[str, Tensor]] = []
        names = []
        for source in load(path, WIDTH):
            rows.append(_stored(torch.from_numpy(source.light).permute(2, 0, 1), source.panorama, source.name))
            names.append(source.name)
        return cls(**{key: torch.stack([row[key] for row in rows]).to(device) for key in _TENSORS}, names=tuple(names))

    def save(self, file: Path, *, overwrite: bool = False) -> None:
        """Pack them into one file (`.safetensors`), to train where neither the pictures nor OpenImageIO are.

        Raises:
            WriteError: it cannot be written there, or exists.
        """
        tensors = {key: getattr(self, key).cpu().contiguous() for key in _TENSORS}
        with whole_file(file, overwrite) as temporary:
            save_file(tensors, temporary, {"names": json.dumps(self.names)})

    @classmethod
    def load(cls, file: Path, device: torch.device | str = "cpu") -> Self:
        """From a packed file.

        Raises:
            ReadError: it is not there, or is no packed file of these scenes.
        """
        try:
            with safe_open(file, "pt", device=str(device)) as archive:
                names = tuple(json.loads(archive.metadata()["names"]))
                tensors = {key: archive.get_tensor(key) for key in _TENSORS}
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ReadError(file, f"is no file of packed scenes ({error})", "pack them again") from error
        shape = (len(names), 3, *_texture_size())
        if not names or tensors["light"].shape != shape or tensors["light"].dtype != torch.half:
            raise ReadError(file, "was packed by another version", "pack the scenes again")
        return cls(**tensors, names=names)


_TENSORS = [field.name for field in fields(Scenes) if field.name != "names"]


def _texture_size() -> tuple[int, int]:
    return HEIGHT + 2 + HEIGHT // 2 + 2, WIDTH + 2


def _stored(light: Tensor, panorama: bool, name: str) -> dict[str, Tensor]:
    """The row of a scene, from its light, 3 x H x W float32."""
    turned = light.shape[1] > light.shape[2]
    if turned:
        light = torch.rot90(light, 1, (1, 2))
    aspect = light.shape[2] / light.shape[1]
    pixels = _normalised(F.interpolate(light[None], (HEIGHT, WIDTH), mode="bilinear", antialias=True)[0])
    last = name.rsplit("/")[-1]
    rarity = min((share for key, share in RARE.items() if key in last), default=1.0)
    return {
        "light": _texture(pixels, panorama),
        "panorama": torch.tensor(panorama),
        "aspect": torch.tensor(aspect),
        "turn": torch.tensor(-math.pi / 2 if turned else 0.0),
        "bright": _brightest(pixels),
        "weights": torch.tensor(rarity if panorama else PHOTOGRAPH),
    }


def _normalised(pixels: Tensor) -> Tensor:
    pixels = pixels.clamp(min=0)
    return pixels * (MIDDLE / luminance(pixels[None]).median().clamp(min=1e-6))


def _texture(pixels: Tensor, panorama: bool) -> Tensor:
    """See `Scenes`."""
    texture = torch.zeros(3, *_texture_size(), dtype=torch.half)
    level = pixels.clamp(max=torch.finfo(torch.half).max)[None]
    for left, top, width, height in PLACES:
        wide = F.pad(level, (1, 1, 0, 0), "circular" if panorama else "replicate")
        texture[:, top - 1 : top + height + 1, left - 1 : left + width + 1] = F.pad(wide, (0, 0, 1, 1), "replicate")[0]
        level = F.avg_pool2d(level, 2)
    return texture


def _brightest(pixels: Tensor, count: int = 64) -> Tensor:
    """`count` places, evenly through the brightest 0.5 % of the pixels; count x 2, 0..1 along and down."""
    _, height, width = pixels.shape
    order = pixels.mean(dim=0).flatten().argsort(descending=True, stable=True)[: height * width // 200]
    chosen = order[:: max(1, len(order) // count)][:count]
    return torch.stack([(chosen % width + 0.5) / width, (chosen // width + 0.5) / height], dim=-1)
