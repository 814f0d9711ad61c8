"""The `tensorrt` executor: NVIDIA cards, FP16, through TensorRT or TensorRT-RTX.

library.py    which of the two is here, and what differs between them
profiles.py   the sizes that plans are built for
builder.py    ONNX -> plan
plans.py      plans on disk: what they are called, when they are built again, when they go
device.py     the card: its primary context, memory that the stages share, a stream
graphs.py     CUDA graphs
engine.py     a plan on the card, ready for one shape after another
executor.py   the executor

Nothing of CUDA is imported before it is used, so all of this imports on any machine.
"""
