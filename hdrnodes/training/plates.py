"""Plates with every truth on the way: the camera of `hdrnodes.camera`, run forwards on views of HDR scenes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from hdrnodes.camera.clipping import clip
from hdrnodes.camera.exposure import expose, stops_to_clip
from hdrnodes.camera.jpeg import jpeg
from hdrnodes.camera.noise import add_noise
from hdrnodes.camera.quantisation import quantise
from hdrnodes.camera.response import apply_response
from hdrnodes.training.responses import Responses
from hdrnodes.training.scenes import Scenes
from hdrnodes.training.views import random_views


@dataclass(frozen=True)
class Plates:
    """A batch, N x 3 x H x W float32 each.

    Attributes:
        light: scene-linear; 1.0 is where the plate clips.
        display: through the response, neither noisy nor quantised, 0..1: what Dequantize should find.
        codes: the plate, on 8-bit codes, 0..1.
        curve: N x C x 1024, the inverse response that InverseCRF should find.
    """

    light: Tensor
    display: Tensor
    codes: Tensor
    curve: Tensor


class PlateMaker:
    """Draws plates without end. Same generator state, same plates.

    Args:
        scenes, responses: what is photographed, and with which cameras.
        size: height and width of the plates, pixels.
        per_view: plates made of each view, each with its own camera: what tells cameras apart is then not the scene.
        vary: how far contrast, colour and channel order may leave what the scene has; 0 for networks that must learn
            what the world looks like, 1 for those that must not.
        clipped: the least and the most that an exposure clips, of the pixels.
    """

    def __init__(
        self,
        scenes: Scenes,
        responses: Responses,
        size: tuple[int, int],
        per_view: int = 1,
        vary: float = 0.0,
        clipped: tuple[float, float] = (0.0, 0.25),
    ) -> None:
        self.scenes, self.responses, self.size, self.per_view = scenes, responses, size, per_view
        self.vary, self.clipped = vary, clipped

    def draw(self, n: int, random: torch.Generator) -> Plates:
        """N plates, `per_view` of each view, one after the other."""
        chosen = torch.multinomial(self.scenes.weights.cpu(), n // self.per_view, replacement=True, generator=random)
        view = random_views(self.scenes, chosen, self.size, random)
        view = _vary_content(view, self.vary, random)
        view = view.repeat_interleave(self.per_view, dim=0)
        least, most = self.clipped
        fraction = least + (most - least) * torch.rand(n, generator=random) ** 1.5
        device = view.device
        light = expose(view, stops_to_clip(view, fraction.to(device))[:, None, None, None])
        curve = self.responses.draw(n, random, channels=3 if self.vary == 0 else 1).to(device)
        return photograph(light, curve, random)


def photograph(light: Tensor, curve: Tensor, random: torch.Generator) -> Plates:
    """Run the camera: noise, clipping, response, 8 bits, and JPEG for most."""
    n, device = len(light), light.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random).to(device)

    def one_each() -> Tensor:
        return uniform(n, 1, 1, 1)

    # The square favours clean pictures: most plates are shot in good light.
    normal = torch.randn(light.shape, generator=random).to(device)
    noisy = add_noise(clip(light), normal, shot=0.013 * one_each() ** 2, read=0.005 * one_each() ** 2)
    codes = quantise(apply_response(clip(noisy), curve))
    quality = 75 + 25 * uniform(n) ** 0.7
    encoded = jpeg(codes, quality, "4:2:0" if float(uniform(1)) < 0.6 else "4:4:4")
    codes = torch.where(one_each() < 0.7, encoded, codes)
    return Plates(light, apply_response(clip(light), curve), codes, curve)


def _vary_content(view: Tensor, amount: float, random: torch.Generator) -> Tensor:
    """White balance, saturation, contrast and, where allowed, the order of the channels."""
    n, device = len(view), view.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random).to(device)

    balance = torch.exp2(normal(n, 3, 1, 1) * (0.1 + 0.3 * amount))
    view = view * balance
    luminance = (0.2126 * view[:, :1] + 0.7152 * view[:, 1:2] + 0.0722 * view[:, 2:]).clamp(min=0)
    saturation = 1 + normal(n, 1, 1, 1) * (0.1 + 0.25 * amount)
    view = (luminance + (view - luminance) * saturation).clamp(min=0)
    if amount == 0:
        return view
    contrast = torch.exp(normal(n, 1, 1, 1) * 0.15 * amount)
    view = 0.18 * (view / 0.18) ** contrast
    order = torch.argsort(torch.rand(n, 3, generator=random), dim=1).to(device)
    view = view.gather(1, order[:, :, None, None].expand_as(view))
    grey = (torch.rand(n, 1, 1, 1, generator=random) < 0.1 * amount).to(device)
    return torch.where(grey, view.mean(dim=1, keepdim=True), view)
