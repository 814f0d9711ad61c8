"""Runtime: networks of model folders, run on pixels of any size by whichever executor this machine has.

runtime.py    which model; the whole frame reduced; tiles
inputs.py     what networks are fed
choose.py     which executor, and why not a better one
tiles.py      cutting a frame and joining it again without a seam
memory.py     how large tiles may be (where frames lie is `hdrnodes.frames`)
turns.py      whose turn it is, where pictures are made side by side
executor.py   what an executor is; openvino.py, tensorrt and torch are three
kept.py       files of the cache, which compiled.py shows and empties
gpus.py       the NVIDIA GPUs here
"""

from hdrnodes.runtime.executor import Executor, Settings
from hdrnodes.runtime.runtime import Runtime

__all__ = ["Executor", "Runtime", "Settings"]
