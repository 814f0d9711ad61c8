"""`hdrnodes evaluate --report`: comparisons handed to the report one by one, while their pixels are there."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from click import Context, Option, Parameter
from click.core import ParameterSource

from hdrnodes.cli.evaluated import Evaluated
from hdrnodes.metrics.base import Metric
from hdrnodes.metrics.evaluate import Comparison
from hdrnodes.metrics.protocols import PROTOCOLS
from hdrnodes.metrics.summary import Summary
from hdrnodes.report.picture_section import Method
from hdrnodes.report.pictures import ScenePictures, draw_method, draw_scene
from hdrnodes.report.report import Asked, Report


def command_line(context: Context) -> str:
    """The command that runs, as one would type it again: what was given, and nothing that was left as it is."""
    words = ["hdrnodes", context.info_name or ""]
    for parameter in context.command.params:
        if context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE:
            words += _words(parameter, context.params.get(parameter.name or ""))
    return shlex.join(words)


def asked_for(protocol: str, metrics: Sequence[Metric], command: str) -> Asked:
    first, _, _ = (inspect.getdoc(PROTOCOLS[protocol]) or "").partition("\n\n")
    return Asked(f"{protocol}: {first}" if first else protocol, metrics, command)


@dataclass
class Reporter:
    """What becomes of a comparison in a report.

    Args:
        report: that it is for.
        other_name: of the other method: `baseline`, `other`.
    """

    report: Report
    other_name: str
    _scene: ScenePictures | None = field(default=None, init=False)
    _methods: list[Method] = field(default_factory=list, init=False)

    def look_at(self, comparison: Comparison) -> None:
        """Draw a comparison: of a picture the result's first, then the other method's."""
        if self._scene is None:
            self._scene = draw_scene(comparison)
        name = self.other_name if self._methods else "result"
        self._methods.append(Method(name, comparison.scores, draw_method(comparison, self._scene.white)))

    def keep(self) -> None:
        """Put what was drawn into the report. Raises WriteError where the disk has no room for it."""
        if self._scene:
            self.report.add(self._scene, self._methods)
        self.forget()

    def forget(self) -> None:
        """Of a picture that failed half-way."""
        self._scene, self._methods = None, []

    def write(self, path: Path, rows: Sequence[Evaluated], summaries: Mapping[str, Summary], overwrite: bool) -> None:
        """Write the report.

        Raises:
            WriteError: it cannot be written.
        """
        methods = [("result", [row.found for row in rows if row.found])]
        if others := [row.other for row in rows if row.other]:
            methods.append((self.other_name, others))
        failed = [(row.name, row.error) for row in rows if row.error]
        self.report.write(path, methods, summaries, failed, overwrite)


def _words(parameter: Parameter, value: object) -> list[str]:
    if not isinstance(parameter, Option):
        return [str(value)]
    flag = max(parameter.opts, key=len)
    if parameter.is_flag:
        return [flag]
    values = value if isinstance(value, tuple) else (value,)
    return [word for each in values for word in (flag, str(each))]
