"""Where the draws of a step come from: independent ones for each seed, worker and step, so that no two share noise.

All are made on the generator's device: nothing is copied, and a CPU waits for no GPU.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def generator(device: torch.device | str, seed: int, step: int, rank: int = 0) -> torch.Generator:
    """A generator on `device` for one step of one worker. Same numbers, same draws, on devices of one kind.

    The three numbers are mixed by numpy's SeedSequence (O'Neill's hash), so that neighbours, and 1 + 2 and 2 + 1, have
    nothing in common.

    Args:
        device: cpu, cuda, cuda:1 ...; what is drawn with it lies there.
        seed: of the run, 0 or more.
        step: 0 or more.
        rank: of the worker among those that train together, 0 or more.

    Raises:
        ValueError: a number is negative.
    """
    mixed = np.random.SeedSequence((seed, rank, step)).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(mixed))


def uniform(random: torch.Generator, *shape: int) -> Tensor:
    """0 <= x < 1."""
    return torch.rand(*shape, generator=random, device=random.device)


def normal(random: torch.Generator, *shape: int) -> Tensor:
    """Standard normal."""
    return torch.randn(*shape, generator=random, device=random.device)


class Lots:
    """Each of `n` plates draws a number in 0..1, evenly spread over the batch (systematic sampling).

    How many fall into a range is then known to within one without asking the device, and what is done to some plates
    costs for no more than them.
    """

    def __init__(self, n: int, random: torch.Generator) -> None:
        self.n = n
        self._order = torch.argsort(uniform(random, n))
        self._numbers = (torch.arange(n, device=random.device) + uniform(random, 1)) / n

    def within(self, low: float, high: float) -> tuple[Tensor, Tensor]:
        """Plates that may have drawn low <= number < high, and whether they did: K indices, K booleans."""
        some = slice(math.floor(low * self.n), math.ceil(high * self.n))
        numbers = self._numbers[some]
        return self._order[some], (numbers >= low) & (numbers < high)

    def below(self, high: float) -> Tensor:
        """Which plates drew a number below: n booleans."""
        return torch.zeros_like(self._numbers, dtype=torch.bool).index_copy(0, self._order, self._numbers < high)

    def change(self, plates: Tensor, low: float, high: float, how: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """The plates, N x C x H x W, with `how(some of the plates, their indices)` for those within."""
        indices, drawn = self.within(low, high)
        if len(indices) == 0:
            return plates
        some = plates[indices]
        return plates.index_copy(0, indices, torch.where(drawn[:, None, None, None], how(some, indices), some))
