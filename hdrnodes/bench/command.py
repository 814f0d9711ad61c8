"""The whole command, `hdrnodes reconstruct`, from its start to its end, as the system accounts for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from hdrnodes.bench.cells import Cell, Visit
from hdrnodes.bench.child import Failed


def visit_command(cell: Cell, plate: Path) -> Visit:
    """Measure it on `plate`.jpg, once: every run of a command is its first.

    Raises:
        Failed: it did not exit with 0; or the system does not account for it (Windows).
    """
    if not hasattr(os, "wait4"):
        raise Failed("is not measured here: the system does not tell the CPU time of a command")
    target = plate.with_suffix(".exr")
    arguments = [str(plate.with_suffix(".jpg")), "-o", str(target), "--overwrite", "--model", cell.model]
    arguments += ["--executor", cell.lane.executor]
    if cell.lane.precision != "auto":
        arguments += ["--precision", cell.lane.precision]
    if cell.lane.threads is not None:
        arguments += ["--threads", str(cell.lane.threads)]
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "hdrnodes", "reconstruct", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stderr is not None
        said = command.stderr.read()
        _, status, used = os.wait4(command.pid, 0)
        command.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    target.unlink(missing_ok=True)
    if command.returncode:
        raise Failed((said.strip().splitlines() or [f"ended with code {command.returncode}"])[-1])
    # ru_maxrss starts from what the process that called held: less than a command that runs networks.
    memory = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Visit([seconds], [used.ru_utime + used.ru_stime], None, memory)
