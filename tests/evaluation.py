"""What tests of `hdrnodes evaluate` share: light to compare, and the command's answer."""

import json

import numpy as np
from cli import hdrnodes


def scene(seed=0, height=180, width=192):
    """Light of 0.05..50 with a bright spot of 300: H x W x 3 float32."""
    rng = np.random.default_rng(seed)
    down, across = np.linspace(-1, 1, height)[:, None, None], np.linspace(0, 0.6, width)[None, :, None]
    light = 10 ** (down + across * [0.6, 0.8, 1.0] + rng.normal(0, 0.03, (height, width, 3)))
    light[20:40, 30:60] = [300, 280, 200]
    return light.astype(np.float32)


def evaluated(*words):
    ran = hdrnodes("evaluate", *words, "--json")
    return ran, json.loads(ran.stdout) if ran.stdout else None
