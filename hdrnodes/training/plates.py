"""Plates with every truth on the way: the camera of `hdrnodes.camera`, run forwards on views of HDR scenes."""

from dataclasses import dataclass

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from hdrnodes.camera.clipping import clip
from hdrnodes.camera.exposure import expose, stops_to_clip
from hdrnodes.camera.jpeg import jpeg
from hdrnodes.camera.noise import add_noise
from hdrnodes.camera.quantisation import quantise
from hdrnodes.camera.response import apply_response
from hdrnodes.training.losses import luminance
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


class PlateOptions(BaseModel):
    """What the plates of a stage are like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[int, int] = Field(description="Height and width, pixels.")
    per_view: int = Field(
        default=1,
        ge=1,
        description="Plates made of each view, each with its own camera: the scene then tells no cameras apart.",
    )
    odd: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the views that are as photographs are now and then and panoramas seldom: close up, of "
        "nearly one colour, in colours that no scene has, dark with nothing clipped.",
    )
    one_curve: bool = Field(default=False, description="For all channels; else some plates have three that lie close.")
    clipped: tuple[float, float] = Field(
        default=(0.0, 0.25), description="The least and the most that an exposure clips, of the pixels."
    )
    field_of_view: tuple[float, float] = Field(
        default=(30.0, 100.0), description="Horizontal, least and most, degrees."
    )


class PlateMaker:
    """Draws plates without end. Same generator state, same plates.

    Args:
        scenes, responses: what is photographed, and with which cameras.
        options: what the plates are like.
    """

    def __init__(self, scenes: Scenes, responses: Responses, options: PlateOptions) -> None:
        self.scenes, self.responses, self.options = scenes, responses, options

    def draw(self, n: int, random: torch.Generator) -> Plates:
        """N plates, `per_view` of each view, one after the other."""
        views = n // self.options.per_view
        chosen = torch.multinomial(self.scenes.weights.cpu(), views, replacement=True, generator=random)
        odd = torch.rand(views, generator=random) < self.options.odd
        least, most = self.options.field_of_view
        narrow, wide = torch.where(odd, 8.0, least), torch.where(odd, 45.0, most)
        view = random_views(self.scenes, chosen, self.options.size, random, (narrow, wide))
        device = view.device
        view = _vary_colours(view, odd.to(device), random).repeat_interleave(self.options.per_view, dim=0)
        least, most = self.options.clipped
        fraction = least + (most - least) * torch.rand(n, generator=random) ** 1.5
        darker = torch.where(odd.repeat_interleave(self.options.per_view), 1.5 * torch.rand(n, generator=random), 0.0)
        stops = stops_to_clip(view, fraction.to(device)) - darker.to(device)
        curve = self.responses.draw(n, random, channels=1 if self.options.one_curve else 3).to(device)
        return photograph(expose(view, stops[:, None, None, None]), curve, random)


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


def _vary_colours(view: Tensor, odd: Tensor, random: torch.Generator) -> Tensor:
    """White balance and saturation, a little; of the odd ones much, and the order of their channels."""
    n, device = len(view), view.device
    much = odd.float()[:, None, None, None]

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random).to(device)

    view = view * torch.exp2(normal(n, 3, 1, 1) * (0.1 + 0.6 * much))
    grey = luminance(view).clamp(min=0)
    saturation = 1 + normal(n, 1, 1, 1) * (0.12 + 0.8 * much)
    view = (grey + (view - grey) * saturation).clamp(min=0)
    order = torch.argsort(torch.rand(n, 3, generator=random), dim=1).to(device)
    order = torch.where(odd[:, None], order, torch.arange(3, device=device))
    return view.gather(1, order[:, :, None, None].expand_as(view))
