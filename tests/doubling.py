"""An executor as a plugin may bring one: it loads no network, so that its answers are known."""

from hdrnodes.runtime import Executor


class Doubling(Executor):
    """Doubles its first input."""

    name = "doubling"

    @classmethod
    def why_not(cls):
        return None

    def __init__(self, network, settings):
        self.network = network

    def run(self, **inputs):
        return 2 * next(iter(inputs.values()))
