"""The `torch` executor: the networks as they were trained, on CUDA where there is a device, else on the CPU.

executor.py     the executor, on either
build.py        whether torch has a GPU to run on, told without importing it where that is possible
precision.py    half precision, and float32 that is float32
buckets.py      what is kept ready for each shape of tiles
graphs.py       CUDA graphs, which share their memory
"""

from hdrnodes.runtime.torch.executor import Torch, TorchOnGpu

__all__ = ["Torch", "TorchOnGpu"]
