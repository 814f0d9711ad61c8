"""Resizing and cropping, as happens to photographs after the camera: to show them, to send them."""

from typing import Any

from array_api_compat import array_namespace, device

Array = Any


def resize(picture: Array, size: tuple[int, int], step: Array, corner: Array, kernel: str = "bicubic") -> Array:
    """A part of each picture at another size, antialiased.

    Args:
        picture: N x C x H x W.
        size: height and width of the answer, pixels.
        step: N, pixels of the picture from one pixel of the answer to the next; >= 1.
        corner: N x 2, where the part begins, down and right, pixels; it should end inside the picture.
        kernel: "bicubic" (Keys, "Cubic Convolution Interpolation", 1981, with a = -1/2, widened by the step; it
            overshoots at edges), or "area" (means of the pixels covered, never negative).
    """
    xp = array_namespace(picture)
    height, width = picture.shape[-2:]
    down = _weights(height, size[0], step, corner[:, 0], kernel)[:, None]
    along = _weights(width, size[1], step, corner[:, 1], kernel)[:, None]
    return xp.matmul(xp.matmul(down, picture), xp.matrix_transpose(along))


def _weights(old: int, new: int, step: Array, corner: Array, kernel: str) -> Array:
    """N x new x old; each row sums to 1."""
    xp = array_namespace(step)
    where = device(step)
    at = xp.arange(new, dtype=step.dtype, device=where)[:, None] + 0.5  # 1 apart
    step, corner = step[:, None, None], corner[:, None, None]
    distance = xp.abs(corner + at * step - 0.5 - xp.arange(old, dtype=step.dtype, device=where))
    if kernel == "area":
        weights = xp.clip(step / 2 + 0.5 - distance, 0.0, 1.0)
    else:
        x = distance / step
        near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
        weights = xp.where(x < 1, near, xp.where(x < 2, far, xp.zeros_like(x)))
    return weights / xp.sum(weights, axis=-1, keepdims=True)
