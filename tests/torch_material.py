"""What tests of the torch executor share: the networks of the models that are there, inputs for them, a plate."""

import numpy as np
import torch

from hdrnodes.models import Model, find_models
from hdrnodes.runtime import Settings

NETWORKS = {
    f"{name}/{network.name}": network
    for name, folder in find_models().items()
    for network in Model.load(folder).networks()
}
NO_CACHE = Settings(cache=None)


def batch_of(module, count=2):
    """Different inputs for each of a batch, as lies in the range of a plate."""
    torch.manual_seed(1)
    examples = module.example_inputs().values()
    return [torch.cat([each + 0.01 * torch.rand_like(each) for _ in range(count)]) for each in examples]


def stops(pixels):
    return np.log2(np.maximum(np.asarray(pixels), 0) + 2.0**-8)


def plate(height=256, width=384):
    """Gradients with a clipped sun, as an 8-bit file has them: H x W x 3 uint8."""
    y, x = np.mgrid[:height, :width].astype(np.float32) / width
    sun = np.exp(-(((y - 0.2) ** 2 + (x - 0.6) ** 2) / 0.02))[..., None]
    pixels = np.stack([0.1 + 0.7 * x, 0.6 - 0.5 * y, 0.2 + 0.3 * x + 0.4 * y], axis=-1)
    pixels = pixels + np.float32([1, 0.9, 0.7]) * sun
    return (np.clip(pixels, 0, 1) * 255).round().astype(np.uint8)
