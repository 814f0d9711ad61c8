"""Grain: an example plugin. Put its folder on $HDRNODES_PLUGIN_PATH, and `hdrnodes nodes` lists it."""

import numpy as np

from hdrnodes import Knob, Node, hookimpl


class Grain(Node):
    """Give a picture the noise of film, stronger in the light, so that it sits with what was shot."""

    amount: float = Knob(0.02, ge=0, le=1, unit="of the light", doc="Standard deviation of the noise.")
    seed: int = Knob(1, ge=0, le=9999, doc="Another seed gives other grains.")

    def process(self, inputs, context):
        image = inputs["image"]
        random = np.random.default_rng([self.seed, context.frame or 0])  # moves from frame to frame
        noise = random.standard_normal(image.rgb.shape, np.float32)
        return image.with_rgb(image.rgb * (1 + self.amount * noise))


@hookimpl
def register_nodes():
    return [Grain]
