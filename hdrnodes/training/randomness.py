"""Where the draws of a step come from: independent ones for each seed, worker and step, so that no two share noise."""

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
    """0 <= x < 1, drawn where the generator is: nothing is copied, and a CPU waits for no GPU."""
    return torch.rand(*shape, generator=random, device=random.device)


def normal(random: torch.Generator, *shape: int) -> Tensor:
    """Standard normal, drawn where the generator is."""
    return torch.randn(*shape, generator=random, device=random.device)
