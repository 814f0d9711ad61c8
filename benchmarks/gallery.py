"""Plates to look at: what a model makes of each at -4, -2, 0 and +2 stops, beside the truth where there is one.

    python benchmarks/gallery.py --scenes hdr/validation --scenes hdr/train --responses responses/dorf_train.npz \
        --photo "rocket=rocket.jpg" [--model default] -o engines/default/gallery

Writes a JPEG for each plate of `PLATES` whose scene is there, and for each photograph; prints their errors.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import hdrnodes
from hdrnodes.camera.clipping import clip
from hdrnodes.camera.exposure import expose, stops_to_clip
from hdrnodes.camera.jpeg import jpeg
from hdrnodes.camera.noise import add_noise
from hdrnodes.camera.quantisation import quantise
from hdrnodes.camera.response import apply_response
from hdrnodes.cli.running import take_model_folders
from hdrnodes.display import light_of, shown
from hdrnodes.image import SRGB, Image, Pixels
from hdrnodes.metrics.protocols import PROTOCOLS
from hdrnodes.nodes.base import Context
from hdrnodes.preview import STOPS, joined, labelled
from hdrnodes.primaries import LUMINANCE
from hdrnodes.reduce import reduce
from hdrnodes.training.responses import measured_responses
from hdrnodes.training.scenes import Scenes
from hdrnodes.training.views import views

SIZE = (320, 480)
WIDTH = 320  # pixels, of each picture on the sheet


@dataclass(frozen=True)
class Plate:
    """A view of a scene, and how much of it clips. With `chrome`, a mirror ball stands in front of the camera."""

    name: str
    scene: str
    along: float
    down: float
    degrees: float
    clipped: float
    chrome: bool = False


PLATES = (
    Plate("sunset", "sunset_jhbcentral", 0.36, 0.42, 80, 0.05),
    Plate("window", "vestibule", 0.58, 0.46, 65, 0.08),
    Plate("night", "satara_night", 0.56, 0.5, 60, 0.03),
    Plate("sun", "wide_street_02", 0.6, 0.43, 80, 0.07),
    Plate("fire", "fireplace", 0.57, 0.6, 50, 0.03),
    Plate("church", "sepulchral_chapel_rotunda", 0.26, 0.52, 70, 0.1),
    Plate("alley", "venetian_crossroads", 0.6, 0.36, 75, 0.1),
    Plate("clouds", "table_mountain_1", 0.63, 0.42, 85, 0.08),
    Plate("chrome", "wide_street_02", 0.1, 0.5, 70, 0.04, chrome=True),
    Plate("snow", "snowy_field", 0.6, 0.46, 80, 0.08),
    Plate("neon", "neon_photostudio", 0.5, 0.44, 60, 0.05),
    Plate("studio", "studio_small_08", 0.66, 0.42, 80, 0.04),
    Plate("street at night", "hansaplatz", 0.5, 0.46, 75, 0.05),
    Plate("lamp", "hotel_room", 0.45, 0.38, 75, 0.05),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, action="append", default=[])
    parser.add_argument("--responses", type=Path, required=True)
    parser.add_argument("--photo", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--model", default="default")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    context = Context()
    take_model_folders([options.model], context.known_plugins())
    scenes, held_out = Scenes.read(options.scenes), measured_responses(options.responses)[1]
    sys.stdout.write("| plate | inside, stops | outside, stops | peak, stops |\n|---|---|---|---|\n")
    for number, plate in enumerate(PLATES):
        if plate.scene not in scenes.names:
            continue
        light, codes = shoot(scenes, plate, held_out[number * 7 % len(held_out)])
        result = hdrnodes.reconstruct(codes, model=options.model, context=context)
        aligned = PROTOCOLS["hdrnodes"](result.rgb, light, light.max(axis=2) >= 1)
        found, truth = aligned.test / aligned.scale, aligned.reference / aligned.scale
        sys.stdout.write(f"| {plate.name} | {' | '.join(f'{each:.2f}' for each in errors(found, truth))} |\n")
        save(options.output / f"{plate.name.replace(' ', '_')}.jpg", Image.from_array(codes), found, truth)
    for name, file in (photo.split("=", 1) for photo in options.photo):
        picture = hdrnodes.read(file)
        result = hdrnodes.reconstruct(picture, model=options.model, context=context)
        save(options.output / f"{name}.jpg", picture, light_of(result)[0], None)


def shoot(scenes: Scenes, plate: Plate, response: torch.Tensor) -> tuple[Pixels, np.ndarray]:
    """The light, 1.0 where it clips, and the plate's codes: H x W x 3."""
    index = torch.tensor([scenes.names.index(plate.scene)])
    light = look(scenes, index, plate.along, plate.down, plate.degrees)
    if plate.chrome:
        light = with_mirror_ball(scenes, index, plate, light)
    light = expose(light, stops_to_clip(light, torch.tensor([plate.clipped]))[:, None, None, None])
    random = torch.Generator().manual_seed(1)
    noisy = add_noise(light.clamp(min=0), torch.randn(light.shape, generator=random), 0.003, 0.001)
    codes = jpeg(quantise(apply_response(clip(noisy), response[None, None])), torch.tensor([94.0]), "4:2:0")
    in_rows = [each[0].permute(1, 2, 0).numpy() for each in (light, codes)]
    return np.ascontiguousarray(in_rows[0]), np.round(in_rows[1] * 255).astype(np.uint8)


def look(scenes: Scenes, index: torch.Tensor, along: float, down: float, degrees: float) -> torch.Tensor:
    """1 x 3 x H x W, scene-linear."""
    centre, angle = torch.tensor([[along, down]]), torch.tensor([np.deg2rad(degrees)], dtype=torch.float32)
    options = {"roll": torch.zeros(1), "mirror": torch.tensor([False]), "widest": degrees}
    return views(scenes, index, SIZE, centre=centre, field_of_view=angle, **options)


def with_mirror_ball(scenes: Scenes, index: torch.Tensor, plate: Plate, light: torch.Tensor) -> torch.Tensor:
    """A chrome ball in the middle of the frame, two thirds as high, far enough off to mirror parallel rays."""
    height, width = SIZE
    y, x = torch.meshgrid(torch.arange(height) + 0.5 - height / 2, torch.arange(width) + 0.5 - width / 2, indexing="ij")
    x, y = x / (height / 3), y / (height / 3)
    z = torch.sqrt((1 - x**2 - y**2).clamp(min=0))  # towards the camera
    right, up, forwards = 2 * z * x, -2 * z * y, 1 - 2 * z**2  # the camera's ray, mirrored at the normal
    along = (plate.along + torch.atan2(right, forwards) / (2 * np.pi)) % 1
    down = 0.5 - torch.asin(up.clamp(-1, 1)) / np.pi
    # The finest level lies first in a scene's texture, with a border of one texel.
    panorama = scenes.light[index, :, 1:513, 1:1025].float()
    grid = torch.stack([along * 2 - 1, down * 2 - 1], dim=-1)[None]
    mirrored = torch.nn.functional.grid_sample(panorama, grid, padding_mode="border", align_corners=False)
    inside = (x**2 + y**2 < 1).float()
    return light * (1 - inside) + 0.7 * mirrored * inside


def errors(found: Pixels, truth: Pixels) -> tuple[float, float, float]:
    """RMSE of log2 luminance inside what clipped and outside; of the 99.9th percentile, stops."""
    both = [np.log2(np.maximum(each @ np.float32(LUMINANCE), 1e-4)) for each in (found, truth)]
    apart, inside = both[0] - both[1], truth.max(axis=2) >= 1
    peaks = [np.percentile(each, 99.9) for each in both]
    return *(float(np.sqrt(np.mean(apart[where] ** 2))) for where in (inside, ~inside)), float(peaks[0] - peaks[1])


def save(path: Path, plate: Image, found: Pixels, truth: Pixels | None) -> None:
    """The plate, then the result at each exposure; the truth in the same way below."""
    longer = round(WIDTH * max(plate.width, plate.height) / plate.width)
    small = reduce(np.ascontiguousarray(found), longer)
    cell = small.shape[:2]
    rows = [[("plate", reduce(np.ascontiguousarray(plate.rgb), longer))]]
    rows[0] += [(f"hdrnodes, {stops:+d} stops", shown(small, stops)) for stops in STOPS]
    if truth is not None:
        real = reduce(np.ascontiguousarray(truth), longer)
        rows.append([("", np.zeros_like(real))] + [(f"truth, {stops:+d} stops", shown(real, stops)) for stops in STOPS])
    sheet = joined([joined([labelled(*each, cell) for each in row], axis=1) for row in rows], axis=0)
    hdrnodes.write(Image(sheet, colorspace=SRGB), path, compression="jpeg:85", overwrite=True)


if __name__ == "__main__":
    main()
