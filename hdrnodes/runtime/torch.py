"""The `torch` executor: the networks as they were trained, on CUDA where there is a device, else on the CPU."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from hdrnodes.models import Network
from hdrnodes.runtime.executor import Array, Executor


class Torch(Executor):
    name = "torch"

    @classmethod
    def why_not(cls) -> str | None:
        missing = [name for name in ("torch", "safetensors") if not find_spec(name)]
        return f"{' and '.join(missing)} not installed; pip install 'hdrnodes[train]'" if missing else None

    def __init__(self, network: Network, cache: Path | None) -> None:
        import torch

        from hdrnodes.networks import load

        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._network = load(network).to(device=self._device).to(memory_format=torch.channels_last)
        self._inputs = network.inputs

    def run(self, **inputs: Array) -> Array:
        import torch

        with torch.inference_mode():
            given = [torch.from_numpy(inputs[name]).to(self._device) for name in self._inputs]
            answer: Array = self._network(*given).float().cpu().contiguous().numpy()
        return answer
