"""The empirical model of response (EMoR): a mean inverse response and its principal directions, as published.

The file `invemor.txt` has blocks of 1024 numbers, each after a line that names it:

    B =          display values, 0 to 1
    g0 =         the mean inverse response at them
    hinv(1)=     its principal directions, hinv(1) to hinv(25)

The file `emor.txt` (E, f0, h(1)...) has the same of the responses forwards; the published system does not use it.
Source: Grossberg and Nayar, "What is the Space of Camera Response Functions?", CVPR 2003.
"""

import re
from pathlib import Path

import numpy as np

from hdrnodes.camera.response import SAMPLES
from hdrnodes.errors import ModelError

DIRECTIONS = 11  # that the published system uses
_HEADING = re.compile(r"([A-Za-z]\w*(?:\(\d+\))?)\s*=")


def read_emor(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read `invemor.txt`: the mean inverse response (1024,) and its first 11 directions (1024, 11), float32.

    Raises:
        ModelError: the file cannot be read, or a block is missing, or is not 1024 numbers.
    """
    try:
        _, *parts = _HEADING.split(path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(path, f"cannot be read: {error}", "give the published invemor.txt") from error
    blocks = dict(zip(parts[::2], parts[1::2], strict=True))
    mean, *directions = (
        _numbers(path, blocks, name) for name in ("g0", *(f"hinv({k})" for k in range(1, DIRECTIONS + 1)))
    )
    return mean, np.stack(directions, axis=-1)


def _numbers(path: Path, blocks: dict[str, str], name: str) -> np.ndarray:
    if name not in blocks:
        raise ModelError(path, f"has no block `{name} =`", "give the published invemor.txt (not emor.txt)")
    try:
        numbers = np.array(blocks[name].split(), np.float32)
    except ValueError as error:
        raise ModelError(path, f"block {name}: {error}", "copy the file again from its source") from error
    if numbers.shape != (SAMPLES,):
        problem = f"block {name} has {numbers.size} numbers, not {SAMPLES}"
        raise ModelError(path, problem, "copy the file again from its source")
    return numbers
