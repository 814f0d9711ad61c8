"""What Dequantize does to smooth gradients and to texture: PSNR gained over the plate, in dB.

    python benchmarks/gradients.py --validation SCENES --responses RESPONSES [--model default]

Smooth are made gradients, as skies and studio walls have them: two to four colours that fade into each other, through
responses that no training saw, written as PNG or JPEG. Of plates of validation scenes: all that did not clip, the half
with the least detail, the tenth with the most; and how much of that tenth's detail is left (1 is all of it). Collages
are as sharp as photographs that were made smaller (`hdrnodes.training.views.random_collages`).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrnodes.camera.jpeg import jpeg
from hdrnodes.camera.quantisation import quantise
from hdrnodes.camera.response import apply_response
from hdrnodes.cli.running import take_model_folders
from hdrnodes.image import Image
from hdrnodes.nodes.base import Context
from hdrnodes.nodes.dequantize import Dequantize
from hdrnodes.training.responses import measured_responses
from hdrnodes.training.scenes import Scenes
from hdrnodes.training.validation_plates import validation_set

SIZE = (384, 512)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--validation", type=Path, required=True, action="append")
    parser.add_argument("--responses", type=Path, required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--views", type=int, default=3, help="of each scene")
    parser.add_argument("--collages", type=int, default=2, help="with each scene in it")
    options = parser.parse_args()
    context, node = Context(), Dequantize(model=options.model)
    take_model_folders([options.model], context.known_plugins())
    held_out = measured_responses(options.responses)[1]

    def dequantized(codes: Tensor) -> Tensor:
        pixels = np.round(codes[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        smooth = node.process({"image": Image.from_array(pixels)}, context)
        return torch.from_numpy(smooth.rgb.copy()).permute(2, 0, 1)[None]

    gains: dict[str, list[float]] = {}
    kept: dict[str, list[float]] = {}
    for written, codes, truth in gradients(held_out):
        everywhere = torch.ones_like(truth[:, :1], dtype=torch.bool)
        gains.setdefault(f"gradients, {written}", []).append(gain(codes, dequantized(codes), truth, everywhere))
    plates = validation_set(Scenes.read(options.validation), held_out, options.views, SIZE, options.collages)
    for plate, kind in zip(plates.plates, plates.kinds, strict=True):
        found, truth, shown = dequantized(plate.codes), plate.display, "collages" if kind.collage else "views"
        unclipped = plate.light.amax(dim=1, keepdim=True) < 1
        detail = local_detail(truth)
        low, high = torch.quantile(detail[unclipped], torch.tensor([0.5, 0.9]))
        for name, where in (("all", unclipped), ("smooth half", detail < low), ("finest tenth", detail > high)):
            chosen = where & unclipped
            gains.setdefault(f"{shown}, {name}, {kind.written}", []).append(gain(plate.codes, found, truth, chosen))
        fine = ((detail > high) & unclipped).expand_as(truth)
        kept.setdefault(shown, []).append(float(high_pass(found)[fine].std() / high_pass(truth)[fine].std()))
    sys.stdout.write("| of | plates | mean gain, dB | median | least |\n|---|---|---|---|---|\n")
    for name, each in gains.items():
        numbers = f"{np.mean(each):.2f} | {np.median(each):.2f} | {np.min(each):.2f}"
        sys.stdout.write(f"| {name} | {len(each)} | {numbers} |\n")
    for shown, left in kept.items():
        sys.stdout.write(f"\n{shown}: detail left in the finest tenth {np.mean(left):.3f} (least {np.min(left):.3f})\n")


def gradients(responses: Tensor, count: int = 24) -> list[tuple[str, Tensor, Tensor]]:
    """How written, the codes, and what they were before rounding: 1 x 3 x H x W, display-referred."""
    random = torch.Generator().manual_seed(8)
    made = []
    for number in range(count):
        grid = torch.rand(1, 3, 2, int(torch.randint(2, 4, (), generator=random)), generator=random)
        around = grid.mean(dim=(2, 3), keepdim=True)
        near = around + (grid - around) * float(torch.rand((), generator=random) * 0.7 + 0.05)  # some nearly even
        light = F.interpolate(near, SIZE, mode="bicubic", align_corners=True).clamp(0, 0.98)
        truth = apply_response(light, responses[number % len(responses)][None, None])
        codes = quantise(truth)
        written = ("PNG", "JPEG")[number % 2]
        if written == "JPEG":
            codes = jpeg(codes, torch.tensor([90.0 + number % 7]), "4:2:0")
        made.append((written, codes, truth))
    return made


def gain(codes: Tensor, found: Tensor, truth: Tensor, where: Tensor) -> float:
    """How much PSNR is won, dB."""
    chosen = where.expand_as(truth)
    before, after = ((each - truth)[chosen].square().mean() for each in (codes, found))
    return float(10 * torch.log10(before / after.clamp(min=1e-12)))


def local_detail(display: Tensor) -> Tensor:
    """Spread of the values around each pixel, 7 x 7; N x 1 x H x W."""
    return F.avg_pool2d(high_pass(display).square().mean(dim=1, keepdim=True), 7, stride=1, padding=3)


def high_pass(display: Tensor) -> Tensor:
    """What a 5 x 5 mean leaves out."""
    return display - F.avg_pool2d(F.pad(display, (2, 2, 2, 2), mode="replicate"), 5, stride=1)


if __name__ == "__main__":
    main()
