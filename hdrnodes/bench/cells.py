"""What is measured, a cell at a time, and what comes out."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hdrnodes.runtime.inputs import STAGE_INPUTS

Precision = Literal["auto", "float32", "fp16", "bf16"]
STAGES = tuple(STAGE_INPUTS)
FILES = ("files", "command")
PARTS = (*STAGES, "whole", *FILES)
ABOUT = {
    **{stage: "the stage's networks, in tiles" for stage in STAGES},
    "whole": "all four nodes: from a decoded 8-bit frame to a half-float frame, in memory",
    "files": "the same from a JPEG to an EXR, in a process that has its networks ready",
    "command": "`hdrnodes reconstruct` on that JPEG, from its start to its end",
}
VIDEO_SIZES = {0.5: (960, 540), 2: (1920, 1080), 8: (3840, 2160), 33: (7680, 4320)}


def size_of(megapixels: float) -> tuple[int, int]:
    """Width and height of a 16:9 frame; of 0.5, 2, 8 and 33 megapixels those that video has.

    >>> size_of(8), size_of(1)
    ((3840, 2160), (1333, 750))
    """
    height = (megapixels * 1e6 * 9 / 16) ** 0.5
    return VIDEO_SIZES.get(megapixels, (max(1, round(height * 16 / 9)), max(1, round(height))))


@dataclass(frozen=True)
class Lane:
    """How networks are run."""

    executor: str
    precision: Precision = "auto"
    threads: int | None = None


@dataclass(frozen=True)
class Cell:
    """One thing to measure: a part of the work, on a plate of one size."""

    lane: Lane
    model: str
    part: str
    width: int
    height: int

    @property
    def megapixels(self) -> float:
        return self.width * self.height / 1e6

    def __str__(self) -> str:
        return f"{self.lane.executor}, {self.model}, {self.part}, {self.megapixels:.2g} MP"


@dataclass(frozen=True)
class Visit:
    """What one process found of a cell. Seconds are of runs after the first.

    Args:
        seconds: on the clock; of a GPU by its events.
        cpu_seconds: of all threads.
        inference: seconds inside the executor; None where it is not told apart.
        memory: bytes of the process at its fullest, during the first run; None where the system does not say.
        device_memory: bytes of the GPU; None on a CPU.
        flop, moved: of one run: operations of convolutions and products, and the bytes that they, and the stages, must
            read and write once.
        convolutions: seconds of one run that go to convolutions and products, by OpenVINO's profile; None elsewhere.
        fed: pixels that the stage's network was fed, halos and all, for each of the frame; None but for a stage.
    """

    seconds: list[float]
    cpu_seconds: list[float]
    inference: list[float] | None = None
    memory: int | None = None
    device_memory: int | None = None
    flop: float = 0
    moved: float = 0
    convolutions: float | None = None
    fed: float | None = None


@dataclass(frozen=True)
class Peak:
    """What the machine does at best.

    Args:
        flop, flop_cpu: floating-point operations in a second on the clock, and in a CPU-second; None on a GPU.
        moved, moved_cpu: bytes read and written by a copy, likewise.
        what: the work that was fastest.
    """

    flop: float
    flop_cpu: float | None
    moved: float
    moved_cpu: float | None
    what: str

    def or_better(self, other: Peak) -> Peak:
        """The better of each."""
        return Peak(
            max(self.flop, other.flop),
            _larger(self.flop_cpu, other.flop_cpu),
            max(self.moved, other.moved),
            _larger(self.moved_cpu, other.moved_cpu),
            max(self, other, key=lambda peak: peak.flop).what,
        )


@dataclass
class Measured:
    """All that was found of a cell: one visit a round, or why there is none."""

    cell: Cell
    visits: list[Visit] = field(default_factory=list)
    problem: str | None = None

    @property
    def seconds(self) -> list[float]:
        return [seconds for visit in self.visits for seconds in visit.seconds]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def least(self) -> float:
        return min(self.seconds)

    @property
    def cpu(self) -> float:
        """CPU-seconds, the least."""
        return min(seconds for visit in self.visits for seconds in visit.cpu_seconds)

    @property
    def inference(self) -> float | None:
        """Seconds inside the executor, the median."""
        found = [seconds for visit in self.visits for seconds in visit.inference or ()]
        return statistics.median(found) if found else None

    @property
    def memory(self) -> int | None:
        return max((visit.memory for visit in self.visits if visit.memory), default=None)

    @property
    def device_memory(self) -> int | None:
        return max((visit.device_memory for visit in self.visits if visit.device_memory), default=None)

    def convolutions_of_peak(self, peak: Peak) -> float | None:
        """The share of the arithmetic peak that the convolutions reach while they run; None where that is not known, or
        where there are too few of them to bind."""
        if self.bound(peak) != "arithmetic":
            return None
        seconds = min((visit.convolutions for visit in self.visits if visit.convolutions), default=None)
        return None if seconds is None else self.visits[0].flop / seconds / peak.flop

    def bound(self, peak: Peak) -> str:
        """What binds: "arithmetic" or "bandwidth", whichever takes longer at its peak."""
        visit = self.visits[0]
        return "arithmetic" if visit.flop / peak.flop >= visit.moved / peak.moved else "bandwidth"

    def of_bound(self, peak: Peak) -> tuple[float, float | None]:
        """The share of the peak that binds: by the clock (the least seconds), and by CPU-seconds (None on a GPU)."""
        visit = self.visits[0]
        if self.bound(peak) == "arithmetic":
            amount, clock, cpu = visit.flop, peak.flop, peak.flop_cpu
        else:
            amount, clock, cpu = visit.moved, peak.moved, peak.moved_cpu
        return amount / clock / self.least, None if cpu is None or not self.cpu else amount / cpu / self.cpu


def _larger(one: float | None, other: float | None) -> float | None:
    return max((rate for rate in (one, other) if rate is not None), default=None)


@dataclass
class Results:
    """A whole run, as far as it got.

    Args:
        machine: processor, cores, memory, GPU, and the versions of what ran.
        executors: name -> why it cannot run here, or None.
        peaks: of each way to run networks.
        measured: the cells, in order.
    """

    machine: dict[str, Any]
    executors: dict[str, str | None]
    peaks: dict[Lane, Peak] = field(default_factory=dict)
    measured: list[Measured] = field(default_factory=list)

    def not_inference(self, one: Measured) -> float | None:
        """The share of a cell's seconds that is not spent in networks; None where that is not known.

        Of "command" it is by the networks' seconds in "files", of the same round.
        """
        inference = one.inference
        if one.cell.part == "command":
            same = (one.cell.lane, one.cell.model, one.cell.width, one.cell.height)
            for other in self.measured:
                cell = other.cell
                if cell.part == "files" and (cell.lane, cell.model, cell.width, cell.height) == same:
                    inference = other.inference
        if inference is None or one.cell.part in STAGES or not one.visits:
            return None
        return max(0.0, 1 - inference / one.median)

    def as_json(self) -> dict[str, Any]:
        """For scripts. Seconds, bytes, operations; shares are 0..1; what is not known is null.

        machine     {processor, cores, threads, memory, gpu, system, date, versions: {name: version}}
        executors   [{name, why_not}]
        peaks       [{executor, precision, threads, flop, flop_cpu, moved, moved_cpu, what}], a second or CPU-second
        cells       [{executor, precision, threads, model, part, width, height, problem, seconds: [...], median, least,
                    cpu_seconds, megapixels_per_second, frames_per_second, memory, device_memory, flop, moved, fed,
                    inference, not_inference, convolutions_of_peak, bound, of_bound, of_bound_cpu}], fields as in
                    `Visit`, `Measured`, `Peak`
        """
        return {
            "machine": self.machine,
            "executors": [{"name": name, "why_not": why_not} for name, why_not in self.executors.items()],
            "peaks": [{**asdict(lane), **asdict(peak)} for lane, peak in self.peaks.items()],
            "cells": [self._cell_as_json(one) for one in self.measured],
        }

    def _cell_as_json(self, one: Measured) -> dict[str, Any]:
        cell = one.cell
        about = {**asdict(cell.lane), "model": cell.model, "part": cell.part}
        about |= {"width": cell.width, "height": cell.height, "problem": one.problem}
        if not one.visits:
            return about
        first, peak = one.visits[0], self.peaks.get(cell.lane)
        clock, cpu = one.of_bound(peak) if peak else (None, None)
        return about | {
            "seconds": one.seconds,
            "median": one.median,
            "least": one.least,
            "cpu_seconds": one.cpu,
            "megapixels_per_second": cell.megapixels / one.median,
            "frames_per_second": 1 / one.median,
            "memory": one.memory,
            "device_memory": one.device_memory,
            "flop": first.flop,
            "moved": first.moved,
            "fed": first.fed,
            "inference": one.inference,
            "not_inference": self.not_inference(one),
            "convolutions_of_peak": one.convolutions_of_peak(peak) if peak else None,
            "bound": one.bound(peak) if peak else None,
            "of_bound": clock,
            "of_bound_cpu": cpu,
        }
