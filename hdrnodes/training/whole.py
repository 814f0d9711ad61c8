"""Networks that see a reduced frame, or that and the pixels, fed with whole frames: what training sees of a stage."""

import torch
from torch import Tensor, nn

from hdrnodes.networks.base import StageNetwork
from hdrnodes.training.reduce import overview


class WholeFrame(nn.Module):
    """`<stage>_overview` on the reduced frame, then `<stage>` on the pixels.

    Args:
        network: takes some of the stage's pixels, then the context and the window.
        overview_network: takes all of the stage's pixels, reduced.
        longer_side: pixels, of the reduced frame.
    """

    def __init__(self, network: StageNetwork, overview_network: StageNetwork, longer_side: int) -> None:
        super().__init__()
        self.network, self.overview_network, self.longer_side = network, overview_network, longer_side
        self.taken = len(network.example_inputs()) - 2

    def forward(self, *pixels: Tensor) -> Tensor:
        context = self.overview_network(*(overview(each, self.longer_side) for each in pixels))
        window = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=context.device).expand(len(context), -1)
        answer: Tensor = self.network(*pixels[: self.taken], context, window)
        return answer


class ReducedFrame(nn.Module):
    """A network that sees nothing but the reduced frame.

    Args:
        network: takes the pixels of one picture, reduced.
        longer_side: pixels, of the reduced frame.
    """

    def __init__(self, network: StageNetwork, longer_side: int) -> None:
        super().__init__()
        self.network, self.longer_side = network, longer_side

    def forward(self, pixels: Tensor) -> Tensor:
        answer: Tensor = self.network(overview(pixels, self.longer_side))
        return answer
