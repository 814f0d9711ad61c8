"""The rest of the camera: what three steps left, as a smooth gain over the frame.

    gain    = overview(hallucinated, linear, dequantized, all reduced)     stops, a coarse grid, once a frame
    refined = hallucinated * 2^gain                                        pixel by pixel

Local tone mapping, light fall-off and what is left of the response's error are smooth over the frame; so is the gain,
which can therefore neither blur texture nor band nor halo.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrnodes.networks.base import StageNetwork, in_float32
from hdrnodes.networks.default.blocks import Convs, look_up, power_of_two, silent_conv
from hdrnodes.networks.default.hallucinate import light_features
from hdrnodes.networks.edges import continue_edges

REACH = 1.0  # stops
CELL = 16  # pixels of the reduced frame to a cell of the grid: four halvings


class RefineOverview(StageNetwork):
    """Args: widths: channels at 1/2, 1/4, 1/8, 1/16 of the reduced frame's size."""

    output = "context"
    half_parts = ("levels", "head")
    same_size = ("hallucinated", "linear", "dequantized")

    def __init__(self, widths: tuple[int, ...] = (16, 32, 48, 64)) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.levels = nn.ModuleList(Convs(a, b) for a, b in zip((12, *widths), widths, strict=False))
        self.head = silent_conv(self.widths[-1], 3)

    @property
    def config(self) -> dict[str, Any]:
        return {"widths": list(self.widths)}

    def example_inputs(self) -> dict[str, Tensor]:
        return {name: torch.rand(1, 3, 96, 160) for name in self.same_size}

    def forward(self, hallucinated: Tensor, linear: Tensor, dequantized: Tensor) -> Tensor:
        """Three times N x 3 x h x w, the whole frame reduced -> gain in stops, N x 3 x ceil(h/16) x ceil(w/16)."""
        invented = torch.log2(hallucinated.clamp(min=0) + 1) / 4
        x = self.as_trunk(continue_edges(torch.cat([invented, light_features(linear), dequantized], dim=1), CELL))
        for level in self.levels:
            x = level(F.avg_pool2d(x, 2))
        x = x + in_float32(x).mean(dim=(2, 3), keepdim=True).to(x.dtype)
        return REACH * torch.tanh(self.head(x).float())


class Refine(StageNetwork):
    """Applies the gain; has no weights of its own."""

    output = "refined"

    def example_inputs(self) -> dict[str, Tensor]:
        return {
            "hallucinated": torch.rand(1, 3, 96, 128),
            "context": torch.rand(1, 3, 6, 10),
            "window": torch.tensor([[0.0, 0.0, 1.0, 1.0]]),
        }

    def forward(self, hallucinated: Tensor, context: Tensor, window: Tensor) -> Tensor:
        """N x 3 x H x W, the frame's gain grid, where the tile stands in it -> N x 3 x H x W, scene-linear, >= 0."""
        height, width = hallucinated.shape[-2:]
        return hallucinated.clamp(min=0) * power_of_two(look_up(context, window, (height, width), (height, width)))
