"""Which executor runs the networks here, and why not a better one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping

from hdrnodes.errors import ExecutorError
from hdrnodes.models import Network
from hdrnodes.runtime.executor import Executor, Settings
from hdrnodes.spelling import did_you_mean

# Best first. A GPU is faster than any CPU; on a CPU, OpenVINO is 1.7 to 2.8 times as fast as torch (measured).
ON_GPU = ("tensorrt", "torch")
ON_CPU = ("openvino", "torch")

log = logging.getLogger("hdrnodes")


class Choice:
    """The executor that was taken, and, of "auto", those that may come after it.

    Args:
        name: "auto", or that of an executor, which then is the only one.
        executors: all that there are, by name.

    Attributes:
        executor: the class that was taken.

    Raises:
        ExecutorError: there is none of that name, or it cannot run here.
    """

    def __init__(self, name: str, executors: Mapping[str, type[Executor]]) -> None:
        self._is_auto = name == "auto"
        self._passed_over: dict[str, str] = {}  # and why
        self._others = _best_first(executors) if self._is_auto else iter(_asked_for(name, executors))
        self.executor = self._next()

    @property
    def reason(self) -> str:
        """What was taken and why not the better ones, in one line."""
        asked_for = "" if self._is_auto else ", as asked for"
        return "; ".join([_called(self.executor) + asked_for, *self._why_not_others()])

    def load(self, network: Network, settings: Settings) -> Executor:
        """The network, loaded; where `auto` was asked for, and the executor that it took cannot load it, by the next
        best one, which is then the one taken. That is logged as a warning, in one line.

        Raises:
            ModelError: the files are not what their hashes say.
            ExecutorError: no executor can load it.
        """
        while True:
            try:
                return self.executor(network, settings)
            except ExecutorError as error:
                if not self._is_auto:
                    raise
                failed = _called(self.executor)
                self._passed_over[failed] = str(error)
                self.executor = self._next()
                log.warning("executor %s cannot be used (%s); takes %s", failed, error, _called(self.executor))

    def _next(self) -> type[Executor]:
        for candidate in self._others:
            reason = candidate.why_not()
            if reason is None:
                return candidate
            self._passed_over[_called(candidate)] = reason
        if self._is_auto:
            why_not = "; ".join(self._why_not_others()) or "none is installed"
            raise ExecutorError("executor auto", why_not, "pip install openvino")
        raise ExecutorError(f"executor {candidate.name}", f"cannot run here: {reason}", "or let --executor auto choose")

    def _why_not_others(self) -> list[str]:
        return [f"not {name}: {reason}" for name, reason in self._passed_over.items()]


def _best_first(executors: Mapping[str, type[Executor]]) -> Iterator[type[Executor]]:
    """Each is asked only when its turn comes: to ask a GPU of torch takes seconds."""
    for name in ON_GPU:
        if name in executors:
            executor = executors[name].on_gpu or executors[name]
            if executor.on_device:
                yield executor
    yield from (executors[name] for name in ON_CPU if name in executors)


def _asked_for(name: str, executors: Mapping[str, type[Executor]]) -> Iterable[type[Executor]]:
    if name not in executors:
        raise ExecutorError(f"executor {name}", "not known", did_you_mean(name, ["auto", *executors]))
    on_gpu = executors[name].on_gpu
    return [*([on_gpu] if on_gpu else []), executors[name]]


def _called(executor: type[Executor]) -> str:
    """Its name; and where it runs, of one that runs on both."""
    if executor.on_gpu is None:
        return executor.name
    return f"{executor.name} on the {'GPU' if executor.on_device else 'CPU'}"
