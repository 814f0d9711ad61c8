"""JPEG, as a camera writes it: YCbCr, chroma at full or half resolution, 8 x 8 blocks, quantised cosine coefficients.

Only what is lossy is here (no entropy coding), so the round trip is a few matrix products where the data is.

Source: ITU-T T.81 (the baseline tables of annex K); JFIF 1.02 (YCbCr); the quality scale is libjpeg's.
"""

from typing import Any

import numpy as np
from array_api_compat import array_namespace

from hdrnodes.camera.constants import constant, cosines

Array = Any

_CHROMA_CORNER = np.array([[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]], np.float32)
_TO_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_TABLES = {
    "luma": np.array(  # ITU-T T.81, table K.1
        [
            [16, 11, 10, 16, 24, 40, 51, 61],
            [12, 12, 14, 19, 26, 58, 60, 55],
            [14, 13, 16, 24, 40, 57, 69, 56],
            [14, 17, 22, 29, 51, 87, 80, 62],
            [18, 22, 37, 56, 68, 109, 103, 77],
            [24, 35, 55, 64, 81, 104, 113, 92],
            [49, 64, 78, 87, 103, 121, 120, 101],
            [72, 92, 95, 98, 112, 100, 103, 99],
        ],
        np.float32,
    ),
    "chroma": np.pad(_CHROMA_CORNER, (0, 4), constant_values=99),  # table K.2
    "to YCbCr": _TO_YCBCR,
    "to RGB": np.linalg.inv(_TO_YCBCR.astype(np.float64)).astype(np.float32),
}


def jpeg(display: Array, quality: Array, subsampling: str = "4:2:0") -> Array:
    """Encode and decode: what JPEG leaves of a picture.

    Args:
        display: N x 3 x H x W, 0..1, display-referred; any H and W.
        quality: N values, 1..100 (libjpeg's scale).
        subsampling: "4:2:0" or "4:4:4".

    Returns:
        The shape of `display`, on the 8-bit codes, 0..1. Within a code of libjpeg-turbo's on average.
    """
    xp = array_namespace(display)
    height, width = display.shape[-2:]
    ycc = xp.round(_mix(display * 255, "to YCbCr"))  # encoders hold integers here, and again after the blocks
    luma, chroma = ycc[:, :1] - 128, ycc[:, 1:]
    if subsampling == "4:2:0":
        chroma = xp.round(_halve(_pad_to(chroma, 2)))
    luma = _through_blocks(luma, _steps("luma", quality)) + 128
    chroma = _through_blocks(chroma, _steps("chroma", quality))
    if subsampling == "4:2:0":
        chroma = _double(_double(chroma, -1), -2)[..., :height, :width]
    rgb = _mix(xp.concat([luma, chroma], axis=1), "to RGB")
    return xp.clip(xp.round(rgb), 0.0, 255.0) / 255


def _table(name: str) -> Array:
    return _TABLES[name]


def _steps(table: str, quality: Array) -> Array:
    """Quantisation steps, N x 1 x 1 x 1 x 8 x 8: libjpeg's `jpeg_quality_scaling`."""
    xp = array_namespace(quality)
    scale = xp.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None]
    steps = xp.floor((constant(scale, _table, table)[None] * scale + 50) / 100)
    return xp.clip(steps, 1.0, 255.0)[:, None, None, None]


def _through_blocks(plane: Array, steps: Array) -> Array:
    """Cosine transform of 8 x 8 blocks, rounded to the steps, and back."""
    xp = array_namespace(plane)
    height, width = plane.shape[-2:]
    padded = _pad_to(plane, 8)
    n, c, h, w = padded.shape
    blocks = xp.permute_dims(xp.reshape(padded, (n, c, h // 8, 8, w // 8, 8)), (0, 1, 2, 4, 3, 5))
    cosine = constant(plane, cosines, 8)
    coefficients = xp.matmul(xp.matmul(cosine, blocks), cosine.T)
    kept = xp.round(coefficients / steps) * steps
    blocks = xp.matmul(xp.matmul(cosine.T, kept), cosine)
    whole = xp.reshape(xp.permute_dims(blocks, (0, 1, 2, 4, 3, 5)), (n, c, h, w))[..., :height, :width]
    return xp.clip(xp.round(whole), -128.0, 127.0)


def _mix(rgb: Array, table: str) -> Array:
    """A 3 x 3 matrix of the tables, over the channels of N x 3 x H x W."""
    xp = array_namespace(rgb)
    n, c, h, w = rgb.shape
    return xp.reshape(xp.matmul(constant(rgb, _table, table), xp.reshape(rgb, (n, c, h * w))), (n, c, h, w))


def _pad_to(plane: Array, multiple: int) -> Array:
    """Repeat the last row and column until both sizes are multiples, as encoders do."""
    xp = array_namespace(plane)
    for axis in (-2, -1):
        missing = -plane.shape[axis] % multiple
        if missing:
            edge = plane[..., -1:, :] if axis == -2 else plane[..., -1:]
            plane = xp.concat([plane] + [edge] * missing, axis=axis)
    return plane


def _halve(plane: Array) -> Array:
    """Mean of 2 x 2 pixels."""
    return (plane[..., ::2, ::2] + plane[..., 1::2, ::2] + plane[..., ::2, 1::2] + plane[..., 1::2, 1::2]) / 4


def _double(plane: Array, axis: int) -> Array:
    """Twice the samples along an axis: libjpeg's triangle filter, 3/4 of the nearer and 1/4 of the farther."""
    xp = array_namespace(plane)
    first, last = (plane[..., :1, :], plane[..., -1:, :]) if axis == -2 else (plane[..., :1], plane[..., -1:])
    size = plane.shape[axis]
    padded = xp.moveaxis(xp.concat([first, plane, last], axis=axis), axis, -1)
    middle = padded[..., 1 : size + 1]
    pairs = xp.stack([0.75 * middle + 0.25 * padded[..., :size], 0.75 * middle + 0.25 * padded[..., 2:]], axis=-1)
    return xp.moveaxis(xp.reshape(pairs, (*middle.shape[:-1], 2 * size)), -1, axis)
