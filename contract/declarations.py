"""Read what a dataclass declares about each of its fields: type, range, pattern, choices, default and docstring."""

import ast
import functools
import inspect
import re
import textwrap
from dataclasses import MISSING, dataclass, fields
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

AnyClass = type
"""Within a class that has a field called `type`, that name means the field."""


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both included, written into its type: `Annotated[int, Range(1, 100)]`."""

    low: float
    high: float
    unit: str = ""
    """What the number counts or measures, in the plural."""

    def __str__(self) -> str:
        return f"between {self.low} and {self.high} {self.unit}".rstrip()

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high  # false for NaN


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a text must match as a whole, written into its type. For `tuple[str, ...]`: what each text must match."""

    expression: str
    """A regular expression."""
    allowed: str
    """The same in words, after "must be"."""

    def __str__(self) -> str:
        return self.allowed

    def __contains__(self, value: str) -> bool:
        return re.fullmatch(self.expression, value) is not None


@dataclass(frozen=True, slots=True)
class Declaration:
    """One field of a dataclass."""

    name: str
    type: type
    """int, float, str, ... For `T | None`: T. For `Literal["a", "b"]`: str."""
    optional: bool
    """Whether None is a value of the field."""
    range: Range | None
    pattern: Pattern | None
    choices: tuple[Any, ...]
    """The values of a Literal; empty for any other type."""
    default: Any
    """dataclasses.MISSING if the field has none."""
    owner: AnyClass
    """The class that declares the field or inherits it."""

    @property
    def doc(self) -> str:
        """The string below the field, on one line. Read on demand: a synthesis needs none of them."""
        return _docstrings(self.owner).get(self.name, "")

    def error(self, name: str, value: Any) -> str | None:
        """One sentence if `value` is out of range or not one of the choices, else None.

        name: the field as the reader wrote it, such as `--batch-size` or `training.batch_size`.
        """
        if value is None and self.optional:
            return None
        if self.range is not None and value not in self.range:
            return f"{name} is {value!r}, but must be {self.range}."
        if self.pattern is not None:
            for text in value if self.type is tuple else (value,):
                if text not in self.pattern:
                    return f"{name} is {text!r}, but must be {self.pattern}."
        if self.choices and value not in self.choices:
            return f"{name} is {value!r}, but must be one of {', '.join(map(str, self.choices))}."
        return None


@functools.cache
def declarations(cls: type) -> dict[str, Declaration]:
    """The fields of a dataclass by name, in their order, inherited ones included."""
    types = get_type_hints(cls, include_extras=True)
    return {
        field.name: _declaration(
            field.name,
            types[field.name],
            default=field.default_factory() if field.default_factory is not MISSING else field.default,
            owner=cls,
        )
        for field in fields(cls)
    }


def _declaration(name: str, annotation: Any, *, default: Any, owner: type) -> Declaration:
    optional = False
    notes: list[Any] = []
    while get_origin(annotation) in (Annotated, Union, UnionType):
        if get_origin(annotation) is Annotated:
            annotation, *found = get_args(annotation)
            notes += found
        else:
            members = [member for member in get_args(annotation) if member is not NoneType]
            if len(members) != 1:
                raise TypeError(f"The field {name} has the type {annotation}; a union must be of one type and None.")
            optional, (annotation,) = True, members
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    return Declaration(
        name=name,
        type=type(choices[0]) if choices else get_origin(annotation) or annotation,
        optional=optional,
        range=next((note for note in notes if isinstance(note, Range)), None),
        pattern=next((note for note in notes if isinstance(note, Pattern)), None),
        choices=choices,
        default=default,
        owner=owner,
    )


@functools.cache
def _docstrings(cls: type) -> dict[str, str]:
    """Python keeps no docstrings of fields, so they are read from the source of the class and of its bases."""
    found: dict[str, str] = {}
    for owner in reversed(cls.__mro__):
        if "__dataclass_fields__" not in vars(owner):
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(body, ast.ClassDef)  # noqa: S101 - for mypy
        for statement, following in zip(body.body, body.body[1:], strict=False):
            match statement, following:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = " ".join(text.split())
    return found
