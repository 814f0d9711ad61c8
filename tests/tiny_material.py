"""What a stage can be trained with in seconds: panoramas, responses, and a recipe of two steps."""

import numpy as np
import OpenImageIO as oiio

from hdrnodes.camera.response import SAMPLES
from hdrnodes.training.responses import HELD_OUT

SIZE = "[32, 48]"


def write_material(folder):
    """`train` and `validation` with two panoramas each, `responses.npz`, and `tiny.toml`."""
    for split in ("train", "validation"):
        (folder / split).mkdir()
        for number in range(2):
            picture = oiio.ImageBuf(panorama(number))
            assert picture.write(str(folder / split / f"scene_{number}.exr"))
    grid = np.linspace(0, 1, SAMPLES)
    powers = np.linspace(1.2, 3, HELD_OUT + 4)
    np.savez(folder / "responses.npz", inverse=np.float32([grid**power for power in powers]))
    parts = [f"[validation]\nviews = 1\nsize = {SIZE}\n"]
    for stage in ("dequantize", "linearize", "hallucinate", "joint", "refine"):
        parts.append(f"[{stage}]\nsteps = 2\nbatch = 2\nvalidate_every = 2\nplates.size = {SIZE}\n")
        if stage == "linearize":
            parts.append("kept = 0\n")
    (folder / "tiny.toml").write_text("\n".join(parts))
    return folder


def panorama(number):
    """A sky, a ground, a sun that is many stops brighter, and texture; 32 x 64."""
    y, x = np.mgrid[0:32, 0:64]
    light = np.where(y < 16, 1.0, 0.2)[..., None] * [0.8, 0.9, 1.0]
    light = light * (1 + 0.5 * np.sin(x * (number + 1))[..., None] * np.cos(y)[..., None])
    light[8:10, 30:33] = 500
    return np.float32(light)
