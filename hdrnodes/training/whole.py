"""Networks that see a reduced frame, or that and the pixels, fed with whole frames: what training sees of a stage."""

import torch
from torch import Tensor, nn

from hdrnodes.camera.evidence import EVIDENCE
from hdrnodes.networks.base import StageNetwork
from hdrnodes.reduce import reduce_planar


class WholeFrame(nn.Module):
    """`<stage>_overview` on the reduced frame, then `<stage>` on the pixels.

    Args:
        network: takes some of the stage's pixels, then the context and the window.
        overview_network: takes all of the stage's pixels, reduced.
        longer_side: pixels, of the reduced frame.
    """

    window: Tensor

    def __init__(self, network: StageNetwork, overview_network: StageNetwork, longer_side: int) -> None:
        super().__init__()
        self.network, self.overview_network, self.longer_side = network, overview_network, longer_side
        self.taken = len(network.example_inputs()) - 2
        self.register_buffer("window", torch.tensor([[0.0, 0.0, 1.0, 1.0]]), persistent=False)

    def forward(self, *pixels: Tensor) -> Tensor:
        context = self.overview_network(*(reduce_planar(each, self.longer_side) for each in pixels))
        answer: Tensor = self.network(*pixels[: self.taken], context, self.window.expand(len(context), -1))
        return answer


class ReducedFrame(nn.Module):
    """A network that sees no pixels but those of the reduced frame.

    Args:
        network: takes one picture, reduced; and perhaps what `hdrnodes.camera.evidence` finds at full size, in the
            plate as the camera wrote it.
        longer_side: pixels, of the reduced frame.
    """

    def __init__(self, network: StageNetwork, longer_side: int) -> None:
        super().__init__()
        self.network, self.longer_side = network, longer_side
        self.told = [EVIDENCE[name] for name in network.example_inputs() if name in EVIDENCE]

    def forward(self, pixels: Tensor, plate: Tensor | None = None) -> Tensor:
        answer: Tensor = self.network(*self.seen(pixels, plate))
        return answer

    def seen(self, pixels: Tensor, plate: Tensor | None = None) -> tuple[Tensor, ...]:
        """What the network is given of whole frames, N x 3 x H x W, and the plates that they were; None: the same."""
        reduced = reduce_planar(pixels, self.longer_side)
        plate = (pixels if plate is None else plate).detach().float()
        if plate.device.type != "cpu":
            return (reduced, *(tell(plate) for tell in self.told))
        # There numpy, which takes the edges out first, needs a third of the time.
        return (reduced, *(torch.from_numpy(tell(plate.numpy())) for tell in self.told))
