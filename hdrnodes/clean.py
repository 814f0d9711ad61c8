"""Taking out of a picture what the stages cannot compute with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from hdrnodes.image import Image
from hdrnodes.pixelwise import band_by_band, pixelwise, to_numpy


def clean(image: Image) -> tuple[Image, dict[str, int]]:
    """Take out what the stages cannot compute with, and count it, so that the caller can say so.

    A network turns one NaN into a hole as wide as its field of view; a logarithm makes NaN of a negative.
    Reading does not do this: negative values in a scene-linear file are colours outside its gamut, or filter
    lobes, and true to what was rendered. This is for the stage that needs it, and only for the colours: depth
    may be infinite.

    Args:
        image: any.

    Returns:
        The image with NaN and negative colours as 0, and +infinity as the largest finite colour in it, at
        least 1 and at most 65504 (half's largest). The very same image where there was nothing to do.
        How many values were `nan`, `infinite`, `negative`; an empty dict where there were none.
    """
    lowest, highest = image.colour_bounds
    if 0 <= lowest and highest < np.inf:
        return image, {}
    where = image.colour_index

    def look(pixels: Any) -> Any:
        rgb = pixels[..., where]
        xp = array_namespace(rgb)
        finite = xp.where(xp.isfinite(rgb), rgb, xp.ones_like(rgb))
        wrong = (xp.isnan(rgb), rgb == np.inf, rgb < 0)
        counts = [xp.astype(xp.count_nonzero(each), xp.float64) for each in wrong]
        return xp.stack([*counts, xp.astype(finite.max(), xp.float64)])

    looks = np.stack([to_numpy(each) for each in band_by_band(look, image.pixels)])
    brightest = float(looks[:, 3].max().clip(1, 65504))

    def replaced(pixels: Any) -> Any:
        pixels = array_namespace(pixels).asarray(pixels, copy=True)
        rgb = pixels[..., where]
        xp = array_namespace(rgb)
        rgb = xp.where(rgb == np.inf, xp.full_like(rgb, brightest), rgb)
        pixels[..., where] = xp.where(rgb >= 0, rgb, xp.zeros_like(rgb))  # NaN is not >= 0
        return pixels

    counts = dict(zip(("nan", "infinite", "negative"), looks[:, :3].sum(axis=0).astype(int).tolist(), strict=True))
    cleaned = replace(image, pixels=pixelwise(replaced, image.pixels)).with_bounds(0, max(brightest, looks[:, 3].max()))
    return cleaned, {kind: n for kind, n in counts.items() if n}
