"""The `torch` executor: the networks as they were trained, on CUDA where there is a device, else on the CPU."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from hdrnodes.models import Network
from hdrnodes.runtime.executor import Array, Executor, Settings, why_it_failed


class Torch(Executor):
    name = "torch"

    @classmethod
    def why_not(cls) -> str | None:
        missing = [name for name in ("torch", "safetensors") if not find_spec(name)]
        return f"{' and '.join(missing)} not installed; pip install 'hdrnodes[train]'" if missing else None

    def __init__(self, network: Network, settings: Settings) -> None:
        import torch

        from hdrnodes.networks import load

        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._network = load(network).to(self._device)
        self._inputs = network.inputs
        self._path = network.folder / network.safetensors

    def run(self, **inputs: Array) -> Array:
        import torch

        # torch warns of arrays that it may not write to, and shares the memory of the others.
        given = [torch.from_numpy(np.require(inputs[name], requirements="W")) for name in self._inputs]
        try:
            with torch.inference_mode():
                output = self._network(*(each.to(self._device) for each in given))
                answer: Array = output.float().cpu().contiguous().numpy()
        except (RuntimeError, MemoryError) as error:
            raise why_it_failed(self._path, "torch", error) from error
        return answer
