"""A whole model whose answers can be worked out by hand, exported as a trained one is.

dequantize   0.9 * codes + 0.05
linearize    the curve x ** (1 + mean of the picture)
hallucinate  10 * linear - 4
refine       hallucinated / 2 + linear / 4 + dequantized / 4
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from hdrnodes.networks.base import StageNetwork
from hdrnodes.networks.export import StageExport, export_model

SIZE = (1, 3, 32, 48)


class Dequantize(StageNetwork):
    output = "continuous"

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(0.9))

    def example_inputs(self) -> dict[str, Tensor]:
        return {"codes": torch.zeros(SIZE)}

    def forward(self, codes: Tensor) -> Tensor:
        return self.slope * codes + 0.05


class Linearize(StageNetwork):
    output = "curve"

    def __init__(self) -> None:
        super().__init__()
        self.grid = nn.Parameter(torch.linspace(0, 1, 1024))

    def example_inputs(self) -> dict[str, Tensor]:
        return {"display": torch.zeros(SIZE)}

    def forward(self, display: Tensor) -> Tensor:
        return self.grid[None] ** (1 + display.mean(dim=(1, 2, 3), keepdim=False)[:, None])


class Hallucinate(StageNetwork):
    output = "invented"

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(10.0))

    def example_inputs(self) -> dict[str, Tensor]:
        return {"linear": torch.zeros(SIZE)}

    def forward(self, linear: Tensor) -> Tensor:
        return self.gain * linear - 4


class Refine(StageNetwork):
    output = "refined"
    same_size = ("hallucinated", "linear", "dequantized")

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([0.5, 0.25, 0.25]))

    def example_inputs(self) -> dict[str, Tensor]:
        return {name: torch.zeros(SIZE) for name in self.same_size}

    def forward(self, hallucinated: Tensor, linear: Tensor, dequantized: Tensor) -> Tensor:
        a, b, c = self.weights
        return a * hallucinated + b * linear + c * dequantized


NETWORKS = {"dequantize": Dequantize, "linearize": Linearize, "hallucinate": Hallucinate, "refine": Refine}


def export_tiny_model(folder: Path) -> Path:
    """Write the model folder; give back its path."""
    stages = {name: StageExport("tiny", {name: network()}) for name, network in NETWORKS.items()}
    export_model(folder, "tiny", "3.1", "CC0-1.0", "For tests.", {"steps": 0}, stages)
    return folder
