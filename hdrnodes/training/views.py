"""Views of scenes: what a camera sees that stands in a panorama, or a part of a photograph."""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrnodes.camera.constants import constant
from hdrnodes.training.losses import luminance
from hdrnodes.training.scenes import HEIGHT, LEVELS, PLACES, WIDTH, Scenes

PHOTOGRAPHS_SHOW = math.radians(70)  # along their longer side; nobody wrote down how much they did
TEXELS = 1.25  # to a pixel, at most: a bilinear lookup does not alias yet


def random_views(
    scenes: Scenes,
    indices: Tensor,
    size: tuple[int, int],
    random: torch.Generator,
    field_of_view: tuple[float | Tensor, float | Tensor] = (30.0, 100.0),
    toward_light: float = 0.5,
    widest: float = 100.0,
) -> Tensor:
    """One random view of each of the scenes named.

    Args:
        scenes: what there is to see.
        indices: N scene numbers.
        size: height, width of the views in pixels.
        random: the source of randomness, on the scenes' device.
        field_of_view: horizontal, lowest and highest, degrees; for all, or N of them.
        toward_light: how many of the views have one of the scene's brightest spots in them; the others look anywhere.
        widest: degrees; no field of view is wider.

    Returns:
        N x 3 x height x width float32, scene-linear. Where the scene is finer than the view, texels are averaged.
    """
    n = len(indices)
    yaw, pitch, roll, fov, mirror, toward, spot = torch.rand(7, n, generator=random, device=random.device)
    bright = scenes.bright[indices, (spot * scenes.bright.shape[1]).long()]
    aimed = toward < toward_light
    # Nobody holds a camera straight up: the sun may stay above the frame.
    up = torch.where(aimed, ((0.5 - bright[:, 1]) * math.pi).clamp(-0.4, 0.6) + (pitch - 0.5) * 0.4, 0.0)
    up = torch.where(aimed, up, (pitch - 0.5) * math.radians(50))
    panorama = scenes.panorama[indices]
    along = torch.where(aimed, bright[:, 0] + (yaw - 0.5) * (50 / 360), yaw + 0.5 * panorama)
    down = torch.where(panorama, 0.5 - up / math.pi, torch.where(aimed, bright[:, 1] + (pitch - 0.5) * 0.2, pitch))
    return views(
        scenes,
        indices,
        size,
        centre=torch.stack([along, down], dim=-1),
        roll=(roll - 0.5) * math.radians(16),
        field_of_view=torch.deg2rad(field_of_view[0] + fov * (field_of_view[1] - field_of_view[0])),
        mirror=mirror < 0.5,
        widest=widest,
    )


def random_collages(scenes: Scenes, indices: Tensor, size: tuple[int, int], random: torch.Generator) -> Tensor:
    """Four pictures side by side, each a part of a scene as it is stored, panoramas unrolled, and made smaller.

    Views of panoramas magnify them: no pixel of theirs differs much from the next. These are as sharp as photographs
    that were made smaller, and show as much. Each is exposed by itself, within three stops.

    Args:
        scenes: what there is to see.
        indices: N x 4 scene numbers.
        size: height, width in pixels.
        random: the source of randomness, on the scenes' device.

    Returns:
        N x 3 x height x width float32, scene-linear.
    """
    n, (height, width) = indices.numel(), size
    along, down, roll, shown, mirror, exposure = torch.rand(6, n, generator=random, device=random.device)
    twice = views(
        scenes,
        indices.flatten(),
        (height + height % 2, width + width % 2),
        centre=torch.stack([along, down], dim=-1),
        roll=(roll - 0.5) * math.radians(16),
        field_of_view=PHOTOGRAPHS_SHOW * (0.3 + 0.7 * shown),
        mirror=mirror < 0.5,
        widest=math.degrees(PHOTOGRAPHS_SHOW),
        unrolled=True,
    )
    bright = luminance(twice[..., ::4, ::4]).flatten(1).median(dim=1).values.clamp(min=1e-4)
    twice = twice * (torch.exp2(3 * exposure - 1.5) / bright)[:, None, None, None]
    four = F.avg_pool2d(twice, 2).reshape(len(indices), 4, 3, (height + 1) // 2, (width + 1) // 2)
    bands = [torch.cat([four[:, at], four[:, at + 1]], dim=-1) for at in (0, 2)]
    return torch.cat(bands, dim=-2)[..., :height, :width]


def views(
    scenes: Scenes,
    indices: Tensor,
    size: tuple[int, int],
    *,
    centre: Tensor,
    roll: Tensor,
    field_of_view: Tensor,
    mirror: Tensor,
    widest: float,
    unrolled: bool = False,
) -> Tensor:
    """Views by where they look.

    Args:
        centre: N x 2, 0..1 along and down the scene. Of a photograph, as near to it as its borders let the view.
        roll, field_of_view: N radians.
        mirror: N booleans.
        unrolled: of panoramas too as of photographs.

    The others, and the answer, as for `random_views`.
    """
    height, width = size
    device = scenes.device
    y = (torch.arange(height, device=device)[:, None] + 0.5) / width * 2 - height / width
    x = (torch.arange(width, device=device) + 0.5) / width * 2 - 1
    x = torch.where(mirror[:, None, None], -x, x)  # N x 1 x W, half widths from the middle
    panorama = scenes.panorama[indices] & (not unrolled)
    finest = 0.0
    where: list[Tensor] = []
    texels: list[Tensor] = []
    if scenes.has_panoramas and not unrolled:
        half = torch.tan(field_of_view / 2)
        where.append(_around(x, y, centre, roll, half))
        texels.append(half * WIDTH / (math.pi * width))
        finest = math.tan(math.radians(widest) / 2) * WIDTH / (math.pi * width)
    if scenes.has_photographs or unrolled:
        aspect = scenes.aspect[indices]
        turn = roll + scenes.turn[indices]
        half = _half_width(aspect, turn, field_of_view, height / width)
        where.append(_within(x, y, centre, turn, half, aspect, height / width))
        texels.append(half * torch.clamp(WIDTH / aspect, min=HEIGHT) / width)
        finest = max(finest, WIDTH / width)
    if len(where) == 2:
        where = [torch.where(panorama[:, None, None, None], where[0], where[1])]
        texels = [torch.where(panorama, texels[0], texels[1])]
    if finest <= TEXELS:
        whole = scenes.light[:, :, : HEIGHT + 2][indices].float()
        return _look_up(whole, where[0], torch.zeros_like(indices))
    level = torch.log2(texels[0] / TEXELS).ceil().clamp(0, LEVELS - 1).long()
    return _look_up(scenes.light[indices].float(), where[0], level)


def gradients(n: int, size: tuple[int, int], random: torch.Generator) -> Tensor:
    """Light that fades from colour to colour, by 0.03 to two stops: N x 3 x height x width, scene-linear, about 1."""
    spread = 0.03 * (2 / 0.03) ** torch.rand(n, 1, 1, 1, generator=random, device=random.device)
    grey, colour = (torch.randn(n, k, 3, 4, generator=random, device=random.device) for k in (1, 3))
    return torch.exp2(F.interpolate(spread * (grey + 0.3 * colour), size, mode="bicubic", align_corners=True))


def _around(x: Tensor, y: Tensor, centre: Tensor, roll: Tensor, half: Tensor) -> Tensor:
    """Where in an equirectangular picture the pixels of a pinhole camera look: N x H x W x 2, 0..1 along and down."""
    yaw, pitch = (centre[:, 0] - 0.5) * 2 * math.pi, (0.5 - centre[:, 1]) * math.pi
    turn = _rotation(yaw, "y") @ _rotation(pitch, "x") @ _rotation(roll, "z")
    # Right, down and forwards of each ray.
    rays = [
        turn[:, i, 0, None, None] * (x * half[:, None, None])
        + (turn[:, i, 1, None, None] * (y * half[:, None, None]) + turn[:, i, 2, None, None])
        for i in range(3)
    ]
    along = torch.atan2(rays[0], rays[2]) / (2 * math.pi) + 0.5
    down = torch.atan2(rays[1], torch.hypot(rays[0], rays[2])) / math.pi + 0.5
    return torch.stack([along, down], dim=-1)


def _rotation(angle: Tensor, axis: str) -> Tensor:
    c, s, o, i = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rows = {
        "x": [i, o, o, o, c, -s, o, s, c],
        "y": [c, o, s, o, i, o, -s, o, c],
        "z": [c, -s, o, s, c, o, o, o, i],
    }
    return torch.stack(rows[axis], dim=-1).reshape(-1, 3, 3)


def _half_width(aspect: Tensor, turn: Tensor, field_of_view: Tensor, high: float) -> Tensor:
    """Half the width of a view, in half heights of the photograph: as asked for, or as much as there is."""
    cos, sin = turn.cos().abs(), turn.sin().abs()
    most = torch.minimum(aspect / (cos + high * sin), 1 / (sin + high * cos))
    return torch.minimum(aspect * torch.tan(field_of_view / 2) / math.tan(PHOTOGRAPHS_SHOW / 2), most)


def _within(x: Tensor, y: Tensor, centre: Tensor, turn: Tensor, half: Tensor, aspect: Tensor, high: float) -> Tensor:
    """Where in a photograph the pixels of a view lie: N x H x W x 2, 0..1 along and down."""
    cos, sin = turn.cos(), turn.sin()
    room_along = aspect - half * (cos.abs() + high * sin.abs())
    room_down = 1 - half * (sin.abs() + high * cos.abs())
    middle_along = ((centre[:, 0] * 2 - 1) * aspect).clamp(min=-room_along, max=room_along)
    middle_down = (centre[:, 1] * 2 - 1).clamp(min=-room_down, max=room_down)
    cos, sin = (half * cos)[:, None, None], (half * sin)[:, None, None]
    along = (middle_along[:, None, None] + cos * x - sin * y) / aspect[:, None, None]
    down = middle_down[:, None, None] + sin * x + cos * y
    return torch.stack([along, down], dim=-1) / 2 + 0.5


def _places() -> Any:
    return np.array(PLACES, np.float32)


def _look_up(textures: Tensor, where: Tensor, level: Tensor) -> Tensor:
    """Bilinear, in one level of each texture."""
    places = constant(where, _places)[level][:, :, None, None]  # N x 4 x 1 x 1
    height, width = textures.shape[-2:]
    x = (places[:, 0] + where[..., 0] * places[:, 2]) * (2 / width) - 1
    y = (places[:, 1] + where[..., 1] * places[:, 3]) * (2 / height) - 1
    grid = torch.stack([x, y], dim=-1)
    return F.grid_sample(textures, grid, mode="bilinear", padding_mode="border", align_corners=False)
