"""Curves in files: .csv for people and spreadsheets, .spi1d and .cube for OCIO and every grading program."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hdrnodes.errors import ReadError, WriteError
from hdrnodes.image import Pixels
from hdrnodes.whole_file import whole_file

LONGEST = 1 << 20  # samples; a curve file of a gigabyte is none
REMEDY = "give a .csv, .spi1d or .cube as `hdrnodes curve` writes it"

Samples = npt.NDArray[np.float64]


def save_samples(samples: Pixels, path: Path, overwrite: bool = False) -> None:
    """Write 1 x S or 3 x S samples in the format of the file's name; nothing is left behind on an error."""
    try:
        as_text = {".csv": _csv, ".spi1d": _spi1d, ".cube": _cube}[path.suffix.lower()]
    except KeyError:
        raise WriteError(
            path, f"curves are not written as {path.suffix or 'that'}", "choose .csv, .spi1d, .cube"
        ) from None
    with whole_file(path, overwrite) as temporary:
        temporary.write_text(as_text(samples), encoding="ascii", newline="\n")


def load_samples(path: Path) -> Pixels:
    """1 x S or 3 x S samples at evenly spaced display values, from 0 to 1."""
    parsers: dict[str, Callable[[list[str]], Samples]] = {
        ".csv": _parse_csv,
        ".spi1d": _parse_spi1d,
        ".cube": _parse_cube,
    }
    if path.suffix.lower() not in parsers:
        raise ReadError(path, f"curves are not read from {path.suffix or 'that'}", REMEDY)
    try:
        if path.stat().st_size > 100 * LONGEST:
            raise ReadError(path, "is too long for a curve", REMEDY)
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise ReadError(path, "does not exist", "check the path") from error
    except IsADirectoryError as error:
        raise ReadError(path, "is a folder", REMEDY) from error
    except UnicodeDecodeError as error:
        raise ReadError(path, "is not text", REMEDY) from error
    except ReadError:
        raise
    except OSError as error:
        raise ReadError(path, f"cannot be read ({error.strerror})", "check its permissions") from error
    try:
        return parsers[path.suffix.lower()](lines).astype(np.float32)
    except (ValueError, IndexError, KeyError, csv.Error) as error:
        raise ReadError(path, f"is no curve ({_one_line(error)})", REMEDY) from error


def _csv(samples: Pixels) -> str:
    names = ["display", "linear"] if len(samples) == 1 else ["display", "linear_r", "linear_g", "linear_b"]
    display = np.linspace(0, 1, samples.shape[1])
    rows = (",".join(f"{value:.9g}" for value in row) for row in zip(display, *samples, strict=True))
    return "\n".join([",".join(names), *rows, ""])


def _spi1d(samples: Pixels) -> str:
    head = ["Version 1", "From 0 1", f"Length {samples.shape[1]}", f"Components {len(samples)}", "{"]
    return "\n".join([*head, *_rows(samples), "}", ""])


def _cube(samples: Pixels) -> str:
    head = [
        'TITLE "inverse camera response"',
        f"LUT_1D_SIZE {samples.shape[1]}",
        "DOMAIN_MIN 0 0 0",
        "DOMAIN_MAX 1 1 1",
    ]
    return "\n".join([*head, *_rows(np.broadcast_to(samples, (3, samples.shape[1]))), ""])


def _rows(samples: Pixels) -> list[str]:
    return [" ".join(f"{value:.9g}" for value in row) for row in samples.T]


def _parse_csv(lines: list[str]) -> Samples:
    names, *rows = [row for row in csv.reader(lines) if row and not row[0].startswith("#")]
    names = [name.strip().lower() for name in names]
    table = _table(rows)  # S, columns
    columns = [names.index(name) for name in ("linear", "linear_r", "linear_g", "linear_b") if name in names]
    if not columns:
        raise ValueError("no column is called linear")
    display = table[:, names.index("display")]
    return _evenly_spaced(display, table[:, columns].T)


def _parse_spi1d(lines: list[str]) -> Samples:
    """Source: OpenColorIO, FileFormatSpi1D.cpp."""
    start, end = lines.index("{"), lines.index("}")
    head = {words[0].lower(): words[1:] for words in (line.split() for line in lines[:start]) if words}
    table = _table([line.split() for line in lines[start + 1 : end] if line.strip()])
    low, high = map(float, head["from"])
    length, components = int(head["length"][0]), int(head["components"][0])
    if table.shape != (length, components):
        raise ValueError(f"{table.shape[0]} rows of {table.shape[1]}, not {length} of {components}")
    return _evenly_spaced(np.linspace(low, high, length), table.T)


def _parse_cube(lines: list[str]) -> Samples:
    """Source: Adobe, Cube LUT Specification 1.0; LUT_1D_INPUT_RANGE is Resolve's."""
    head: dict[str, list[str]] = {}
    rows = []
    for words in (line.split() for line in lines if line.strip() and not line.startswith("#")):
        if words[0][0].isalpha():
            head[words[0]] = words[1:]
        else:
            rows.append(words)
    if "LUT_3D_SIZE" in head:
        raise ValueError("a LUT of three dimensions")
    table = _table(rows)
    if len(table) != int(head["LUT_1D_SIZE"][0]):
        raise ValueError(f"{len(table)} rows, not {head['LUT_1D_SIZE'][0]}")
    low, high = head.get("LUT_1D_INPUT_RANGE") or (head.get("DOMAIN_MIN", ["0"])[0], head.get("DOMAIN_MAX", ["1"])[0])
    samples = _evenly_spaced(np.linspace(float(low), float(high), len(table)), table.T)
    return samples[:1] if (samples == samples[0]).all() else samples


def _table(rows: list[Any]) -> Samples:
    if not 2 <= len(rows) <= LONGEST:
        raise ValueError(f"{len(rows)} rows")
    return np.array(rows, np.float64)


def _evenly_spaced(display: Samples, samples: Samples) -> Samples:
    """Samples at display values from 0 to 1 in even steps, as many as there are."""
    if not (np.diff(display) > 0).all() or display[0] > 1e-6 or display[-1] < 1 - 1e-6:
        raise ValueError("its display values do not rise from 0 to 1")
    even = np.linspace(0, 1, len(display))
    if np.allclose(display, even, rtol=0, atol=1e-6):
        return samples
    return np.stack([np.interp(even, display, row) for row in samples])


def _one_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
