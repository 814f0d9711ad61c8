"""How much less `default` costs than the graph that Liu et al. published (CVPR 2020), in torch eager.

    python benchmarks/against_published.py [--executor openvino] [--size 0.5] [--threads 2] [--repeats 3]

The published graph has random weights here, which cost the same. Both take turns, as in `hdrnodes bench`, so that the
ratio holds on a busy machine. Needs the `train` extra.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import torch

from hdrnodes.bench.cells import STAGES, Cell, Lane, Measured, Results, size_of
from hdrnodes.bench.machine import this_machine
from hdrnodes.bench.rounds import measure
from hdrnodes.bench.tables import markdown, notes
from hdrnodes.networks.export import export_model
from hdrnodes.networks.import_checkpoint import published_stages
from hdrnodes.networks.published import Published
from hdrnodes.plugins import PATH_VARIABLE

PLUGINS = Path(__file__).parent / "plugins"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executor", default="openvino", help="of default")
    parser.add_argument("--size", type=float, default=0.5, help="of the plate, megapixels")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    # Each measurement is a process of its own, and finds the plugin as this one would.
    os.environ[PATH_VARIABLE] = str(PLUGINS)
    with tempfile.TemporaryDirectory() as folder:
        published = export_model(
            Path(folder) / "published",
            "published",
            "0",
            "-",
            "random weights",
            {},
            published_stages(Published()),
            plates=[torch.rand(1, 3, 64, 64)],  # half precision is not run here: audited on next to nothing
        ).folder
        ours = Lane(options.executor, threads=options.threads)
        theirs = Lane("torch-eager", threads=options.threads)
        cells = [
            Cell(lane, model, part, *size_of(options.size))
            for part in (*STAGES, "whole")
            for lane, model in ((ours, "default"), (theirs, str(published)))
        ]
        results = Results(this_machine(), {})
        measure(cells, options.repeats, Path(folder), results, lambda text: say(text, sys.stderr))
    for line in notes(results):
        say(line, sys.stderr)
    say(markdown(results))
    ratios(*[one for one in results.measured if one.cell.part == "whole"])


def ratios(ours: Measured, theirs: Measured) -> None:
    """The ratio of whole to whole; of the networks, where that is known."""
    if not (ours.visits and theirs.visits):
        sys.exit("there is no ratio: a whole could not be measured")
    say(f"whole: {theirs.least / ours.least:.1f} times by the clock, {theirs.cpu / ours.cpu:.1f} times by CPU-seconds")
    if ours.inference and theirs.inference:
        say(f"networks alone: {theirs.inference / ours.inference:.1f} times by the clock")


def say(line: str, file=sys.stdout) -> None:
    file.write(line + "\n")
    file.flush()


if __name__ == "__main__":
    main()
