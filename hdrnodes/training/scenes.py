"""HDR panoramas, all of them in the trainer's memory, scene-linear BT.709."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hdrnodes.errors import ReadError

# Mirrored skies and photo studios show little of the world; they are drawn this much less often.
RARE = {"puresky": 0.25, "studio": 0.4}


class Scenes:
    """Equirectangular panoramas of one size.

    Attributes:
        light: N x 3 x H x (W + 2) float32, scene-linear, median luminance 0.18; one wrapped column on each side, so
            that a bilinear lookup crosses the seam.
        weights: N, how often each is drawn.
        bright: N x 64 x 2, yaw and pitch (radians) of some of its brightest pixels: windows, lamps, the sun.
        names: N scene names.
    """

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        import OpenImageIO as oiio

        light, self.names = [], []
        for path in sorted(folder.glob("*.exr")):
            picture = oiio.ImageBuf(str(path))
            if picture.has_error:
                raise ReadError(path, picture.geterror().strip(), "copy it again from the source")
            read = np.asarray(picture.get_pixels(oiio.FLOAT), np.float32)
            pixels = torch.from_numpy(read[..., :3].copy()).permute(2, 0, 1)
            if pixels.shape[2] != 2 * pixels.shape[1]:  # not a panorama
                continue
            if pixels.shape[2] != 1024:
                pixels = torch.nn.functional.interpolate(pixels[None], (512, 1024), mode="bilinear")[0]
            light.append(_normalised(pixels))
            self.names.append(path.stem)
        if not light:
            raise ReadError(
                folder,
                "holds no equirectangular .exr panorama (twice as wide as high)",
                "name another folder",
            )
        stacked = torch.stack(light)
        self.light = torch.cat([stacked[..., -1:], stacked, stacked[..., :1]], dim=3).to(device)
        self.bright = torch.stack([_brightest(pixels) for pixels in light])
        self.weights = torch.tensor(
            [min((w for key, w in RARE.items() if key in name), default=1.0) for name in self.names],
            device=device,
        )

    def __len__(self) -> int:
        return len(self.names)


def _brightest(pixels: Tensor, count: int = 64) -> Tensor:
    """Directions of `count` pixels, evenly through the brightest 0.5 %; count x 2, yaw and pitch in radians."""
    _, height, width = pixels.shape
    order = pixels.mean(dim=0).flatten().argsort(descending=True)[: height * width // 200]
    chosen = order[:: max(1, len(order) // count)][:count]
    longitude, latitude = (chosen % width + 0.5) / width, (chosen // width + 0.5) / height
    return torch.stack([(longitude - 0.5) * 2 * math.pi, (0.5 - latitude) * math.pi], dim=-1)


def _normalised(pixels: Tensor) -> Tensor:
    pixels = pixels.clamp(min=0)
    luminance = 0.2126 * pixels[0] + 0.7152 * pixels[1] + 0.0722 * pixels[2]
    return pixels * (0.18 / luminance.median().clamp(min=1e-6))
