"""What a run writes down: `losses.jsonl`, a line a step; `log.jsonl`, a line a validation. No step is in one twice."""

import json
import math
from pathlib import Path
from typing import Any

from hdrnodes.whole_file import cannot_write, whole_file

Line = dict[str, Any]


class Journal:
    """Both files of a run, cut back to the checkpoint that it goes on from.

    Args:
        folder: where they are.
        done: steps that the checkpoint has behind it; None where there is none, and the files start afresh.
    """

    def __init__(self, folder: Path, done: int | None) -> None:
        self.losses, self.log = folder / "losses.jsonl", folder / "log.jsonl"
        losses, log = (_cut(file, done) for file in (self.losses, self.log))
        validated = log[-1]["step"] if log else 0
        self._since = [line for line in losses if line["step"] > validated]

    def steps(self, lines: list[Line]) -> None:
        """Add steps: each has its `step`, its losses, `gradient_norm`, and `skipped` where it was left out."""
        self._since += lines
        _append(self.losses, lines)

    def validated(self, step: int, seconds: float, scores: dict[str, float]) -> Line:
        """Add a validation: the means of the losses since the last one, and the scores.

        Args:
            step: how many are done.
            seconds: that a step took.
            scores: of the averaged weights.

        Returns:
            The line.
        """
        losses = {key: round(value, 5) for key, value in means(self._since).items() if key != "step"}
        line: Line = {"step": step, "seconds_per_step": round(seconds, 4), **losses}
        line |= {f"validation_{key}": round(value, 5) for key, value in scores.items()}
        self._since = []
        _append(self.log, [line])
        return line


def means(lines: list[Line]) -> Line:
    """Of steps that were not left out: their losses; how many were left out, as `skipped`; the last one's `step`."""
    taken = [each for each in lines if "skipped" not in each]
    keys = [key for key in taken[0] if key != "step"] if taken else []
    found: Line = {key: sum(each[key] for each in taken) / len(taken) for key in keys}
    if skipped := len(lines) - len(taken):
        found["skipped"] = skipped
    return found | {"step": lines[-1]["step"]} if lines else found


def _append(file: Path, lines: list[Line]) -> None:
    finite = ({k: v if math.isfinite(v) else None for k, v in line.items()} for line in lines)
    try:
        with file.open("a") as opened:
            opened.write("".join(json.dumps(line) + "\n" for line in finite))
    except OSError as error:
        raise cannot_write(file, error) from error


def _cut(file: Path, done: int | None) -> list[Line]:
    """Keep what is not beyond `done`; a kill may have left half a line at the end."""
    if not file.exists():
        return []
    text = file.read_text().splitlines(keepends=True)
    kept = [line for line in text if done is not None and line.endswith("\n") and json.loads(line)["step"] <= done]
    if kept != text:
        with whole_file(file, overwrite=True) as temporary:
            temporary.write_text("".join(kept))
    return [{k: math.nan if v is None else v for k, v in json.loads(line).items()} for line in kept]
