"""How weights move: AdamW that can leave a step out without asking the device, and the average that follows them."""

import torch
from torch import Tensor, nn

MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what AdamW keeps of each parameter


class SkippingAdamW(torch.optim.AdamW):
    """AdamW whose step does nothing, moments and all, where `skip` says so on the device: the host need not wait.

    Args:
        network: whose parameters it moves; frozen ones are left alone.
        rate, weight_decay: as AdamW's.
    """

    found_inf: Tensor  # the name by which torch's fused kernels look for it

    def __init__(self, network: nn.Module, rate: float, weight_decay: float) -> None:
        self.moved = {name: each for name, each in network.named_parameters() if each.requires_grad}
        super().__init__(self.moved.values(), lr=rate, weight_decay=weight_decay, fused=True)
        for each in self.moved.values():
            # From the start, so that a checkpoint always has them. Fused kernels take for granted that moments lie in
            # memory as their parameter does, which a checkpoint's do not.
            moments = torch.zeros_like(each), torch.zeros_like(each)
            self.state[each] = dict(zip(MOMENTS, (torch.zeros((), device=each.device), *moments), strict=True))

    def skip(self, where: Tensor) -> None:
        """Whether the next step is left out: a bool tensor without dimensions."""
        self.found_inf = where.float()


class AveragedWeights:
    """A copy of a network that follows it: an exponential moving average; whole numbers are taken over as they are."""

    def __init__(self, network: nn.Module, averaged: nn.Module) -> None:
        now, then = network.state_dict(), averaged.state_dict()
        floating = [name for name, each in now.items() if each.is_floating_point()]
        self._now, self._then = [now[name] for name in floating], [then[name] for name in floating]
        self._counts = [(now[name], then[name]) for name in now if name not in floating]

    @torch.no_grad()
    def follow(self, keep: float) -> None:
        """Keep this share of the average, and take the rest from the network."""
        torch._foreach_lerp_(self._then, self._now, 1 - keep)  # as torch.optim.swa_utils does: one kernel for all
        for now, then in self._counts:
            then.copy_(now)
