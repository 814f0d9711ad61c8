"""A plan on the card: its engine, and an execution context for each set of shapes that it was asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hdrnodes.runtime.kept import keep, kept
from hdrnodes.runtime.tensorrt.device import Device
from hdrnodes.runtime.tensorrt.graphs import CaptureError, Graph
from hdrnodes.runtime.tensorrt.library import Library
from hdrnodes.runtime.tensorrt.profiles import Range, Shape, profile_for

KEPT = 8  # sets of shapes; a shot has one, a plate in tiles a few


class PlanError(Exception):
    """The plan is not one that this library and this card can load."""


class Engine:
    """Args:
        plan: its bytes.
        jit: where TensorRT-RTX keeps the kernels that it finishes on this card; None for nowhere.

    The device's context is current for this and for all methods.

    Raises:
        PlanError: what the library says of the plan.
        RuntimeError: what it says when it has loaded it.
    """

    def __init__(self, library: Library, device: Device, plan: bytes, jit: Path | None) -> None:
        module = library.module
        self._library, self._device, self._jit = library, device, jit
        self._runtime = module.Runtime(library.log)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            del self._runtime  # now: the error would hold it beyond the context
            raise PlanError(library.complaints())
        try:
            self._look()
        except BaseException:
            del self._engine  # likewise
            del self._runtime
            raise

    def _look(self) -> None:
        """See what the network takes and gives, and how its contexts are to be made."""
        module = self._library.module
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        mode = module.TensorIOMode.INPUT
        self.inputs = [name for name in names if self._engine.get_tensor_mode(name) == mode]
        self.outputs = [name for name in names if name not in self.inputs]
        self.only_float32 = all(self._engine.get_tensor_dtype(name) == module.DataType.FLOAT for name in names)
        profiles = range(self._engine.num_optimization_profiles)
        self._ranges: list[Mapping[str, Range]] = [
            {name: self._range(name, profile) for name in self.inputs} for profile in profiles
        ]
        self._config = self._engine.create_runtime_config()
        if self._config is None:
            raise RuntimeError(self._library.complaints())
        # Its memory for what is between the layers is ours: one for all stages, which run in turn.
        self._config.set_execution_context_allocation_strategy(module.ExecutionContextAllocationStrategy.USER_MANAGED)
        self._cache = self._take_kernels() if self._library.is_rtx else None
        self._ready: OrderedDict[tuple[tuple[str, Shape], ...], Ready] = OrderedDict()

    def ready(self, shapes: Mapping[str, Shape]) -> Ready | None:
        """The network, ready for inputs of these shapes; None where no profile holds them.

        Raises:
            RuntimeError: what the library says.
        """
        key = tuple(sorted(shapes.items()))
        if key not in self._ready:
            profile = profile_for(self._ranges, shapes)
            if profile is None:
                return None
            if len(self._ready) == KEPT:
                self._device.stream.synchronize()
                self._ready.popitem(last=False)[1].release()
            self._ready[key] = Ready(self._library, self._device, self._context(), profile, shapes, self.outputs[0])
        self._ready.move_to_end(key)
        return self._ready[key]

    def most(self, name: str) -> Shape:
        """The largest that an input may be, along each axis, in whichever profile allows most."""
        return tuple(max(sizes) for sizes in zip(*(allowed[name][2] for allowed in self._ranges), strict=True))

    def release(self) -> None:
        """Free everything on the card: graphs, then contexts, then the engine, then the runtime."""
        self._device.stream.synchronize()
        self._keep_kernels()
        for ready in self._ready.values():
            ready.drop_graph()
        while self._ready:
            self._ready.popitem()[1].release()
        del self._config, self._cache
        del self._engine
        del self._runtime

    def _range(self, name: str, profile: int) -> Range:
        least, best, most = (tuple(shape) for shape in self._engine.get_tensor_profile_shape(name, profile))
        return least, best, most

    def _context(self) -> Any:
        context = self._engine.create_execution_context(self._config)
        if context is None:
            raise RuntimeError(self._library.complaints())
        return context

    def _take_kernels(self) -> Any:
        """TensorRT-RTX finishes kernels for each new shape, at once, so that a CUDA graph has the good ones; kept ones
        are taken again."""
        self._config.dynamic_shapes_kernel_specialization_strategy = (
            self._library.module.DynamicShapesKernelSpecializationStrategy.EAGER
        )
        cache = self._config.create_runtime_cache()
        if self._jit and (known := kept(self._jit)):
            cache.deserialize(known)  # of another driver or card, it says no and stays empty
        self._config.set_runtime_cache(cache)
        return cache

    def _keep_kernels(self) -> None:
        if self._cache is not None and self._jit is not None and self._ready:
            keep(self._jit, bytes(memoryview(self._cache.serialize())))


class Ready:
    """A network ready for inputs of one set of shapes.

    It has an execution context of its own: a CUDA graph is only good while the context that it was made with stays as
    it was.

    Attributes:
        shape: of the output.
        scratch: bytes that it needs between its layers.
    """

    def __init__(
        self,
        library: Library,
        device: Device,
        context: Any,
        profile: int,
        shapes: Mapping[str, Shape],
        output: str,
    ) -> None:
        self._library, self._device, self._context = library, device, context
        stream = device.stream
        if not context.set_optimization_profile_async(profile, stream.handle):
            raise RuntimeError(library.complaints())
        stream.synchronize()
        for name, shape in shapes.items():
            if not context.set_input_shape(name, shape):
                raise RuntimeError(library.complaints())
        if missing := context.infer_shapes():
            raise RuntimeError(f"the shape of {', '.join(missing)} is not known")
        self.shape: Shape = tuple(context.get_tensor_shape(output))
        self.scratch: int = context.update_device_memory_size_for_shapes()
        self._place: tuple[int, ...] = ()
        self._graph: Graph | None = None
        self._may_capture = True

    def enqueue(self, scratch: int, addresses: Mapping[str, int]) -> None:
        """Put the network on the stream, from the second time on as one CUDA graph, where all is where it was.

        Args:
            scratch: the address of so many bytes.
            addresses: of each input and of the output, on the card; contiguous float32.

        Raises:
            RuntimeError: what the library says.
        """
        place = (self._device.generation, scratch, *addresses.values())
        if place != self._place:
            self._move(scratch, addresses)
            self._launch()
            self._place = place
            return
        if self._graph is None and self._may_capture:
            self._graph = self._capture()
        if self._graph is None:
            self._launch()
        else:
            self._graph.launch()

    def drop_graph(self) -> None:
        """Nothing of it is running any more."""
        if self._graph is not None:
            self._graph.destroy()
        self._graph = None

    def release(self) -> None:
        """Nothing of it is running any more."""
        self.drop_graph()
        del self._context

    def _move(self, scratch: int, addresses: Mapping[str, int]) -> None:
        if self._graph is not None:
            self._device.stream.synchronize()
            self.drop_graph()
        self._place = ()
        self._context.set_device_memory(scratch, self.scratch)
        for name, address in addresses.items():
            if not self._context.set_tensor_address(name, address):
                raise RuntimeError(self._library.complaints())

    def _launch(self) -> None:
        if not self._context.execute_async_v3(self._device.stream.handle):
            raise RuntimeError(self._library.complaints())

    def _capture(self) -> Graph | None:
        handle = self._device.stream.handle
        # TensorRT-RTX alone can be asked; of a network that cannot be captured, both refuse the capture.
        if self._library.is_rtx and not self._context.is_stream_capturable(handle):
            self._may_capture = False
            return None
        try:
            return Graph(handle, lambda: bool(self._context.execute_async_v3(handle)))
        except CaptureError:
            self._may_capture = False
            self._library.log.errors.clear()
            return None
