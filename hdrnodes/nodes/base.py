"""Node: one step of a graph. Its knobs are said once; checks, graph files, help, docs, hosts' panels follow.

class Blur(Node):
    \"\"\"Blur the picture.\"\"\"

    radius: float = Knob(2.0, ge=0, le=100, unit="pixels", doc="Standard deviation of the Gaussian.")

    def process(self, inputs: dict[str, Image], context: Context) -> Image: ...
"""

from __future__ import annotations

import logging
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from inspect import isabstract
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hdrnodes.errors import KnobError, PluginError
from hdrnodes.nodes.knob_info import KnobInfo
from hdrnodes.spelling import did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hdrnodes.curve import Curve
    from hdrnodes.image import Image
    from hdrnodes.plugins import Plugins
    from hdrnodes.runtime import Runtime, Settings


def Knob(
    default: Any,
    *,
    doc: str,
    unit: str = "",
    file: bool = False,
    suggestions: tuple[str, ...] = (),
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:
    """Declare a knob of a `Node`.

    Args:
        default: what it is when nobody sets it.
        doc: one sentence for whoever turns it.
        unit: of a number: "stops", "pixels".
        file: whether a string is the path of a file, so that a host offers its file browser.
        suggestions: strings that mean something in place of a path.
        ge, gt, le, lt: the range of a number: not under, above, not over, below. A number has both ends.
    """
    extra: dict[str, Any] = {"unit": unit, "file": file, "suggestions": suggestions}
    return Field(default, description=doc, ge=ge, gt=gt, le=le, lt=lt, json_schema_extra=extra)


class Node(BaseModel):
    """One step. A subclass declares its knobs, its inputs, and `process`; its docstring is its help.

    Immutable, and without state between calls: frames run in any order, in many threads.

    Class attributes:
        name: what graph files and plugins call it; the class's name when not given.
        inputs: the names of the images that it must be fed.
        optional_inputs: of those that it can do without.
        on_device: whether it also takes images whose pixels are torch tensors, on a GPU; others are given numpy arrays.

    Raises:
        KnobError: at construction, when a value is not allowed or there is no such knob.
        PluginError: at definition of a subclass, when a knob lacks its doc, default or range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    name: ClassVar[str] = ""
    inputs: ClassVar[tuple[str, ...]] = ("image",)
    optional_inputs: ClassVar[tuple[str, ...]] = ()
    on_device: ClassVar[bool] = False

    def __init__(self, **knobs: Any) -> None:
        try:
            super().__init__(**knobs)
        except ValidationError as error:
            _raise_knob_error(type(self), error)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__
        for knob, declared in cls.model_fields.items():
            info = KnobInfo.of_field(knob, declared)
            if missing := info.what_is_missing():
                raise PluginError(
                    f"{cls.name}.{knob}", f"is declared without {missing}", "see hdrnodes.nodes.base.Knob"
                )
        if not isabstract(cls):
            cls()  # its defaults are in their own ranges

    @classmethod
    def knobs(cls) -> dict[str, KnobInfo]:
        """What each knob takes and means, in the order of their declaration."""
        return {knob: KnobInfo.of_field(knob, declared) for knob, declared in cls.model_fields.items()}

    def with_knobs(self, **changes: Any) -> Self:
        """The same node with some knobs set otherwise, checked.

        Raises:
            KnobError: a value is not allowed, or there is no such knob.
        """
        return type(self)(**{**self.model_dump(), **changes})

    @abstractmethod
    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        """Make the result: same size; alpha, other channels, metadata, windows kept; the inputs left alone.

        Args:
            inputs: an image for each name in `inputs`, and for those of `optional_inputs` that are connected.
            context: the runtime of the networks, and where to say things.
        """


def _raise_knob_error(node: type[Node], error: ValidationError) -> NoReturn:
    """The first of pydantic's complaints, in our words: node, knob, given value, what is allowed."""
    wrong = error.errors(include_url=False)[0]
    knob = str(wrong["loc"][0]) if wrong["loc"] else "knobs"
    knobs = node.knobs()
    if knob not in knobs:
        raise KnobError(f"{node.name}.{knob}", "there is no such knob", did_you_mean(knob, knobs)) from None
    given = _shortened(wrong["input"])
    raise KnobError(f"{node.name}.{knob}", f"{given} is not allowed", f"give {knobs[knob].allowed}") from None


def _shortened(value: object) -> str:
    text = re.sub(r"\s+", " ", repr(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


log = logging.getLogger("hdrnodes")


@dataclass
class Context:
    """What a node may ask of its surroundings while it runs. One for a whole job: its `shot_curves` last.

    Args:
        runtime: of the networks; made at the first need, so that a graph without networks loads none.
        say: takes one line for the user; a log at INFO when not given, where `warn` is at WARNING.
        frame: the number of the frame being made; None for a still.
        plugins: None is all that are installed.
        shot_curves: the response curve of each shot that has one already, by what names the shot.
        executor, tile, settings: for the runtime, when it is made here.
        device: the torch device that pixels are brought to for the networks, and stay on; None goes by the executor:
            the GPU that it runs on, else they stay in the CPU's memory.
        record: what made the picture, for the header of a file: the graph that runs, the models that were used.
    """

    runtime: Runtime | None = None
    say: Callable[[str], None] = log.info
    frame: int | None = None
    plugins: Plugins | None = None
    shot_curves: dict[str, Curve] = field(default_factory=dict)
    executor: str = "auto"
    tile: int | None = None
    settings: Settings | None = None
    device: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    def run(
        self,
        stage: str,
        model: str,
        *pixels: npt.NDArray[np.float32],
        where: npt.NDArray[np.bool_] | None = None,
    ) -> npt.NDArray[np.float32]:
        """What the network of a stage makes of H x W x 3 images; see `hdrnodes.runtime.Runtime.run`.

        The answer is the caller's own, to write into, and is where the pixels are.
        """
        runtime = self.needed_runtime()
        answer = runtime.run(stage, model, *pixels, where=where)
        used = {**self.record.get("models", {}), model: runtime.model(model).version}
        self.record = {**self.record, "models": used}
        return answer

    def on_device(self, image: Image) -> Image:
        """The image where its pixels should be for the networks: brought to their GPU, if they run on one that hdrnodes
        can compute on, too. What is on a device stays on it."""
        if image.device is not None:
            return image
        device = self.device_of_networks()
        return image if device is None else image.to_device(device)

    def device_of_networks(self) -> str | None:
        """Where pixels should be for the networks; None for the CPU's memory."""
        return self.device or _gpu_of(self.needed_runtime())

    def given_to(self, node: Node, inputs: dict[str, Image]) -> dict[str, Image]:
        """The images as a node takes them: numpy arrays, unless it says `on_device`."""
        return inputs if node.on_device else {name: image.to_host() for name, image in inputs.items()}

    @property
    def threads(self) -> int | None:
        """How many may compute pixels; None is one for each core."""
        return self._told.threads if self._told else None

    @property
    def memory(self) -> int | None:
        """Bytes that a job may take; None is a share of what is free."""
        return self._told.memory if self._told else None

    @property
    def _told(self) -> Settings | None:
        return self.settings if self.runtime is None else self.runtime.settings

    def warn(self, text: str) -> None:
        """Say what makes the result another than was asked for: values replaced, a curve that could not be had."""
        if self.say == log.info:
            log.warning(text)
        else:
            self.say(text)

    def needed_runtime(self) -> Runtime:
        """The runtime, made now if there is none yet."""
        if self.runtime is None:
            from hdrnodes.runtime import Runtime

            self.runtime = Runtime(self.executor, tile=self.tile, plugins=self.known_plugins(), settings=self.settings)
        return self.runtime

    def at_frame(self, frame: int | None) -> Context:
        """For one frame of a job: its own number and record; the runtime and the shot's curves are shared."""
        return replace(self, runtime=self.needed_runtime(), frame=frame, record={})

    def known_plugins(self) -> Plugins:
        """The plugins that it was given, else all that are installed."""
        if self.plugins is None:
            from hdrnodes.plugins import installed_plugins

            self.plugins = installed_plugins()
        return self.plugins


def _gpu_of(runtime: Runtime) -> str | None:
    """Torch's name of the GPU that pixels may stay on between networks; None where they had better not."""
    if not runtime.executor.on_device or not find_spec("torch"):
        return None
    import torch

    return "cuda" if torch.cuda.is_available() else None
