"""The camera of `hdrnodes.camera`, run forwards on a batch with random settings. Everything stays on the device."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrnodes.camera.clipping import clip
from hdrnodes.camera.jpeg import jpeg
from hdrnodes.camera.local_tone_mapping import local_gain, tone_map_locally
from hdrnodes.camera.noise import add_noise
from hdrnodes.camera.optics import through_lens
from hdrnodes.camera.quantisation import quantise
from hdrnodes.camera.resizing import resize
from hdrnodes.camera.response import apply_response
from hdrnodes.camera.sharpening import sharpen
from hdrnodes.camera.spread import blurred
from hdrnodes.training.randomness import Lots, normal, uniform

WRITTEN_AS_JPEG = 0.7  # of the plates; the others are as PNG has them
HALVED_CHROMA = 0.6  # of the JPEG
WRITTEN_AGAIN = 0.5  # as JPEG, of the plates that were resized


@dataclass(frozen=True)
class Plates:
    """A batch, N x 3 x H x W float32 each.

    Attributes:
        light: scene-linear, as it falls on the sensor (through the lens); 1.0 is where the plate clips.
        display: the camera's picture, neither noisy nor quantised, 0..1: what Dequantize should find. Through the
            response; where the camera processes, after its sharpening and local tone mapping too.
        codes: the plate, on 8-bit codes, 0..1.
        curve: N x C x 1024, the inverse response that InverseCRF should find.
    """

    light: Tensor
    display: Tensor
    codes: Tensor
    curve: Tensor

    def to(self, device: torch.device | str) -> "Plates":
        return Plates(*(each.to(device) for each in (self.light, self.display, self.codes, self.curve)))


def some_through_a_lens(light: Tensor, share: float, random: torch.Generator) -> Tensor:
    """Lens blur and veiling glare for a share of the pictures; N x 3 x H x W, scene-linear."""

    def lens(some: Tensor, _: Tensor) -> Tensor:
        of_each = (len(some), 1, 1, 1)
        # The squares favour good lenses: a Gaussian of up to 1.2 pixels, up to 4 % of the light astray.
        blur, glare = 1.2 * uniform(random, *of_each) ** 2, 0.04 * uniform(random, *of_each) ** 2
        reach = 0.01 * max(some.shape[-2:]) * 30 ** uniform(random, *of_each)
        return through_lens(some, blur, glare, reach)

    return Lots(len(light), random).change(light, 0, share, lens)


def some_out_of_focus(light: Tensor, share: float, random: torch.Generator) -> Tensor:
    """A shallow depth of field for a share of the pictures: all but a part is blurred; N x 3 x H x W, scene-linear."""

    def focus(some: Tensor, _: Tensor) -> Tensor:
        n, size = len(some), some.shape[-2:]
        blur = max(size) * 0.004 * 6 ** uniform(random, n, 1, 1, 1)  # pixels
        # Where things are near or far, and how much of that is in focus: none of it up to nearly all.
        depth = F.interpolate(normal(random, n, 1, 3, 4), size, mode="bicubic", align_corners=True)
        sharp = torch.sigmoid(8 * (depth + 1.5 * normal(random, n, 1, 1, 1)))
        return torch.lerp(blurred(some, blur).clamp(min=0), some, sharp)

    return Lots(len(light), random).change(light, 0, share, focus) if share else light


def photograph(
    light: Tensor, curve: Tensor, clean: Tensor, processed: float, random: torch.Generator, sharp: float = 0.0
) -> Plates:
    """Run the camera: noise, clipping, response, 8 bits, and JPEG for most.

    Args:
        light: N x 3 x H x W, scene-linear, 1.0 is where the sensor clips.
        curve: N x C x 1024 inverse responses.
        clean: N booleans, which plates have no noise.
        processed: share of the plates that the camera tone-maps locally and sharpens.
        random: on the device of the others.
        sharp: share of the plates, besides these, that it only sharpens.
    """
    each = (len(light), 1, 1, 1)
    noiseless = clip(light)
    # The squares favour little noise: most plates are shot in good light.
    much = (~clean).float().view(each)
    shot, read = 0.013 * much * uniform(random, *each) ** 2, 0.005 * much * uniform(random, *each) ** 2
    noisy = clip(add_noise(light.clamp(min=0), normal(random, *light.shape), shot, read))
    lots = Lots(len(light), random)
    strength, amount = 0.3 * uniform(random, *each), uniform(random, *each)
    radius = 0.5 + uniform(random, *each)

    def tone_map(some: Tensor, indices: Tensor) -> Tensor:
        gain = local_gain(noiseless[indices], strength[indices])
        return tone_map_locally(some, gain)

    def sharpened(some: Tensor, indices: Tensor) -> Tensor:
        return sharpen(some, amount[indices], radius[indices])

    display, found = (
        lots.change(apply_response(lots.change(seen, 0, processed, tone_map), curve), 0, processed + sharp, sharpened)
        for seen in (noiseless, noisy)
    )
    codes = some_as_jpeg(quantise(found), WRITTEN_AS_JPEG, random)
    return Plates(light, display, codes, curve)


def some_as_jpeg(codes: Tensor, share: float, random: torch.Generator) -> Tensor:
    """JPEG of quality 75-100, more of them high, for a share of the plates; on 8-bit codes."""
    quality = 75 + 25 * uniform(random, len(codes)) ** 0.7
    lots = Lots(len(codes), random)
    halved = HALVED_CHROMA * share
    codes = lots.change(codes, 0, halved, lambda some, indices: jpeg(some, quality[indices], "4:2:0"))
    return lots.change(codes, halved, share, lambda some, indices: jpeg(some, quality[indices], "4:4:4"))


def shown_smaller(
    plates: Plates, size: tuple[int, int], step: Tensor, corner: Tensor, random: torch.Generator
) -> Plates:
    """What is left of plates that somebody resized, and wrote as JPEG again now and then.

    Args:
        plates: as the camera wrote them.
        size: height and width of what is left.
        step, corner: see `hdrnodes.camera.resizing`. Plates of step 1 are only cropped.
    """
    display, codes = (clip(resize(each, size, step, corner)) for each in (plates.display, plates.codes))
    codes = quantise(codes)
    again = some_as_jpeg(codes, WRITTEN_AGAIN, random)
    codes = torch.where(step[:, None, None, None] > 1, again, codes)
    light = resize(plates.light, size, step, corner, "area")
    return replace(plates, light=light, display=display, codes=codes)
