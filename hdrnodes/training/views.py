"""Perspective views of panoramas: what a camera that stands in the scene would see."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrnodes.training.scenes import Scenes


def random_views(
    scenes: Scenes,
    indices: Tensor,
    size: tuple[int, int],
    random: torch.Generator,
    field_of_view: tuple[float | Tensor, float | Tensor] = (45.0, 100.0),
    toward_light: float = 0.5,
) -> Tensor:
    """One random view of each of the scenes named.

    Args:
        scenes: the panoramas.
        indices: N scene numbers.
        size: height, width of the views in pixels.
        random: the source of randomness (a CPU generator).
        field_of_view: horizontal, lowest and highest, degrees; for all, or N of them.
        toward_light: how many of the views have one of the scene's brightest spots in them; the others look anywhere.

    Returns:
        N x 3 x height x width float32, scene-linear. Averaged over the pixel's area where the panorama is finer.
    """
    n = len(indices)
    yaw, pitch, roll, fov, mirror, toward, spot = torch.rand(7, n, generator=random)
    bright = scenes.bright[indices, (spot * scenes.bright.shape[1]).long()]
    aimed = toward < toward_light
    return views(
        scenes,
        indices,
        size,
        yaw=torch.where(aimed, bright[:, 0] + (yaw - 0.5) * math.radians(50), yaw * 2 * math.pi),
        # Nobody holds a camera straight up: the sun may stay above the frame.
        pitch=torch.where(aimed, bright[:, 1].clamp(-0.4, 0.6) + (pitch - 0.5) * 0.4, (pitch - 0.5) * math.radians(50)),
        roll=(roll - 0.5) * math.radians(16),
        field_of_view=torch.deg2rad(field_of_view[0] + fov * (field_of_view[1] - field_of_view[0])),
        mirror=mirror < 0.5,
    )


def views(
    scenes: Scenes,
    indices: Tensor,
    size: tuple[int, int],
    *,
    yaw: Tensor,
    pitch: Tensor,
    roll: Tensor,
    field_of_view: Tensor,
    mirror: Tensor,
) -> Tensor:
    """Views by angle, in radians, each of shape N; see `random_views`."""
    height, width = size
    panorama_width = scenes.light.shape[3] - 2
    # Panorama pixels per view pixel at the centre; the rays are drawn that much finer, then averaged.
    widest = float(field_of_view.max())
    finer = max(1, round(2 * math.tan(widest / 2) * panorama_width / (2 * math.pi) / width))
    device = scenes.light.device
    directions = _rays(height * finer, width * finer, yaw, pitch, roll, field_of_view, mirror).to(device)
    longitude = torch.atan2(directions[..., 0], directions[..., 2]) / (2 * math.pi) + 0.5  # 0..1
    latitude = torch.asin(directions[..., 1].clamp(-1, 1)) / math.pi + 0.5
    # One wrapped column stands on each side of the panorama.
    x = (longitude * panorama_width + 1) / (panorama_width + 2) * 2 - 1
    grid = torch.stack([x, latitude * 2 - 1], dim=-1)
    seen = F.grid_sample(scenes.light[indices], grid, mode="bilinear", padding_mode="border", align_corners=False)
    return F.avg_pool2d(seen, finer) if finer > 1 else seen


def _rays(
    height: int, width: int, yaw: Tensor, pitch: Tensor, roll: Tensor, field_of_view: Tensor, mirror: Tensor
) -> Tensor:
    """Unit vectors N x H x W x 3 (right, down, forwards) through the pixels of pinhole cameras."""
    y, x = torch.meshgrid(
        (torch.arange(height) + 0.5) / width * 2 - height / width,
        (torch.arange(width) + 0.5) / width * 2 - 1,
        indexing="ij",
    )
    x, y = x.expand(len(yaw), -1, -1), y.expand(len(yaw), -1, -1)
    x = torch.where(mirror[:, None, None], -x, x)
    half = torch.tan(field_of_view / 2)[:, None, None]
    rays = F.normalize(torch.stack([x * half, y * half, torch.ones_like(x)], dim=-1), dim=-1)
    turn = _rotation(yaw, "y") @ _rotation(pitch, "x") @ _rotation(roll, "z")
    return torch.einsum("nij,nhwj->nhwi", turn, rays)


def _rotation(angle: Tensor, axis: str) -> Tensor:
    c, s, o, i = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rows = {
        "x": [i, o, o, o, c, -s, o, s, c],
        "y": [c, o, s, o, i, o, -s, o, c],
        "z": [c, -s, o, s, c, o, o, o, i],
    }
    return torch.stack(rows[axis], dim=-1).reshape(-1, 3, 3)
