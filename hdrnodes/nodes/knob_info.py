"""KnobInfo: what a knob takes and means, for whoever shows one: `--help`, docs, the panels of hosts."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

Kind = Literal["float", "int", "bool", "str", "file", "choice"]


@dataclass(frozen=True)
class KnobInfo:
    """A knob, described.

    Args:
        kind: of value. A "file" is a string: a path, or one of `choices`. A "choice" is one of `choices`.
        default: the value when nobody sets it.
        minimum, maximum: the ends of a number's range; None for what is no number.
        minimum_allowed, maximum_allowed: whether the ends themselves may be given.
        nullable: whether None may be given.
    """

    name: str
    kind: Kind
    default: Any
    doc: str
    unit: str = ""
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    minimum_allowed: bool = True
    maximum_allowed: bool = True
    nullable: bool = False

    @property
    def allowed(self) -> str:
        """In words: "a value from 0 to 1", "one of image, mask", "yes or no".

        >>> KnobInfo("ceiling", "float", 6, "Top.", minimum=0, minimum_allowed=False, maximum=16).allowed
        'a value above 0, up to 16'
        """
        if self.kind == "choice":
            words = f"one of {', '.join(str(choice) for choice in self.choices)}"
        elif self.kind == "file":
            words = f"{', '.join(self.choices)}, or a path" if self.choices else "a path"
        elif self.kind in ("float", "int"):
            noun = "a value" if self.kind == "float" else "a whole number"
            low = f"from {self.minimum:g}" if self.minimum_allowed else f"above {self.minimum:g},"
            high = f"to {self.maximum:g}" if self.maximum_allowed else f"to below {self.maximum:g}"
            words = f"{noun} {low} {'up ' if low.endswith(',') else ''}{high}"
        else:
            words = {"bool": "true or false", "str": "a text"}[self.kind]
        return f"{words}, or nothing" if self.nullable else words

    def what_is_missing(self) -> str | None:
        """What a declaration has to give yet; None when it is whole."""
        if self.default is PydanticUndefined:
            return "a default"
        if not self.doc:
            return "a doc"
        if self.kind in ("float", "int") and (self.minimum is None or self.maximum is None):
            return "a range"
        return None

    @classmethod
    def of_field(cls, name: str, declared: FieldInfo) -> Self:
        """Of a pydantic field that `Knob` made."""
        value_type, nullable = _without_none(declared.annotation)
        extra = declared.json_schema_extra if isinstance(declared.json_schema_extra, dict) else {}
        suggestions: Any = extra.get("suggestions", ())
        bounds = {
            key: getattr(rule, key)
            for rule in declared.metadata
            for key in ("ge", "gt", "le", "lt")
            if getattr(rule, key, None) is not None
        }
        return cls(
            name=name,
            kind=_kind(value_type, file=bool(extra.get("file"))),
            default=declared.default,
            doc=declared.description or "",
            unit=str(extra.get("unit", "")),
            choices=get_args(value_type) if get_origin(value_type) is Literal else suggestions,
            minimum=bounds.get("ge", bounds.get("gt")),
            maximum=bounds.get("le", bounds.get("lt")),
            minimum_allowed="gt" not in bounds,
            maximum_allowed="lt" not in bounds,
            nullable=nullable,
        )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """`int | None` -> (int, True)."""
    if get_origin(annotation) in (Union, UnionType) and NoneType in get_args(annotation):
        others = [part for part in get_args(annotation) if part is not NoneType]
        return others[0] if len(others) == 1 else annotation, True
    return annotation, False


def _kind(value_type: Any, file: bool) -> Kind:
    if get_origin(value_type) is Literal:
        return "choice"
    kinds: dict[Any, Kind] = {bool: "bool", int: "int", float: "float", str: "file" if file else "str"}
    if value_type not in kinds:
        raise TypeError(f"{value_type} is no type for a knob; take float, int, bool, str or a Literal")
    return kinds[value_type]
