"""The basis of camera responses that is shipped: the mean inverse response and its K = 11 principal directions.

    python -m hdrnodes.training.response_basis dorf_train.npz

writes what `hdrnodes.camera.basis` reads. The curves that validation holds out are held out
here too. Source: Grossberg and Nayar, CVPR 2003 (EMoR); Liu et al., CVPR 2020.
"""

import sys
from pathlib import Path

import numpy as np

from hdrnodes.camera.basis import DIRECTIONS, FILE, ResponseBasis
from hdrnodes.training.responses import measured_responses
from hdrnodes.whole_file import whole_file


def response_basis(inverse: np.ndarray) -> ResponseBasis:
    """Of N x 1024 inverse responses."""
    mean = inverse.mean(axis=0, dtype=np.float64)
    _, _, directions = np.linalg.svd(inverse - mean, full_matrices=False)
    directions = directions[:DIRECTIONS]
    spread = ((inverse - mean) @ directions.T).std(axis=0)
    return ResponseBasis(mean.astype(np.float32), directions.astype(np.float32), spread.astype(np.float32))


def reconstruction_error(curves: np.ndarray, basis: ResponseBasis) -> float:
    """RMSE of curves (N, 1024) against their projection onto the basis."""
    weights = (curves - basis.mean) @ basis.directions.T
    return float(np.sqrt(np.mean((basis.mean + weights @ basis.directions - curves) ** 2)))


if __name__ == "__main__":
    training, held_out = (curves.numpy() for curves in measured_responses(Path(sys.argv[1])))
    basis = response_basis(training)
    with whole_file(FILE, overwrite=True) as temporary:
        np.savez(temporary, **vars(basis))
    error = reconstruction_error(held_out, basis)
    sys.stdout.write(f"{FILE}: {len(training)} curves; the {len(held_out)} held out come back to RMSE {error:.4f}\n")
