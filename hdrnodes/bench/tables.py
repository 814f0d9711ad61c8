"""The results as rows for a terminal, and as Markdown for a README."""

from __future__ import annotations

from collections.abc import Iterator

from hdrnodes.bench.cells import Cell, Measured, Peak, Results

HEADS = (
    "executor",
    "model",
    "part",
    "MP",
    "ms",
    "least",
    "CPU-s",
    "MP/s",
    "memory",
    "GFLOP",
    "bound by",
    "of it",
    "by CPU-s",
    "convolutions",
    "not inference",
)
UNKNOWN = "-"


def rows(results: Results) -> list[list[str]]:
    """A row per cell that was measured, under `HEADS`."""
    return [_row(one, results) for one in results.measured if one.visits]


def notes(results: Results) -> Iterator[str]:
    """A line on each peak, on what Hallucinate had to do, and on everything that was not measured."""
    for lane, peak in results.peaks.items():
        yield f"peak of {lane.executor}: {_peak(peak)}"
    for one in results.measured:
        if one.visits and one.cell.part == "hallucinate" and one.visits[0].fed is not None:
            fed = f"{one.visits[0].fed:.0%} of the frame's pixels"
            yield f"{one.cell}: fed {fed}, in tiles where something clipped, halos counted"
    yield from _absent(results)


def markdown(results: Results) -> str:
    """A table per way to run a model: parts down, sizes across; the other columns are of the largest size."""
    return "\n".join(
        line
        for lane, model in dict.fromkeys((one.cell.lane, one.cell.model) for one in results.measured if one.visits)
        for line in _table(
            [one for one in results.measured if (one.cell.lane, one.cell.model) == (lane, model)], results
        )
    )


def _table(cells: list[Measured], results: Results) -> Iterator[str]:
    lane, peak = cells[0].cell.lane, results.peaks.get(cells[0].cell.lane)
    sizes = sorted({(one.cell.megapixels, one.cell.width, one.cell.height) for one in cells})
    across = [f"{width} x {height}, ms" for _, width, height in sizes]
    threads = results.machine["threads"] if lane.threads is None else lane.threads
    setting = "" if lane.precision == "auto" else f", {lane.precision}"
    where = f"{results.machine['processor']}, {threads} threads"
    yield f"`{cells[0].cell.model}`, `{lane.executor}`{setting}, {where}; median (least):"
    yield ""
    heads = [
        "",
        *across,
        "CPU-s/MP",
        "GFLOP/MP",
        "memory",
        "of the peak that binds",
        "convolutions alone",
        "not inference",
    ]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for part in dict.fromkeys(one.cell.part for one in cells):
        by_size = {one.cell.width * one.cell.height: one for one in cells if one.cell.part == part and one.visits}
        if not by_size:
            continue
        times = [_milliseconds(by_size.get(width * height)) for _, width, height in sizes]
        largest = by_size[max(by_size)]
        megapixels = largest.cell.megapixels
        flop = largest.visits[0].flop / megapixels / 1e9
        columns = [
            part,
            *times,
            f"{largest.cpu / megapixels:.3f}",
            f"{flop:.3g}" if flop else UNKNOWN,
            _memory(largest),
            _share(largest, peak),
            _percent(largest.convolutions_of_peak(peak) if peak else None),
            _percent(results.not_inference(largest)),
        ]
        yield f"| {' | '.join(columns)} |"
        if part == "whole":
            rates = [_frames_per_second(by_size.get(width * height)) for _, width, height in sizes]
            yield f"| {' | '.join(['whole, frames a second', *rates, *[''] * (len(heads) - 1 - len(rates))])} |"
    yield ""
    if peak:
        yield f"Peak: {_peak(peak)}."
    for line in _absent(results):
        yield f"{line}."
    yield ""


def _row(one: Measured, results: Results) -> list[str]:
    cell, peak = one.cell, results.peaks.get(one.cell.lane)
    flop = one.visits[0].flop
    clock, cpu = one.of_bound(peak) if peak and flop_or_bytes(one) else (None, None)
    return [
        _executor(cell),
        cell.model,
        cell.part,
        f"{cell.megapixels:.3g}",
        f"{one.median * 1000:.0f}",
        f"{one.least * 1000:.0f}",
        f"{one.cpu:.2f}",
        f"{cell.megapixels / one.median:.2f}",
        _memory(one),
        f"{flop / 1e9:.1f}" if flop else UNKNOWN,
        one.bound(peak) if peak and flop_or_bytes(one) else UNKNOWN,
        _percent(clock),
        _percent(cpu),
        _percent(one.convolutions_of_peak(peak) if peak else None),
        _percent(results.not_inference(one)),
    ]


def flop_or_bytes(one: Measured) -> bool:
    """Whether there is anything to hold against a peak: of a command there is not."""
    return bool(one.visits[0].flop or one.visits[0].moved)


def _absent(results: Results) -> Iterator[str]:
    for name, why_not in results.executors.items():
        if why_not:
            yield f"{name} cannot run here: {why_not}"
    for one in results.measured:
        if one.problem:
            yield f"{one.cell}: {one.problem}"


def _executor(cell: Cell) -> str:
    return cell.lane.executor if cell.lane.precision == "auto" else f"{cell.lane.executor} {cell.lane.precision}"


def _milliseconds(one: Measured | None) -> str:
    return f"{one.median * 1000:.0f} ({one.least * 1000:.0f})" if one else UNKNOWN


def _frames_per_second(one: Measured | None) -> str:
    return f"{1 / one.median:.3g}" if one else UNKNOWN


def _memory(one: Measured) -> str:
    host = f"{one.memory / 1e9:.2f} GB" if one.memory else UNKNOWN
    return host if one.device_memory is None else f"{host}, GPU {one.device_memory / 1e9:.2f} GB"


def _share(one: Measured, peak: Peak | None) -> str:
    if peak is None or not flop_or_bytes(one):
        return UNKNOWN
    clock, cpu = one.of_bound(peak)
    by_cpu = "" if cpu is None else f" ({cpu:.0%} by CPU-s)"
    return f"{one.bound(peak)}, {clock:.0%}{by_cpu}"


def _peak(peak: Peak) -> str:
    return f"{peak.flop / 1e9:.0f} GFLOP/s ({peak.what}), {peak.moved / 1e9:.1f} GB/s (a copy)"


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share:.0%}"
