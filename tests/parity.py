"""The published graph's own numbers, from shared/parity beside the repository, to compare with."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "shared" / "parity"


def reference() -> dict[str, np.ndarray]:
    """Input and outputs of the published graph, NHWC; skips where shared/parity is not there."""
    _skip_without_it()
    with np.load(FOLDER / "reference.npz") as arrays:
        return dict(arrays)


def weights() -> dict[str, np.ndarray]:
    """The pseudo-random TensorFlow variables that gave the reference."""
    _skip_without_it()
    spec = importlib.util.spec_from_file_location("make_weights", FOLDER / "make_weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_weights()


def relative_difference(result: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a part of the range of what is expected."""
    assert result.shape == expected.shape
    return float(np.abs(result - expected).max() / (expected.max() - expected.min()))


def _skip_without_it() -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"needs the reference numbers in {FOLDER.parent.name}/{FOLDER.name} beside the repository")
