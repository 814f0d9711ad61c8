"""ONNX -> plan: what TensorRT builds once, for one card, and runs ever after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hdrnodes.errors import ExecutorError
from hdrnodes.runtime.kept import keep, kept
from hdrnodes.runtime.tensorrt.library import Library, one_line
from hdrnodes.runtime.tensorrt.profiles import Profile, range_of


def build_plan(
    library: Library, onnx: Path, profiles: Sequence[Profile], target: str, timing: Path | None = None
) -> bytes:
    """Build a network for one kind of card.

    Networks are strongly typed: each layer has the precision that the ONNX says, and float32 is never TF32.

    Args:
        onnx: a self-contained file.
        target: the card's compute capability, as "SM89". TensorRT builds for the card here and no other.
        timing: where TensorRT keeps what it timed, for the next build; TensorRT-RTX times nothing.

    Raises:
        ExecutorError: it cannot take this file, names what it says of it, or cannot build for this target.
    """
    module = library.module
    library.log.errors.clear()
    try:
        builder = module.Builder(library.log)
        network = builder.create_network(0)
        parser = module.OnnxParser(network, library.log)
        parsed = parser.parse(onnx.read_bytes())
        if not parsed:
            raise _refused(library, onnx, _parser_errors(parser))
        config = _configure(library, builder, network, profiles, target)
        timed = timing is not None and not library.is_rtx and _use_timing(config, timing)
        plan = builder.build_serialized_network(network, config)
    except (RuntimeError, TypeError, ValueError) as error:  # what pybind11 makes of C++ exceptions
        raise _refused(library, onnx, str(error)) from error
    if plan is None:
        raise _refused(library, onnx, library.complaints())
    if timing is not None and timed:
        keep(timing, bytes(memoryview(config.get_timing_cache().serialize())))
    return bytes(memoryview(plan))


def _configure(library: Library, builder: Any, network: Any, profiles: Sequence[Profile], target: str) -> Any:
    module = library.module
    config = builder.create_builder_config()
    # Set from the start: 10 bits of a float32's 23 would be lost in every convolution that is meant to be exact.
    config.clear_flag(module.BuilderFlag.TF32)
    if library.is_rtx:
        config.num_compute_capabilities = 1
        config.set_compute_capability(module.ComputeCapability.__members__[target], 0)
        config.set_flag(module.BuilderFlag.REQUIRE_USER_ALLOCATION)  # or a CUDA graph cannot be captured
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    for profile in profiles:
        added = builder.create_optimization_profile()
        for tensor in inputs:
            if allowed := range_of(profile, tensor.name, tuple(tensor.shape)):
                added.set_shape(tensor.name, *allowed)
        if config.add_optimization_profile(added) < 0:
            raise ValueError(f"profile {profile.name}: {library.complaints()}")
    return config


def _use_timing(config: Any, timing: Path) -> bool:
    """Give the build what was timed before, on this card by this version."""
    timed = config.create_timing_cache(kept(timing) or b"")
    if timed is None or not config.set_timing_cache(timed, False):  # of another card, or damaged
        config.set_timing_cache(config.create_timing_cache(b""), False)
    return True


def _parser_errors(parser: Any) -> str:
    found = []
    for index in range(parser.num_errors):
        error = parser.get_error(index)
        where = " ".join(part for part in (error.node_operator(), error.node_name()) if part)
        found.append(f"{where}: {error.desc()}" if where else error.desc())
    return "\n".join(found)


def _refused(library: Library, onnx: Path, said: str) -> ExecutorError:
    problem = f"{library.name} {library.version} cannot build it: {one_line(said)[:400]}"
    return ExecutorError(onnx, problem, "take another --executor, or export the model again")
