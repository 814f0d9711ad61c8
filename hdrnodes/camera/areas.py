"""What is looked at of large pictures: areas of them, pixel for pixel.

What neighbouring pixels tell of a camera, they tell as they lie in the file. Of a picture made smaller they tell of
who made it so; of every n-th pixel, that edges are sharper than lenses are.
"""

from typing import Any

from array_api_compat import array_namespace, device

Array = Any

LONGER_SIDE = 1024  # pixels, of what is looked at
ALONG = 3  # areas, and as many down
BETWEEN = 5  # pixels; no neighbourhood that is looked at reaches over them


def areas(picture: Array) -> Array:
    """Pictures as they are, or, of larger ones, ALONG x ALONG areas, evenly spread, laid side by side.

    Between them lie pixels of 1.0: clipped, so that nothing is told of them.

    Args:
        picture: ... x H x W, display-referred.

    Returns:
        ... x h x w, at most LONGER_SIDE on the longer side.
    """
    height, width = picture.shape[-2:]
    if max(height, width) <= LONGER_SIDE:
        return picture
    each = (LONGER_SIDE - (ALONG - 1) * BETWEEN) / ALONG / max(height, width)
    rows, columns = _spread(height, int(height * each)), _spread(width, int(width * each))
    bands = [_side_by_side([picture[..., row, column] for column in columns], -1) for row in rows]
    return _side_by_side(bands, -2)


def _spread(length: int, part: int) -> list[slice]:
    part = max(part, 1)
    starts = [at * (length - part) // (ALONG - 1) for at in range(ALONG)]
    return [slice(start, start + part) for start in starts]


def _side_by_side(parts: list[Array], axis: int) -> Array:
    xp = array_namespace(*parts)
    shape = list(parts[0].shape)
    shape[axis] = BETWEEN
    clipped = xp.ones(tuple(shape), dtype=parts[0].dtype, device=device(parts[0]))
    return xp.concat([each for part in parts for each in (clipped, part)][1:], axis=axis)
