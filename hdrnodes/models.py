"""Model folders: trained weights, and what a runtime must know to use them.

    <name>/model.toml                   name, version, licence, the training record, and its stages
    <name>/<network>.onnx               one self-contained float32 graph per network, for every runtime
    <name>/<network>.fp16.onnx          the same with a trunk of half precision, float32 in and out, for GPUs
    <name>/<network>.safetensors        the same weights, for torch: to go on training, to export anew

A stage (dequantize, linearize, hallucinate, refine) has one network of its own name, or that and
`<stage>_overview`, which sees the whole frame made small. `networks.export.export_model` writes such folders.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hdrnodes.errors import ModelError

StageName = Literal["dequantize", "linearize", "hallucinate", "refine"]
MODEL_FILE = "model.toml"

# A plain name: a model folder must not be able to point at files outside itself.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HalfGraph(_Frozen):
    """The FP16 graph of a network, and what the audit of its ranges found (`hdrnodes.networks.range_audit`).

    Of a network of which nothing may be half it is the float32 graph, the same file, and was not audited.
    """

    onnx: FileName
    onnx_sha256: Sha256
    largest: float | None = None  # magnitude of anything in it; half ends at 65504
    largest_in: str | None = None  # which layer
    lost_share: float | None = None  # of a layer's values, zero or subnormal in half and not so in float32; at most
    lost_in: str | None = None
    error_rms: float | None = None  # of the output, against float32's, in its own units
    error_max: float | None = None


class Network(_Frozen):
    """One network of a stage: its files and their hashes, and where model.toml has it."""

    name: str
    architecture: str
    folder: Path
    inputs: Annotated[tuple[str, ...], Field(min_length=1)]
    output: str
    onnx: FileName
    onnx_sha256: Sha256
    safetensors: FileName
    safetensors_sha256: Sha256
    bytes_per_pixel: float = Field(1700, gt=0)  # of activations at a time, as float32; the hungriest known has 1660
    fp16: HalfGraph | None = None  # exports from before there were such have none
    batched: bool = False  # whether its graphs take several pictures at once; those of older exports take one
    config: dict[str, Any] = {}  # keyword arguments of the torch module

    @property
    def sees_whole_frame(self) -> bool:
        """Whether it is fed the whole frame, made small where its stage has an `overview`; others are fed tiles."""
        return self.name == "linearize" or self.name.endswith("_overview")

    def verified_onnx(self, precision: Literal["float32", "fp16"] = "float32") -> Path:
        """The path of the ONNX file in a precision.

        Raises:
            ModelError: there is none in that precision; it is not the file that model.toml describes.
        """
        if precision == "float32":
            return verify(self.folder / self.onnx, self.onnx_sha256)
        if self.fp16 is None:
            problem = f"has no FP16 graph of network {self.name}, being an older export"
            remedy = f"hdrnodes train export --from {self.folder} --overwrite"
            raise ModelError(self.folder / MODEL_FILE, problem, remedy)
        return verify(self.folder / self.fp16.onnx, self.fp16.onnx_sha256)

    def verified_safetensors(self) -> Path:
        """The path of the weights. Raises ModelError where they are not what model.toml describes."""
        return verify(self.folder / self.safetensors, self.safetensors_sha256)


class Stage(_Frozen):
    """One step of the way from photograph to scene-linear light, and how to cut a frame into tiles for it."""

    architecture: str  # a name that `hdrnodes.networks.build` knows
    multiple: int = Field(1, ge=1)  # pixels: tile origins and sizes fall on multiples of this
    halo: int = Field(0, ge=0)  # pixels of context that a tile needs on each side
    overview: int = Field(0, ge=0)  # > 0: the whole frame is reduced to this many pixels on its longer side
    networks: dict[str, Network]


class Model(_Frozen):
    """What a model folder holds. `Model.load(folder)` makes one."""

    name: str
    version: str
    licence: str
    description: str = ""
    training: dict[str, Any] = {}
    folder: Path
    stages: Annotated[dict[StageName, Stage], Field(min_length=1)]

    @model_validator(mode="after")
    def _every_stage_has_its_network(self) -> "Model":
        for name, stage in self.stages.items():
            allowed = {str(name), f"{name}_overview"}
            if name not in stage.networks or not allowed.issuperset(stage.networks):
                found = ", ".join(stage.networks) or "none"
                raise ValueError(f"stage {name} needs a network {name} (and may have {name}_overview), not {found}")
            if f"{name}_overview" in stage.networks and not stage.overview:
                raise ValueError(f"stage {name} has an overview network, so `overview` must be above 0")
        return self

    @classmethod
    def load(cls, folder: str | Path) -> "Model":
        """Read a model folder's description; its files must be there, their hashes are checked at first use.

        Raises:
            ModelError: no such folder; model.toml or a file missing; a key missing, unknown or wrong.
        """
        folder = Path(folder).absolute()
        path = folder / MODEL_FILE
        if not folder.is_dir():
            raise ModelError(folder, "no such model folder", "`hdrnodes doctor` lists the models that there are")
        try:
            description = tomllib.loads(path.read_text(encoding="utf-8"))
            model = cls.model_validate(_with_surroundings(description, folder))
        except FileNotFoundError as error:
            raise ModelError(folder, f"has no {MODEL_FILE}", "give the folder of a hdrnodes model") from error
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ModelError(path, f"cannot be read: {error}", "copy the model folder again") from error
        except ValidationError as error:
            raise ModelError(path, _first_problem(error), "was it written by this version of hdrnodes?") from error
        for network in model.networks():
            half = [network.fp16.onnx] if network.fp16 else []
            for file in (network.onnx, *half, network.safetensors):
                if not (folder / file).is_file():
                    raise ModelError(folder / file, "is missing", "copy the whole model folder again")
        return model

    def networks(self) -> list[Network]:
        """All networks of all stages."""
        return [network for stage in self.stages.values() for network in stage.networks.values()]

    def stage(self, name: str) -> Stage:
        """The stage of that name. Raises ModelError where the model has none."""
        for own, stage in self.stages.items():
            if own == name:
                return stage
        raise ModelError(f"model {self.name}", f"has no stage {name}", f"it has {', '.join(self.stages)}")


def _with_surroundings(description: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Tell each network its name, architecture and folder, which model.toml says once, around it."""
    stages = description.get("stages")
    for stage in stages.values() if isinstance(stages, dict) else ():
        networks = stage.get("networks") if isinstance(stage, dict) else None
        for name, network in networks.items() if isinstance(networks, dict) else ():
            if isinstance(network, dict):
                network |= {"name": name, "architecture": stage.get("architecture"), "folder": folder}
    return description | {"folder": folder}


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def verify(path: Path, sha256: str) -> Path:
    """Return `path` when the file's SHA-256 is the one given; else raise ModelError naming both."""
    try:
        found = file_sha256(path)
    except OSError as error:
        raise ModelError(path, f"cannot be read: {error.strerror}", "copy the model folder again") from error
    if found != sha256:
        problem = f"is not the file that model.toml describes (SHA-256 {found}, expected {sha256})"
        raise ModelError(path, problem, "refused; copy the model folder again from its source")
    return path


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashes_of(model: Model) -> dict[str, Any]:
    """What a picture's record says of a model: its name and version, and the hash of each network."""
    networks = {network.name: network.onnx_sha256 for network in model.networks()}
    return {"name": model.name, "version": model.version, "onnx_sha256": networks}


def engines_folder() -> Path:
    """The folder of the models that come with hdrnodes: in the package, or the checkout's."""
    package = Path(__file__).parent
    installed = package / "engines"
    return installed if installed.is_dir() else package.parent / "engines"


def find_models(extra: Iterable[Path] = ()) -> dict[str, Path]:
    """Models by name: the built-in ones, then those of `extra`, each a model folder or a folder of such.

    Nothing is loaded; a folder counts when it holds a model.toml, and its name is the model's.

    Raises:
        ModelError: two folders have one name.
    """
    models: dict[str, Path] = {}
    for place in (engines_folder(), *extra):
        folders = (
            [place] if (place / MODEL_FILE).is_file() else sorted(file.parent for file in place.glob(f"*/{MODEL_FILE}"))
        )
        for folder in folders:
            # A name that starts with a dot is an export that was cut off.
            if not folder.name.startswith(".") and models.setdefault(folder.name, folder) != folder:
                raise ModelError(folder, f"a model {folder.name} is in {models[folder.name]} too", "rename one")
    return models


def load_model(name: str, models: Mapping[str, Path]) -> Model:
    """Load the model of that name. Raises ModelError with the names there are when it is unknown."""
    if name not in models:
        known = ", ".join(sorted(models)) or "none is installed"
        raise ModelError(f"model {name}", "not found", f"give one of: {known}")
    return Model.load(models[name])
