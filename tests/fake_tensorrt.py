"""A TensorRT that is not there, on the card of `fake_cuda`: strict about the order of calls; OpenVINO does its sums.

A plan is the ONNX and the profiles. Real plans are built in test_tensorrt_build.py, by TensorRT-RTX.
"""

import base64
import enum
import json
import types
import weakref
from functools import cache
from importlib.machinery import ModuleSpec

import numpy as np

from hdrnodes.runtime.openvino import core

MAGIC = b"FAKE"
PER_PIXEL = 64  # bytes of scratch memory


@cache
def compiled(onnx):
    return core().compile_model(core().read_model(onnx), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


class Severity(enum.Enum):
    INTERNAL_ERROR, ERROR, WARNING = range(3)


class ILogger:
    Severity = Severity

    def __init__(self):
        pass


class Tensor:
    def __init__(self, port):
        self.name = port.any_name
        self.shape = tuple(-1 if size.is_dynamic else size.get_length() for size in port.partial_shape)


class NetworkDefinition:
    onnx = b""

    @property
    def num_inputs(self):
        return len(compiled(self.onnx).inputs)

    def get_input(self, index):
        return Tensor(compiled(self.onnx).inputs[index])


class OnnxParser:
    def __init__(self, network, log):
        self._network, self.num_errors = network, 0

    def parse(self, onnx):
        self._network.onnx = onnx
        return True


class Profile:
    def __init__(self):
        self.shapes = {}

    def set_shape(self, name, least, best, most):
        assert all(a <= b <= c for a, b, c in zip(least, best, most, strict=True))
        self.shapes[name] = least, best, most


class TimingCache:
    def __init__(self, known):
        self.known = known

    def serialize(self):
        return self.known + b"timed;"


class Config:
    def __init__(self, module):
        self._module, self.profiles, self.timing = module, [], None
        self.flags = {module.BuilderFlag.TF32}

    def clear_flag(self, flag):
        self.flags.discard(flag)

    def set_flag(self, flag):
        self.flags.add(flag)

    def set_compute_capability(self, capability, index):
        assert (self.num_compute_capabilities, index) == (1, 0)
        self.capability = capability

    def add_optimization_profile(self, profile):
        self.profiles.append(profile.shapes)
        return len(self.profiles) - 1

    def create_timing_cache(self, known):
        return TimingCache(known)

    def set_timing_cache(self, timing, ignore_mismatch):
        assert not ignore_mismatch
        self.timing = timing
        return True

    def get_timing_cache(self):
        return self.timing


class Builder:
    def __init__(self, module):
        self._module = module

    def create_network(self, flags):
        assert flags == 0
        return NetworkDefinition()

    def create_builder_config(self):
        return Config(self._module)

    def create_optimization_profile(self):
        return Profile()

    def build_serialized_network(self, network, config):
        self._module.world.did("plan built")
        is_rtx = self._module.__name__ == "tensorrt_rtx"
        assert config.flags == ({self._module.BuilderFlag.REQUIRE_USER_ALLOCATION} if is_rtx else set())
        if "build" in self._module.world.fails:
            return None
        plan = {"onnx": base64.b64encode(network.onnx).decode(), "profiles": config.profiles}
        return MAGIC + json.dumps(plan).encode()


class Runtime:
    def __init__(self, module):
        self._world, self._module, self.engines = module.world, module, 0

    def deserialize_cuda_engine(self, plan):
        self._world.need_context()
        if not plan.startswith(MAGIC) or "deserialize" in self._world.fails:
            return None
        return Engine(self._module, self, plan)

    def __del__(self):
        assert self.engines == 0
        self._world.did("runtime freed")


class RuntimeCache:
    """Of kernels; only TensorRT-RTX has one."""

    def __init__(self):
        self.kernels = b""

    def deserialize(self, known):
        self.kernels = known
        return True

    def serialize(self):
        return self.kernels + b"kernels;"


class RuntimeConfig:
    strategy = None
    dynamic_shapes_kernel_specialization_strategy = None

    def create_runtime_cache(self):
        return RuntimeCache()

    def set_runtime_cache(self, cache):
        self.cache = cache
        return True

    def set_execution_context_allocation_strategy(self, strategy):
        self.strategy = strategy


class Engine:
    def __init__(self, module, runtime, plan):
        # Weakly: whoever frees the runtime before the engine is found out, as whoever frees that before its contexts.
        self._module, self.world, self._runtime, self.contexts = module, module.world, weakref.ref(runtime), 0
        runtime.engines += 1
        described = json.loads(plan.removeprefix(MAGIC))
        self.onnx, self.profiles = base64.b64decode(described["onnx"]), described["profiles"]
        self.inputs = [port.any_name for port in compiled(self.onnx).inputs]
        self.output = compiled(self.onnx).outputs[0].any_name
        self.num_io_tensors, self.num_optimization_profiles = len(self.inputs) + 1, len(self.profiles)

    def get_tensor_name(self, index):
        return [*self.inputs, self.output][index]

    def get_tensor_mode(self, name):
        return self._module.TensorIOMode.INPUT if name in self.inputs else self._module.TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name):
        return self._module.DataType.FLOAT

    def get_tensor_profile_shape(self, name, profile):
        return self.profiles[profile][name]

    def create_runtime_config(self):
        return None if "configure" in self._module.world.fails else RuntimeConfig()

    def create_execution_context(self, config):
        if self._module.__name__ == "tensorrt_rtx":
            assert config.dynamic_shapes_kernel_specialization_strategy.name == "EAGER" and config.cache
        assert config.strategy == self._module.ExecutionContextAllocationStrategy.USER_MANAGED
        return ExecutionContext(self)

    def __del__(self):
        assert self.contexts == 0
        self._runtime().engines -= 1
        self.world.did("engine freed")


class ExecutionContext:
    def __init__(self, engine):
        self._weak, self.world, self.is_live = weakref.ref(engine), engine.world, True
        self.profile, self.shapes, self.memory, self.addresses = None, {}, None, {}
        engine.contexts += 1
        self.world.did("execution context made")

    @property
    def _engine(self):
        return self._weak()

    def set_optimization_profile_async(self, profile, stream):
        self.profile = profile
        self.world.streams[stream].put(lambda: None)
        return True

    def set_input_shape(self, name, shape):
        assert not self.world.streams[1000].waiting, "the profile is not there yet"
        least, _, most = self._engine.profiles[self.profile][name]
        self.shapes[name] = shape
        return all(a <= b <= c for a, b, c in zip(least, shape, most, strict=True))

    def infer_shapes(self):
        return [name for name in self._engine.inputs if name not in self.shapes]

    def get_tensor_shape(self, name):
        assert name == self._engine.output
        return next(iter(self.shapes.values()))  # as the first input

    def update_device_memory_size_for_shapes(self):
        self.size = PER_PIXEL * int(np.prod(next(iter(self.shapes.values()))[-2:])) + 4  # no multiple of 256
        return self.size

    def set_device_memory(self, address, size):
        assert size == self.size and address % 256 == 0
        self.world.at(address, size)
        self.memory = address

    def set_tensor_address(self, name, address):
        assert address % 256 == 0
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        if "execute" in self.world.fails:
            return False
        memory, addresses, shapes = self.memory, dict(self.addresses), dict(self.shapes)
        onnx, output, shape = self._engine.onnx, self._engine.output, self.get_tensor_shape(self._engine.output)
        assert set(addresses) == {*shapes, output} and memory is not None

        def work():
            assert self.is_live
            given = {name: self._view(addresses[name], shape).copy() for name, shape in shapes.items()}
            self.world.at(memory, self.size)[:] = 0xCD
            for name, array in given.items():
                assert np.array_equal(self._view(addresses[name], shapes[name]), array), "scratch lies over an input"
            self._view(addresses[output], shape)[:] = compiled(onnx)(given)[0]

        self.world.did("enqueued")
        self.world.streams[stream].put(work)
        return True

    def is_stream_capturable(self, stream):
        return "capturable" not in self.world.fails

    def _view(self, address, shape):
        return self.world.at(address, int(np.prod(shape)) * 4).view(np.float32).reshape(shape)

    def __del__(self):
        self.is_live = False
        self._engine.contexts -= 1
        self.world.did("execution context freed")


def tensorrt_module(world):
    """`tensorrt`."""
    module = types.ModuleType("tensorrt")
    module.__spec__, module.__version__ = ModuleSpec("tensorrt", None), "11.4.0.106"
    module.world, module.ILogger, module.OnnxParser = world, ILogger, OnnxParser
    module.Builder, module.Runtime = lambda log: Builder(module), lambda log: Runtime(module)
    for name, members in {
        "BuilderFlag": "TF32 REQUIRE_USER_ALLOCATION",
        "TensorIOMode": "NONE INPUT OUTPUT",
        "DataType": "FLOAT HALF",
        "ExecutionContextAllocationStrategy": "STATIC ON_PROFILE_CHANGE USER_MANAGED",
    }.items():
        setattr(module, name, enum.Enum(name, members))
    return module


def tensorrt_rtx_module(world):
    """`tensorrt_rtx`."""
    module = tensorrt_module(world)
    module.__name__, module.__spec__, module.__version__ = "tensorrt_rtx", ModuleSpec("tensorrt_rtx", None), "1.7.1.116"
    module.ComputeCapability = enum.Enum("ComputeCapability", "NONE CURRENT SM75 SM89 SM120")
    module.DynamicShapesKernelSpecializationStrategy = enum.Enum("Strategy", "LAZY EAGER NONE")
    return module
