"""What noise tells of the response: sensors make it before the response, which then parts or draws together its tones.

A sensor's noise grows with the light in a way that is known but for two numbers, see `hdrnodes.camera.noise`. Where the
response is steep it comes out strong, where it is flat it comes out weak, whatever the scene shows. So noise is
measured level by level, in small blocks: a picture has smooth and busy ones at most levels, and the smoothest hold
little else.
JPEG, and whoever took the noise away, leave less of it; what is left is told as it is.

Sources: noise that varies with the level as a sign of the response: Matsushita and Lin, "Radiometric Calibration from
Noise Distributions", CVPR 2007. The mask, which answers with zero wherever light is bilinear: Immerkaer, "Fast Noise
Variance Estimation", Computer Vision and Image Understanding, 1996. The estimate by blocks is ours.
"""

from typing import Any

from array_api_compat import array_namespace, device

from hdrnodes.camera.areas import areas

Array = Any

LEVELS = 16  # of display values, evenly spaced
LEAST = (0.1, 0.4)  # which of the blocks of a level are looked at, from the smoothest on
COUNT = LEVELS * (len(LEAST) + 1)

BLOCK = 8  # pixels; JPEG's blocks are as large
CLIPPED, DARK = 0.985, 0.012  # display values that may have been cut off, their noise with them
MEAN_OF_MASK = 4.8 / 255  # the mask's mean answer to white noise of one 8-bit code: 6 sqrt(2 / pi)
FEW = 20  # blocks, of which a level tells half of what it might
SILENT, BUSY = 0.1, 50.0  # codes: less is not told from nothing, more is no noise


def noise_by_level(display: Array) -> Array:
    """How strong the noise of pictures is at each level.

    Args:
        display: N x 3 x H x W float32, display-referred, 0..1, before any averaging of pixels.

    Returns:
        N x COUNT float32: level by level, for each of LEAST, the log of the noise in 8-bit codes; then how much is
        known of each level, 0..1, by which the others are weighted. A picture of less than a block gives zeros.
    """
    xp = array_namespace(display)
    display = areas(display)
    strength, level, whole = _blocks(display)
    if not strength.shape[1]:
        return xp.zeros((display.shape[0], COUNT), dtype=display.dtype, device=device(display))
    told, known = [], []
    for each in range(LEVELS):
        here = whole & (level == each)
        count = xp.astype(xp.sum(xp.astype(here, xp.int64), axis=1, keepdims=True), display.dtype)
        known.append(count / (count + FEW))
        rising = xp.sort(xp.where(here, strength, xp.full_like(strength, BUSY)), axis=1)
        for share in LEAST:
            index = xp.astype(xp.clip(count * share, 0.0, strength.shape[1] - 1.0), xp.int64)
            found = xp.log(xp.clip(xp.take_along_axis(rising, index, axis=1), None, BUSY) + SILENT)
            told.append(found * known[-1])
    return xp.concat(told + known, axis=1)


def _blocks(display: Array) -> tuple[Array, Array, Array]:
    """Of all blocks of all channels, N x P: the noise in codes, the level's number, whether nothing was cut off."""
    xp = array_namespace(display)
    answer = _second_difference(_second_difference(display, -2), -1)
    n, channels, height, width = answer.shape
    height, width = height // BLOCK * BLOCK, width // BLOCK * BLOCK

    def over_blocks(pixels: Array, reduced: Any) -> Array:
        six = (n, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
        return xp.reshape(reduced(xp.reshape(pixels[..., :height, :width], six), axis=(3, 5)), (n, -1))

    if not height or not width:
        none = xp.reshape(display, (n, -1))[:, :0]
        return none, none, none
    middle = display[..., 1:-1, 1:-1]
    # Means of codes fall onto the bounds of levels: a third of the way to the next mean, all libraries round alike.
    level = xp.clip(xp.astype(over_blocks(middle, xp.mean) * LEVELS + 3e-4, xp.int64), 0, LEVELS - 1)
    whole = (over_blocks(middle, xp.max) < CLIPPED) & (over_blocks(middle, xp.min) > DARK)
    return over_blocks(xp.abs(answer), xp.mean) / MEAN_OF_MASK, level, whole


def _second_difference(pixels: Array, axis: int) -> Array:
    """Empty where there are less than three pixels."""
    if axis == -2:
        return pixels[..., 2:, :] - 2 * pixels[..., 1:-1, :] + pixels[..., :-2, :]
    return pixels[..., 2:] - 2 * pixels[..., 1:-1] + pixels[..., :-2]
