"""The report as a file: sections of pictures, each a file until the set is whole; then the page around them."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

import numpy as np
import OpenImageIO as oiio

from hdrnodes import __version__
from hdrnodes.metrics.base import Metric
from hdrnodes.metrics.evaluate import Scores
from hdrnodes.metrics.summary import Summary
from hdrnodes.report.html import Html, joined, tag
from hdrnodes.report.picture_section import Method, picture_section
from hdrnodes.report.pictures import ScenePictures
from hdrnodes.report.set_section import failed_section, set_section
from hdrnodes.report.tables import definitions, legend_of_metrics
from hdrnodes.whole_file import whole_file

# The page loads nothing, from nowhere: whoever gets one may open it without a thought.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

_NO_UTF8 = "backslashreplace"  # of names on old disks


@dataclass(frozen=True)
class Asked:
    """What was asked for: the protocol, with what it does, the metrics, and the command, as one would type it."""

    protocol: str
    metrics: Sequence[Metric]
    command: str


class Report(AbstractContextManager["Report"]):
    """Put a page together. What is added goes to a temporary folder at once: a picture is up to a megabyte."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._folder = TemporaryDirectory(ignore_cleanup_errors=True)
        self._sections: list[Path] = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def add(self, scene: ScenePictures, methods: Sequence[Method]) -> None:
        """Add a picture: of the result first, and of the other method where there is one.

        Raises:
            WriteError: the disk for temporary files is full; the report is then as it was before.
        """
        number = self._count + 1
        path = Path(self._folder.name) / f"{number}.html"
        section = f"{picture_section(number, scene, methods, self._asked.metrics)}\n"
        with whole_file(path) as temporary:
            temporary.write_text(section, encoding="utf-8", errors=_NO_UTF8, newline="\n")
        self._sections.append(path)

    def write(
        self,
        path: Path,
        methods: Sequence[tuple[str, Sequence[Scores]]],
        summaries: Mapping[str, Summary],
        failed: Sequence[tuple[str, str]] = (),
        overwrite: bool = False,
    ) -> None:
        """Write the page.

        Args:
            methods: names and scores, of the pictures that were added, in that order.
            summaries: what `summarise` made of them.
            failed: names of the others, and why.

        Raises:
            WriteError: the file exists, or cannot be written.
        """
        with whole_file(path, overwrite) as temporary:
            with temporary.open("w", encoding="utf-8", errors=_NO_UTF8, newline="\n") as file:
                file.writelines(self._page(methods, summaries, failed))

    def _page(
        self,
        methods: Sequence[tuple[str, Sequence[Scores]]],
        summaries: Mapping[str, Summary],
        failed: Sequence[tuple[str, str]],
    ) -> Iterator[str]:
        yield _opening(f"hdrnodes evaluation: {self._title(methods)}")
        yield tag("h1", "Evaluation of HDR reconstructions")
        yield definitions(self._facts(len(failed)))
        if failed:
            yield failed_section(failed)
        if self._count > 1:
            yield set_section(self._asked.metrics, methods, summaries)
        for section in self._sections:
            yield section.read_text(encoding="utf-8")
        yield tag("section", tag("h2", "The metrics"), legend_of_metrics(self._asked.metrics), id="metrics")
        yield f"</main><script>{_packaged('page.js')}</script></body></html>\n"

    @property
    def _count(self) -> int:
        return len(self._sections)

    def _title(self, methods: Sequence[tuple[str, Sequence[Scores]]]) -> str:
        return methods[0][1][0].name if self._count == 1 else _counted(self._count, self._count)

    def _facts(self, failed: int) -> list[tuple[str, str]]:
        versions = f"hdrnodes {__version__}, Python {platform.python_version()}, numpy {np.__version__}"
        return [
            ("compared", _counted(self._count, self._count + failed)),
            ("protocol", self._asked.protocol),
            ("command", self._asked.command),
            ("versions", f"{versions}, OpenImageIO {oiio.VERSION_STRING}"),
            ("written", datetime.now().astimezone().isoformat(" ", "seconds")),
        ]


def _counted(done: int, every: int) -> str:
    return f"{done} of {every} pictures" if done < every else "one picture" if done == 1 else f"{done} pictures"


def _opening(title: str) -> str:
    head = joined(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width"),
        tag("title", title),
        tag("style", Html(_packaged("page.css"))),
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body><main>\n'


def _packaged(name: str) -> str:
    return (files("hdrnodes.report") / "page" / name).read_text(encoding="utf-8")
