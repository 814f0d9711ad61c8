"""How many pictures are made at a time, and that the threads of one do not get in the way of another's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import OpenImageIO as oiio

from hdrnodes import frames
from hdrnodes.cli.finished import upright_size
from hdrnodes.machine import cores
from hdrnodes.runtime import Runtime
from hdrnodes.runtime.memory import least_memory

READ_COMPUTED_WRITTEN = 3


def make_room(plates: Iterable[Path], models: Iterable[str], runtime: Runtime) -> int:
    """How many pictures to have under way: one read, one in the networks, one written, as far as memory goes.

    Where the networks leave cores free, or each picture has a part of them to itself, as many as keep the cores busy.
    What the others take is kept from the runtime, and OpenImageIO from the cores of networks.

    Args:
        plates: a file for each picture.
        models: what is run on them.
        runtime: that has not run yet.

    Raises:
        ModelError, ExecutorError: as `Runtime.model`.
    """
    sizes = [size for size in map(upright_size, plates) if size]
    on_cpu = runtime.executor.free_memory() is None
    count = 1
    if len(sizes) > 1:
        memory = runtime.settings.memory or int(frames.SHARE * frames.available())
        described = [runtime.model(name) for name in models]
        least = max(map(least_memory, described), default=0) if on_cpu else 0  # of this machine's memory
        frame = 3 * 4 * max(width * height for width, height in sizes)
        most = READ_COMPUTED_WRITTEN
        if not on_cpu or runtime.settings.hint == "throughput":
            most = max(most + 1, (runtime.settings.threads or cores()) // 2)
        most = min(most, len(sizes))
        one = frames.in_memory(frame, memory)
        for each in range(2, most + 1):
            if frames.in_memory(each * frame, memory) and memory - (each - 1) * one >= least:
                count = each
        if count > 1:
            runtime.settings = replace(runtime.settings, memory=memory - (count - 1) * one)
    threads = 1 if count > 1 and on_cpu else runtime.settings.threads or 0  # 0 is all cores
    oiio.attribute("threads", threads)
    oiio.attribute("exr_threads", threads)
    return count
