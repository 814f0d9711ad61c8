"""Which TensorRT is here: TensorRT 11, or TensorRT-RTX 1.7, which has the same API. What differs is in `Library`."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from hdrnodes.errors import ExecutorError

OLDEST = 11  # TensorRT before it has weakly typed networks, where the precision is not what the ONNX says
OLDEST_CARD = 75  # Turing
INSTALL_RTX = "pip install tensorrt-rtx-cu13-bindings tensorrt-rtx-cu13-libs"
INSTALL = "pip install tensorrt"
RTX_TARGETS = ("SM75", "SM80", "SM86", "SM89", "SM120", "SM121")  # of 1.7; here, so that asking imports nothing


@dataclass(frozen=True)
class Library:
    """TensorRT or TensorRT-RTX.

    Attributes:
        name: "TensorRT" or "TensorRT-RTX".
        module: the Python module.
    """

    name: str
    module: Any

    @property
    def version(self) -> str:
        return str(self.module.__version__)

    @property
    def is_rtx(self) -> bool:
        """Whether plans are finished on the card where they run: it needs no card to build, and times no kernels."""
        return self.name == "TensorRT-RTX"

    @property
    def targets(self) -> tuple[str, ...]:
        """What it builds for without a card: compute capabilities as SM75, SM80 ..."""
        if not self.is_rtx:
            return ()
        return tuple(name for name in self.module.ComputeCapability.__members__ if name.startswith("SM"))

    @cached_property
    def log(self) -> Any:
        """The logger, one for all: it keeps errors until `complaints` hands them out."""
        return _logger(self.module)

    def complaints(self) -> str:
        """What it said was wrong since this was last asked, on one line."""
        said = one_line("\n".join(self.log.errors))
        self.log.errors.clear()
        return said or "it does not say why"


def one_line(said: str) -> str:
    """What the library said, on one line, without what TensorRT-RTX adds to each complaint where there is no GPU."""
    lines = (" ".join(line.split()) for line in said.splitlines())
    return "; ".join(dict.fromkeys(line for line in lines if line and "catchCudaError" not in line))


def _logger(module: Any) -> Any:
    class Log(module.ILogger):  # type: ignore[misc] # a base class that is only known now
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.errors: deque[str] = deque(maxlen=20)

        def log(self, severity: Any, message: str) -> None:
            if severity in (module.ILogger.Severity.ERROR, module.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(message)

    return Log()


@cache
def tensorrt() -> Library | None:
    """TensorRT 11 or newer; None where it is not installed."""
    found = _tensorrt_major()
    return Library("TensorRT", import_module("tensorrt")) if found is not None and found >= OLDEST else None


@cache
def tensorrt_rtx() -> Library | None:
    """TensorRT-RTX; None where it is not installed."""
    modules = _rtx_modules()
    if not modules:
        return None
    return Library("TensorRT-RTX", [import_module(name) for name in modules][-1])


def why_no_library(target: str | None = None) -> str | None:
    """None where one is installed, by the packages alone: nothing is imported.

    Args:
        target: a card's compute capability, as "SM89"; None for any.
    """
    if target and int(target[2:]) < OLDEST_CARD:
        return f"the card is {target}; TensorRT needs SM{OLDEST_CARD} or newer"
    found = _tensorrt_major()
    if found is not None and found >= OLDEST:
        return None
    if _rtx_modules():
        if target in (None, *RTX_TARGETS):
            return None
        return f"TensorRT-RTX has nothing for {target}; {INSTALL}, which has, or take the torch executor"
    if found is not None:
        return f"TensorRT {found} is too old; pip install 'tensorrt>={OLDEST}'"
    return f"no TensorRT installed; {INSTALL}, or for RTX cards {INSTALL_RTX}"


def library_for(target: str) -> Library:
    """What runs on a card of that compute capability ("SM89"): TensorRT where it is installed, else TensorRT-RTX.

    Raises:
        ExecutorError: neither is installed, or it has nothing for such a card.
    """
    if reason := why_no_library(target):
        raise ExecutorError("executor tensorrt", f"cannot run here: {reason}", "or let --executor auto choose")
    try:
        library = tensorrt() or tensorrt_rtx()
    except (ImportError, OSError) as error:
        raise ExecutorError("TensorRT", f"cannot be loaded: {error}", "install it again") from error
    assert library is not None  # why_no_library
    return library


def _tensorrt_major() -> int | None:
    """The first number of TensorRT's version; `OLDEST` where nobody knows it, None where it is not installed."""
    if not find_spec("tensorrt"):
        return None
    return _major("tensorrt", "tensorrt_cu13", "tensorrt_cu12") or OLDEST


def _rtx_modules() -> tuple[str, ...]:
    """What to import of TensorRT-RTX, itself last; nothing where it is not installed."""
    wheels = "tensorrt_rtx_libs", "tensorrt_rtx_bindings"  # the first loads what the other links to
    for modules in (("tensorrt_rtx",), wheels):
        if all(map(find_spec, modules)):
            return modules
    return ()


def _major(*packages: str) -> int | None:
    """The first number of the version of whichever of these packages is installed; None where nobody knows."""
    for package in packages:
        try:
            return int(version(package).partition(".")[0])
        except (PackageNotFoundError, ValueError):
            continue
    return None
