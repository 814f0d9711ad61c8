"""The basis of camera responses that is shipped: the mean inverse response and its K = 11 principal directions.

    python -m hdrnodes.training.response_basis dorf_train.npz

writes `hdrnodes/camera/basis.npz`: `mean` (1024,), `directions` (11, 1024), orthonormal, zero at both ends. The curves
that validation holds out are held out here too. Source: Grossberg and Nayar, CVPR 2003 (EMoR); Liu et al., CVPR 2020.
"""

import sys
from pathlib import Path

import numpy as np

from hdrnodes.training.responses import measured_responses
from hdrnodes.whole_file import whole_file

BASIS = Path(__file__).parents[1] / "camera" / "basis.npz"
DIRECTIONS = 11


def response_basis(inverse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (S,) and principal directions (11, S) of N x S inverse responses, float32."""
    mean = inverse.mean(axis=0, dtype=np.float64)
    _, _, directions = np.linalg.svd(inverse - mean, full_matrices=False)
    return mean.astype(np.float32), directions[:DIRECTIONS].astype(np.float32)


def reconstruction_error(curves: np.ndarray, mean: np.ndarray, directions: np.ndarray) -> float:
    """RMSE of curves (N, S) against their projection onto the basis."""
    weights = (curves - mean) @ directions.T
    return float(np.sqrt(np.mean((mean + weights @ directions - curves) ** 2)))


if __name__ == "__main__":
    training, held_out = (curves.numpy() for curves in measured_responses(Path(sys.argv[1])))
    mean, directions = response_basis(training)
    with whole_file(BASIS, overwrite=True) as temporary:
        np.savez(temporary, mean=mean, directions=directions)
    error = reconstruction_error(held_out, mean, directions)
    sys.stdout.write(f"{BASIS}: {len(training)} curves; the {len(held_out)} held out come back to RMSE {error:.4f}\n")
