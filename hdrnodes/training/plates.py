"""Plates with every truth on the way: cameras with random settings in front of random views of HDR scenes."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from hdrnodes.camera.exposure import expose, stops_to_clip
from hdrnodes.camera.resizing import resize
from hdrnodes.errors import TrainingError
from hdrnodes.primaries import LUMINANCE
from hdrnodes.training.photograph import Plates, photograph, shown_smaller, some_out_of_focus, some_through_a_lens
from hdrnodes.training.randomness import Lots, normal, uniform
from hdrnodes.training.responses import Responses
from hdrnodes.training.scenes import Scenes
from hdrnodes.training.views import gradients, random_collages, random_views

CLOSE_UP = (8.0, 45.0)  # degrees
LARGEST = 1.5  # times the size; what was resized was shot at up to this
PUREST = 0.02  # of the luminance: the least that a channel has after colours were varied
METERED = 64  # rows of the picture that the exposure is chosen by: to sort every pixel costs as much as JPEG does

Side = Annotated[int, Field(ge=8)]
Share = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=1, le=150)]


class PlateOptions(BaseModel):
    """What the plates of a stage are like. Shares are of all plates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[Side, Side] = Field(description="Height and width, pixels.")
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
    collages: Share = Field(
        default=0.0,
        description="Share of the views that are four pictures side by side, each sharp from pixel to pixel; views of "
        "panoramas are magnified.",
    )
    one_curve: bool = Field(default=False, description="For all channels; else some plates have three that lie close.")
    clipped: tuple[Share, Share] = Field(
        default=(0.0, 0.25), description="The least and the most that an exposure clips, of the pixels."
    )
    field_of_view: tuple[Degrees, Degrees] = Field(
        default=(30.0, 100.0), description="Horizontal, least and most, degrees."
    )
    lens: float = Field(default=0.4, ge=0, le=1, description="Share with lens blur and veiling glare.")
    shallow: float = Field(
        default=0.0, ge=0, le=1, description="Share with a shallow depth of field: much of it is out of focus."
    )
    processed: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share with local tone mapping and sharpening, as cameras do; for refinement, for the other stages "
        "see neither.",
    )
    sharpened: float = Field(
        default=0.0, ge=0, le=1, description="Share that cameras only sharpen, besides those that are processed."
    )
    gradients: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share that show nothing but colours which fade into each other, without noise: skies and studio "
        "walls, where banding is seen.",
    )
    clean: float = Field(default=0.0, ge=0, le=1, description="Share without noise, besides the gradients.")
    resized: float = Field(
        default=0.1, ge=0, le=1, description="Share that was shot larger, and resized after the camera's own JPEG."
    )


class PlateMaker:
    """Draws plates without end. Same generator state, same plates.

    Args:
        scenes, responses: what is photographed, and with which cameras; on one device.
        options: what the plates are like.
    """

    def __init__(self, scenes: Scenes, responses: Responses, options: PlateOptions) -> None:
        self.scenes, self.responses, self.options = scenes, responses, options

    def draw(self, n: int, random: torch.Generator) -> Plates:
        """N plates, `per_view` of each view, one after the other.

        Args:
            n: a multiple of `per_view`.
            random: on the device of the scenes.

        Raises:
            TrainingError: it is none.
        """
        views = n // self.options.per_view
        if views * self.options.per_view != n:
            problem = f"{n} plates are no multiple of {self.options.per_view} of each view"
            raise TrainingError(
                "recipe", problem, "change plates.per_view, or how many are drawn: batch, drawn_at_once"
            )
        with _exact(random.device):
            _, shrunk = Lots(views, random).within(0, self.options.resized)
            plates = [self._shoot(views - len(shrunk), random)] if len(shrunk) < views else []
            if len(shrunk):
                plates.append(self._shoot_larger(shrunk, random))
            columns = zip(*((each.light, each.display, each.codes, each.curve) for each in plates), strict=True)
            return Plates(*(torch.cat(column) if len(column) > 1 else column[0] for column in columns))

    def _shoot(self, views: int, random: torch.Generator) -> Plates:
        light, odd, clean = self._light(views, self.options.size, random)
        light = expose(light, self._stops(light, odd, random))
        return self._photograph(light, clean, random)

    def _shoot_larger(self, shrunk: Tensor, random: torch.Generator) -> Plates:
        """Of one view each: whether it is shrunk, or only cropped."""
        height, width = self.options.size
        large = math.ceil(height * LARGEST), math.ceil(width * LARGEST)
        light, odd, clean = self._light(len(shrunk), large, random)
        shrunk = _repeated(shrunk, self.options.per_view)
        step = torch.where(shrunk, 1 + (LARGEST - 1) * uniform(random, len(light)), 1.0)
        room = torch.stack([large[0] - step * height, large[1] - step * width], dim=-1).clamp(min=0)
        corner = (room * uniform(random, len(light), 2)).floor()
        # Metered by what is left: it is what clips as asked for.
        stops = self._stops(resize(light, (height, width), step, corner, "area"), odd, random)
        whole = self._photograph(expose(light, stops), clean, random)
        return shown_smaller(whole, (height, width), step, corner, random)

    def _light(self, views: int, size: tuple[int, int], random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """What falls on the sensors; of which plates the view is odd; and which are free of noise."""
        options, chosen = self.options, self._some_scenes(random, views)
        odd = uniform(random, views) < options.odd
        least, most = options.field_of_view
        view = random_views(
            self.scenes,
            chosen,
            size,
            random,
            (torch.where(odd, CLOSE_UP[0], least), torch.where(odd, CLOSE_UP[1], most)),
            widest=max(CLOSE_UP[1], most) if options.odd else most,
        )
        if options.collages:

            def collage(some: Tensor, _: Tensor) -> Tensor:
                return random_collages(self.scenes, self._some_scenes(random, len(some), 4), size, random)

            view = Lots(views, random).change(view, 0, options.collages, collage)
        lots = Lots(views, random)
        view = lots.change(view, 0, options.gradients, lambda some, _: gradients(len(some), size, random))
        view = _repeated(_vary_colours(view, odd, random), options.per_view)
        odd, clean = (
            _repeated(each, options.per_view) for each in (odd, lots.below(options.gradients + options.clean))
        )
        view = some_out_of_focus(view, options.shallow, random)
        return some_through_a_lens(view, options.lens, random), odd, clean

    def _some_scenes(self, random: torch.Generator, *shape: int) -> Tensor:
        """Their numbers; as torch.multinomial, which would wait for a GPU to say that the weights are sound."""
        weights = self.scenes.weights.cumsum(0)
        chosen = torch.searchsorted(weights, uniform(random, *shape) * weights[-1], right=True)
        return chosen.clamp(max=len(self.scenes) - 1)

    def _stops(self, light: Tensor, odd: Tensor, random: torch.Generator) -> Tensor:
        """Exposures, N x 1 x 1 x 1."""
        least, most = self.options.clipped
        fraction = least + (most - least) * uniform(random, len(light)) ** 1.5
        darker = torch.where(odd, 1.5 * uniform(random, len(light)), 0.0)
        stride = max(1, min(light.shape[-2:]) // METERED)
        stops = stops_to_clip(light[..., ::stride, ::stride], fraction) - darker
        return stops[:, None, None, None]

    def _photograph(self, light: Tensor, clean: Tensor, random: torch.Generator) -> Plates:
        options = self.options
        curves = self.responses.draw(len(light), random, channels=1 if options.one_curve else 3)
        return photograph(light, curves, clean, options.processed, random, options.sharpened)


def _repeated(views: Tensor, times: int) -> Tensor:
    """As torch.repeat_interleave along the first axis, which may wait for a GPU to say how long the answer is."""
    return views.unsqueeze(1).expand(-1, times, *views.shape[1:]).flatten(0, 1)


@contextmanager
def _exact(device: torch.device) -> Iterator[None]:
    """All products in float32, whatever the training loop has them in: half precision moves rays and JPEG's waves."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False), torch.no_grad():
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _vary_colours(view: Tensor, odd: Tensor, random: torch.Generator) -> Tensor:
    """White balance and saturation, a little; of the odd ones much, and the order of their channels."""
    n, device = len(view), view.device
    much = odd.float()[:, None, None]
    balance = torch.exp2(normal(random, n, 1, 3) * (0.1 + 0.6 * much))
    saturation = 1 + normal(random, n, 1, 1) * (0.12 + 0.8 * much)
    weights = torch.stack([torch.full((3,), each, device=device) for each in LUMINANCE], dim=1)
    same = torch.eye(3, device=device)
    order = torch.argsort(uniform(random, n, 3), dim=1)
    order = torch.where(odd[:, None], order, torch.arange(3, device=device))
    mixed = same[order] @ (saturation * same + (1 - saturation) * weights) * balance
    # No colour is pure: without a floor, suns would get rings where a channel ends below zero.
    floor = PUREST * weights[:1] * balance
    found = torch.cat([mixed, floor], dim=1) @ view.flatten(2)
    return torch.maximum(found[:, :3], found[:, 3:]).reshape(view.shape)
