"""A plugin: the executor that is not one, torch as it comes. What `against_published.py` compares with."""

from hdrnodes import hookimpl
from hdrnodes.runtime.executor import Executor


class TorchEager(Executor):
    """Float32 on the CPU, one operation after the other, pictures in the order that torch has by itself."""

    name = "torch-eager"

    @classmethod
    def why_not(cls):
        from importlib.util import find_spec

        return None if find_spec("torch") else "torch is not installed"

    def __init__(self, network, settings):
        import torch

        from hdrnodes.networks import load

        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        self._inputs, self._network = network.inputs, load(network)

    def run(self, **inputs):
        import torch

        with torch.inference_mode():
            return self._network(*(torch.from_numpy(inputs[name].copy()) for name in self._inputs)).numpy()


@hookimpl
def register_executors():
    return [TorchEager]
