"""Read TensorFlow checkpoints in a process of its own.

TensorFlow and the triton that comes with CUDA builds of torch each bring an LLVM, and the second to be loaded ends the
process (seen with tensorflow 2.21, torch 2.15). So this module imports no torch, and only runs TensorFlow where
`python -m hdrnodes.networks.checkpoint_reader` started it. `read_checkpoints` is what others call.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hdrnodes.errors import ModelError

Variables = dict[str, np.ndarray]
ERROR = "error"  # in place of variables: subject, problem and remedy


def read_checkpoints(prefixes: Sequence[Path], wanted: Collection[str]) -> dict[Path, Variables]:
    """Variables of checkpoints, by checkpoint and name: those called as wanted, or with scopes before that.

    Raises:
        ModelError: tensorflow is missing, or a checkpoint cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.npz")
        request = {"prefixes": [str(path) for path in prefixes], "wanted": list(wanted), "answer": str(answer)}
        command = [sys.executable, "-m", "hdrnodes.networks.checkpoint_reader"]
        # TensorFlow tells on standard error what it is optimised for; only its last words matter, if it dies.
        done = subprocess.run(command, input=json.dumps(request), text=True, capture_output=True, check=False)
        if not answer.is_file():
            said = done.stderr.strip().splitlines()[-1:] or ["nothing said"]
            problem = f"TensorFlow ended with status {done.returncode} while reading ({said[0]})"
            raise ModelError(prefixes[0], problem, "try in an environment made by pip install 'hdrnodes[tensorflow]'")
        with np.load(answer, allow_pickle=False) as arrays:
            found = {key: arrays[key] for key in arrays.files}
    if ERROR in found:
        raise ModelError(*map(str, found[ERROR]))
    variables: dict[Path, Variables] = {prefix: {} for prefix in prefixes}
    for key, value in found.items():
        index, _, name = key.partition("/")
        variables[prefixes[int(index)]][name] = value
    return variables


def _answer(prefixes: Sequence[str], wanted: Collection[str], answer: str) -> None:
    found: dict[str, Any]
    try:
        read = [_read(prefix, frozenset(wanted)) for prefix in prefixes]
        found = {f"{index}/{name}": value for index, each in enumerate(read) for name, value in each.items()}
    except ModelError as error:
        found = {ERROR: np.array([str(error.subject), error.problem, error.remedy])}
    temporary = Path(answer).with_suffix(".part")
    with temporary.open("wb") as file:
        np.savez(file, **found)
    temporary.replace(answer)  # whole, or not there


def _read(prefix: str, wanted: frozenset[str]) -> Variables:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        from tensorflow import train
        from tensorflow.errors import OpError
    except ImportError as error:
        problem = f"a TensorFlow checkpoint needs tensorflow to be read ({error})"
        raise ModelError(prefix, problem, "pip install 'hdrnodes[tensorflow]'") from error
    try:
        reader: Any = train.load_checkpoint(prefix)
        names = [name for name in reader.get_variable_to_shape_map() if _endings(name) & wanted]
        return {name: np.asarray(reader.get_tensor(name)) for name in names}
    except (OpError, ValueError, IndexError) as error:  # TensorFlow has all three for broken files
        problem = f"cannot be read: {' '.join(str(error).split())}"
        raise ModelError(prefix, problem, "copy the checkpoint again from its source") from error


def _endings(name: str) -> set[str]:
    """The name, and the name without its first scope, its first two, ...

    >>> sorted(_endings("tower/conv1/weights"))
    ['conv1/weights', 'tower/conv1/weights', 'weights']
    """
    scopes = name.split("/")
    return {"/".join(scopes[start:]) for start in range(len(scopes))}


if __name__ == "__main__":
    _answer(**json.load(sys.stdin))
