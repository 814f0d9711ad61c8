"""Recipes: what the stages of a model are trained with, shipped as `recipes/<model>.toml`.

    recipe = load_recipe("default", Path("my.toml"))      # my.toml says what differs
    recipe.hallucinate.weights.peak

A weight of 0 leaves a loss term out: it is not computed.
"""

import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hdrnodes.errors import TrainingError
from hdrnodes.spelling import did_you_mean
from hdrnodes.training.loop import Precision, Schedule
from hdrnodes.training.plates import PlateOptions

RECIPES = Path(__file__).with_name("recipes")
Sees = Literal["truth", "plate"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StageRecipe(_Part):
    """What every stage has."""

    steps: int = Field(ge=1)
    batch: int = Field(ge=1, description="Plates in a step, of each process.")
    rate: float = Field(gt=0, description="The highest.")
    weight_decay: float = Field(default=0.01, ge=0)
    warm_up: int = Field(default=100, ge=0, description="Steps in which the rate rises.")
    average: float = Field(default=0.998, ge=0, lt=1, description="How much of the averaged weights a step keeps.")
    validate_every: int = Field(ge=1, description="Steps.")
    precision: Precision = "bf16"
    extremes: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="A plate does not count if more than this share is black (grey 6 and below, of 255) or white "
        "(249 and above).",
    )
    plates: PlateOptions

    def schedule(self, seed: int) -> Schedule:
        """As the loop takes it."""
        return Schedule(
            steps=self.steps,
            rate=self.rate,
            weight_decay=self.weight_decay,
            warm_up=self.warm_up,
            average=self.average,
            validate_every=self.validate_every,
            seed=seed,
        )


class DequantizeWeights(_Part):
    squared: float = Field(default=0.0, description="L2, of display values.")
    share: float = Field(default=0.0, description="Root of each plate's error, against what it was in the plate.")
    worse: float = Field(
        default=0.0, description="What of `share` is above 1: plates are to be left as they are first."
    )


class LinearizeWeights(_Part):
    picture: float = Field(default=0.0, description="L2 of the linear picture.")
    curve: float = Field(default=0.0, description="L2 of the curve.")
    curve_root: float = Field(default=0.0, description="Root of each plate's L2 of the curve.")
    stops: float = Field(default=0.0, description="L1 of the linear picture in stops, where it did not clip.")


class HallucinateWeights(_Part):
    log: float = Field(default=0.0, description="L1 of log(1 + 10 light) / log 11.")
    squared: float = Field(default=0.0, description="L2 in stops.")
    tv: float = Field(default=0.0, description="Total variation of log(1 + 10 light) / log 11.")
    perceptual: float = Field(default=0.0, description="L1 of VGG16's pool1, pool2, pool3 of the tone-mapped picture.")
    peak: float = Field(default=0.0, description="L2, in stops, of the brightest of each 16 x 16 pixels.")
    texture: float = Field(default=0.0, description="L1, in stops, of how much light varies around each place.")


class JointWeights(_Part):
    """One a stage; the terms of each are weighted as in its own recipe."""

    dequantize: float = 1.0
    linearize: float = 1.0
    hallucinate: float = 1.0


class RefineWeights(_Part):
    log: float = Field(default=0.0, description="L1 of log(1 + 10 light) / log 11, after both have a mean of 0.5.")
    stops: float = Field(default=0.0, description="L1 in stops, after both have one median where nothing clipped.")


class DequantizeRecipe(StageRecipe):
    weights: DequantizeWeights


class LinearizeRecipe(StageRecipe):
    weights: LinearizeWeights
    sees: Sees = Field(description="The picture before noise, rounding and JPEG, or the plate.")
    kept: int = Field(
        default=0,
        ge=0,
        description="Plates drawn before the first step, of which the network's numbers are kept and trained on again "
        "and again; 0: new plates in each step.",
    )
    drawn_at_once: int = Field(default=16, ge=1, description="Of those that are kept.")

    @model_validator(mode="after")
    def _kept_numbers_have_no_pixels(self) -> "LinearizeRecipe":
        if self.kept and (self.weights.picture or self.weights.stops):
            raise ValueError("`picture` and `stops` need the plates' pixels: give them no weight, or keep nothing")
        return self


class HallucinateRecipe(StageRecipe):
    weights: HallucinateWeights
    sees: Sees = Field(description="Clipped light, or the plate through its true curve.")
    bend: float = Field(default=0.0, ge=0, description="Spread of the log of a power that bends what it sees.")
    over: Literal["clipped", "frame"] = Field(description="What the loss is a mean over.")
    perceptual_share: float = Field(default=1.0, gt=0, le=1, description="Of a step's plates, those that VGG16 sees.")
    perceptual_reduced: int = Field(default=1, ge=1, description="How many pixels each way become one for VGG16.")


class JointRecipe(StageRecipe):
    weights: JointWeights


class RefineRecipe(StageRecipe):
    weights: RefineWeights
    end_to_end: bool = Field(description="Whether the stages before it are trained with it.")
    real: float = Field(default=0.5, ge=0, le=1, description="Of a step's plates, those of --pairs, where it is given.")


class ValidationOptions(_Part):
    """The plates that each stage is scored on while it is trained."""

    views: int = Field(default=3, ge=1, description="Of each scene.")
    collages: int = Field(default=0, ge=0, description="Besides, with each scene in it; see `PlateOptions.collages`.")
    size: tuple[int, int] = Field(default=(384, 512), description="Height and width, pixels.")


class Recipe(_Part):
    """Of a model: a part a stage."""

    validation: ValidationOptions
    dequantize: DequantizeRecipe
    linearize: LinearizeRecipe
    hallucinate: HallucinateRecipe
    joint: JointRecipe
    refine: RefineRecipe


def load_recipe(model: str, config: Path | None = None) -> Recipe:
    """The recipe that is shipped for a model, with what a TOML file says in place of parts of it.

    Raises:
        TrainingError: the file cannot be read, or has a key that no recipe has, or a value that is not allowed; names
            file and key.
    """
    shipped = RECIPES / f"{model}.toml"
    values = _read(shipped)
    if config is None:
        return Recipe.model_validate(values)
    try:
        return Recipe.model_validate(_changed(values, _read(config)))
    except ValidationError as error:
        raise _first_problem(config, error) from error


def as_of_today(recorded: dict[str, Any]) -> dict[str, Any]:
    """Parts of a recipe as an older version wrote them down; keys that came since stand at what changes nothing.

    What today's recipes cannot say any more is left as it is.
    """
    found = dict(recorded)
    for name in recorded.keys() & Recipe.model_fields.keys():
        part: Any = Recipe.model_fields[name].annotation
        with suppress(ValidationError):
            found[name] = part.model_validate(recorded[name]).model_dump(mode="json")
    return found


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(file, f"cannot be read: {error}", "give a recipe in TOML") from error


def _changed(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Tables are changed key by key, all else is replaced."""
    changed = dict(values)
    for key, value in changes.items():
        own = values.get(key)
        changed[key] = _changed(own, value) if isinstance(own, dict) and isinstance(value, dict) else value
    return changed


def _first_problem(file: Path, error: ValidationError) -> TrainingError:
    first = error.errors()[0]
    *parents, key = (str(part) for part in first["loc"])
    name = ".".join([*parents, key])
    if first["type"] != "extra_forbidden":
        return TrainingError(file, f"{name}: {first['msg']}", f"see {RECIPES / 'default.toml'}")
    part: Any = Recipe
    for parent in parents:
        part = part.model_fields[parent].annotation
    return TrainingError(file, f"{name} is no key of a recipe", did_you_mean(key, part.model_fields))
