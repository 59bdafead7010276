"""A declaration holds type, range, default and sentence of a field, and every reader takes them from there."""

import math
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import pytest

from contract.declarations import Range, declarations
from contract.options import RECIPES, TrainingOptions, recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    size: Annotated[int, Range(1, 10, unit="photos")] = 3
    """How many, in a sentence that goes on
    over two lines."""
    undocumented: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Extended(Base):
    share: Annotated[float, Range(0.0, 0.5)] | None = None
    """Of the whole."""
    kind: Literal["small", "large"]
    "of which kind"

    LIMIT = 3


def test_a_declaration_has_the_type_range_default_and_docstring_of_its_field() -> None:
    found = declarations(Extended)
    assert list(found) == ["size", "undocumented", "share", "kind"]
    assert (found["size"].type, found["size"].default, found["size"].optional) == (int, 3, False)
    assert found["size"].range == Range(1, 10, unit="photos")
    assert (found["share"].type, found["share"].optional) == (float, True)
    assert (found["kind"].type, found["kind"].choices) == (str, ("small", "large"))


def test_a_docstring_belongs_to_the_field_above_it_in_the_class_that_declares_it() -> None:
    docs = {name: each.doc for name, each in declarations(Extended).items()}
    assert docs == {
        "size": "How many, in a sentence that goes on over two lines.",
        "undocumented": "",
        "share": "Of the whole.",
        "kind": "of which kind",
    }


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("size", 0, "--x is 0, but must be between 1 and 10 photos."),
        ("size", 11, "--x is 11, but must be between 1 and 10 photos."),
        ("share", 0.6, "--x is 0.6, but must be between 0.0 and 0.5."),
        ("share", math.nan, "--x is nan, but must be between 0.0 and 0.5."),
        ("kind", "medium", "--x is 'medium', but must be one of small, large."),
    ],
)
def test_a_value_out_of_range_gives_one_sentence(field: str, value: Any, sentence: str) -> None:
    assert declarations(Extended)[field].error("--x", value) == sentence


@pytest.mark.parametrize(("field", "value"), [("size", 1), ("size", 10), ("share", None), ("kind", "small")])
def test_a_value_in_range_gives_no_error(field: str, value: Any) -> None:
    assert declarations(Extended)[field].error("--x", value) is None


def test_a_required_number_may_not_be_none() -> None:
    with pytest.raises(TypeError):
        declarations(Base)["size"].error("--x", None)


def test_a_union_of_two_types_is_refused() -> None:
    @dataclass
    class Mixed:
        value: int | str = 0

    with pytest.raises(TypeError, match="value has the type"):
        declarations(Mixed)


def test_the_options_without_a_default_are_those_of_the_recipes() -> None:
    optional = {name for name, each in declarations(TrainingOptions).items() if each.default is None}
    for name, each in RECIPES.items():
        assert optional == set(asdict(each))
        for option, value in asdict(each).items():
            assert declarations(TrainingOptions)[option].error(f"{option} of {name}", value) is None


def test_only_full_mode_has_another_recipe_without_pretrained_weights() -> None:
    assert recipe("full", pretrained=True) != recipe("full", pretrained=False)
    assert recipe("frozen", pretrained=False) == recipe("frozen", pretrained=True)


def test_arguments_are_named_as_on_the_command_line_and_leave_out_what_is_not_set() -> None:
    unset = TrainingOptions().arguments()
    assert unset.keys() == {"mode", "epochs", "batch-size", "image-size", "precision", "seed"}
    assert unset["batch-size"] == "64"
    assert TrainingOptions(weight_decay=0.0).arguments()["weight-decay"] == "0.0"
