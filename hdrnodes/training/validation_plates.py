"""Plates of scenes and with responses that no training saw: what every number about quality is measured on."""

from dataclasses import dataclass

import torch
from torch import Tensor

from hdrnodes.camera.clipping import clip
from hdrnodes.camera.exposure import expose, stops_to_clip
from hdrnodes.camera.jpeg import jpeg
from hdrnodes.camera.noise import add_noise
from hdrnodes.camera.quantisation import quantise
from hdrnodes.camera.response import apply_response
from hdrnodes.training.photograph import Plates
from hdrnodes.training.randomness import normal
from hdrnodes.training.scenes import Scenes
from hdrnodes.training.views import random_collages, random_views

CLIPPED = (0.03, 0.07, 0.15)  # of the pixels, in turn


@dataclass(frozen=True)
class Kind:
    """What one plate is.

    Attributes:
        scene: its name.
        clipped: the share of the pixels that was to clip.
        written: `PNG` or `JPEG`.
        collage: whether it shows the scene beside others, not a view of it.
    """

    scene: str
    clipped: float
    written: str
    collage: bool = False


@dataclass(frozen=True)
class ValidationSet:
    """Plates of one picture each, and what they are."""

    plates: list[Plates]
    kinds: list[Kind]

    def to(self, device: torch.device | str) -> "ValidationSet":
        return ValidationSet([each.to(device) for each in self.plates], self.kinds)


def validation_set(
    scenes: Scenes, held_out: Tensor, views: int, size: tuple[int, int] = (384, 512), collages: int = 0
) -> ValidationSet:
    """`views` plates of each scene, then collages: clip levels, responses, PNG and JPEG 90-96 in turn; always the same.

    Args:
        scenes: of validation, on the CPU: plates drawn on a GPU would be others.
        held_out: M x 1024 inverse responses, there too.
        views: of each scene.
        collages: besides, of each scene beside others (`hdrnodes.training.views.random_collages`).
    """
    random = torch.Generator().manual_seed(20200614)
    plates, kinds = [], []
    for view in range(views + collages):
        for scene in range(len(scenes)):
            i = view * len(scenes) + scene
            if view < views:
                one = torch.tensor([scene])
                light = random_views(scenes, one, size, random, (55.0, 95.0), toward_light=0.7, widest=95)
            else:
                # Neighbours at other distances in each round.
                four = (scene + torch.arange(4) * (view - views + 1)) % len(scenes)
                light = random_collages(scenes, four[None], size, random)
            clipped = CLIPPED[(i + i // len(held_out)) % len(CLIPPED)]
            light = expose(light, stops_to_clip(light, torch.tensor([clipped]))[:, None, None, None])
            # 7 is prime to the number of curves: each scene meets others in every round.
            curve = held_out[(i * 7) % len(held_out)][None, None]
            noisy = add_noise(light.clamp(min=0), normal(random, *light.shape), 0.004, 0.001)
            codes = quantise(apply_response(clip(noisy), curve))
            # Two by two, for of even and odd ones each only meets half of the curves.
            written = "JPEG" if i // 2 % 2 else "PNG"
            if written == "JPEG":
                codes = jpeg(codes, torch.tensor([90.0 + i % 7]), "4:4:4" if i // 4 % 2 else "4:2:0")
            plates.append(Plates(light, apply_response(clip(light), curve), codes, curve))
            kinds.append(Kind(scenes.names[scene], clipped, written, collage=view >= views))
    return ValidationSet(plates, kinds)
