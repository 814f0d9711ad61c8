"""What the published programs of the metrics say of two test pairs, from shared/metrics beside the repository."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "shared" / "metrics"
VALUES = json.loads((FOLDER / "values.json").read_text())["metrics"] if FOLDER.is_dir() else {}


@cache
def pictures() -> dict[str, np.ndarray]:
    """The test pictures, linear BT.709 or luminance in cd/m2; skips where shared/metrics is not there."""
    _skip_without_it()
    with np.load(FOLDER / "pairs.npz") as arrays:
        return dict(arrays)


def pair(name: str) -> tuple[np.ndarray, np.ndarray]:
    """A test picture, `clip`, `blur`, `gold_...`, and its reference."""
    return pictures()[name], pictures()["gold_ref" if name.startswith("gold_") else "ref"]


def expected(metric: str) -> dict[str, float]:
    """What a metric is, by the name of the test picture."""
    _skip_without_it()
    return VALUES[metric]["values"]


def _skip_without_it() -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"needs the reference numbers in {FOLDER.parent.name}/{FOLDER.name} beside the repository")
