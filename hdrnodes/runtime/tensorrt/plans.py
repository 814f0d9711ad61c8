"""Plans on disk: built once for a network, a card and a library; found by what they were built from.

A plan's file is named after a hash of everything that it depends on, so that one that no longer fits is never found.
`hdrnodes compile` fills the same folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from hdrnodes.errors import ExecutorError
from hdrnodes.models import Network
from hdrnodes.runtime.kept import keep, kept
from hdrnodes.runtime.tensorrt.builder import build_plan
from hdrnodes.runtime.tensorrt.library import Library
from hdrnodes.runtime.tensorrt.profiles import profiles_of

log = logging.getLogger("hdrnodes")

FOLDER = "tensorrt"  # in the cache
UNKNOWN_DRIVER = "nvidia-smi does not tell the driver's version"


@dataclass(frozen=True)
class Card:
    """What a plan is built for.

    Attributes:
        target: compute capability, as "SM89".
        name: of the card; empty ahead of time.
        driver: its version, "580.65.06"; empty ahead of time, and where nobody knows it.
    """

    target: str
    name: str = ""
    driver: str = ""


@dataclass(frozen=True)
class Plan:
    """A network, to be had as a plan.

    Args:
        network: of a model folder.
        onnx: which of its ONNX files, and `sha256`, its hash.
        precision: "fp16" or "float32", for the name of the plan's file: the types are in the ONNX.
        library: what builds it, and `card`, for what.
        cache: the folder to keep it in; None for nowhere.
    """

    network: Network
    onnx: Path
    sha256: str
    precision: str
    library: Library
    card: Card
    cache: Path | None

    @property
    def key(self) -> str:
        """A hash of all that the plan's bytes depend on.

        TensorRT chooses kernels by timing them on one card under one driver. TensorRT-RTX leaves kernels to the card
        where the plan runs, so a plan of it is for any of that compute capability, and can be built ahead of time.
        """
        card = self.card
        built_from = {
            "onnx": self.sha256,
            "profiles": [asdict(profile) for profile in profiles_of(self.network)],
            "library": [self.library.name, self.library.version],
            "platform": [sys.platform, platform.machine()],
            "card": [card.target] if self.library.is_rtx else [card.target, card.name, card.driver],
        }
        return hashlib.sha256(json.dumps(built_from, sort_keys=True).encode()).hexdigest()

    @property
    def path(self) -> Path | None:
        """Where its file is, or would be; None where none is kept: without a cache, or of TensorRT where the driver's
        version is not known, and a plan might be found under another."""
        if self.cache is None or not (self.library.is_rtx or self.card.driver):
            return None
        model = self.network.folder.name
        name = f"{model}-{self.network.name}-{self.precision}-{self.card.target}-{self.key[:32]}.plan"
        return self.cache / FOLDER / name

    def load(self) -> bytes:
        """The plan: from the cache, else built, and kept there.

        Raises:
            ExecutorError: it cannot be built.
        """
        plan = self.path and kept(self.path)
        return plan or self.renew()

    def renew(self) -> bytes:
        """The plan, built anew; one that is in the cache is replaced.

        Raises:
            ExecutorError: it cannot be built.
        """
        if not self.library.is_rtx:
            text = "%s: TensorRT builds it for this card, %s; that takes a minute or more"
            log.warning(text, self.network.name, "once" if self.path else self._why_each_time())
        plan = self.build()
        if self.path is not None:
            keep(self.path, plan)
        return plan

    def _why_each_time(self) -> str:
        return f"at each start, for {'there is no cache' if self.card.driver else UNKNOWN_DRIVER}"

    def build(self) -> bytes:
        """Build the plan.

        Raises:
            ExecutorError: it cannot be built.
        """
        timing = self.path and self.path.with_name(f"{self.library.version}-{self.card.target}.timing")
        return build_plan(self.library, self.onnx, profiles_of(self.network), self.card.target, timing)


def onnx_of(network: Network, precision: str) -> tuple[Path, str, str]:
    """Which ONNX file of a network, its hash, and the precision of its insides.

    "auto" is fp16, but float32 for models that were exported before there was fp16.

    Raises:
        ExecutorError: there are none in that precision.
        ModelError: this model has none in that precision, or the file is not what model.toml describes.
    """
    if precision == "bf16":
        raise ExecutorError("executor tensorrt", "has no bf16", "take --precision fp16, or float32")
    if precision == "float32" or (precision == "auto" and network.fp16 is None):
        return network.verified_onnx(), network.onnx_sha256, "float32"
    onnx = network.verified_onnx("fp16")
    assert network.fp16 is not None  # verified_onnx
    return onnx, network.fp16.onnx_sha256, "fp16"
