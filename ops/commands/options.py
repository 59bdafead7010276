"""Command-line options that several commands share."""

import math
import os
from typing import Annotated, Any

import typer

import environments
from contract.declarations import declarations
from contract.options import TrainingOptions, option_name
from environments import EnvironmentRefusedError
from environments.agreement import VARIABLE, chosen


def training_option(field: str, text: str) -> Any:
    """A command-line option that is an option of training too, with the range that contract/options.py declares."""
    declaration = declarations(TrainingOptions)[field]

    def checked(value: int | None) -> int | None:
        sentence = None if value is None else declaration.error(f"--{option_name(field)}", value)
        if sentence:
            raise typer.BadParameter(sentence)
        return value

    return typer.Option(callback=checked, help=f"{text} Must be {declaration.range}.")


def number(text: str, *, least: int, most: int | None = None, metavar: str | None = None) -> Any:
    """A command-line option whose value is in a range. The error about another value shows it."""
    allowed = f"{least} or more" if most is None else f"{least} to {most}"

    def checked(value: float | None) -> float | None:
        if value is not None and not least <= value <= (math.inf if most is None else most):  # nor NaN
            raise typer.BadParameter(f"{value}; it must be {allowed}.")
        return value

    return typer.Option(callback=checked, metavar=metavar, help=f"{text} Must be {allowed}.")


Seed = Annotated[int, training_option("seed", "The same seed draws the same photos.")]


def _choose(context: typer.Context, name: str | None) -> str | None:
    """Keep the environment's name for the command. --env before a command and after it must agree."""
    outer = context.find_root().params.get("env") if context.parent else None
    if name is not None and outer is not None and name != outer:
        raise EnvironmentRefusedError(f"--env is {outer!r} and {name!r}; name one environment.")
    if not context.resilient_parsing and (name is not None or context.obj is None):
        context.obj = chosen(name, os.environ)
        if context.obj != environments.DEFAULT:
            environments.load(context.obj)  # refuse an unknown name, also if the command reads no environment
    return name


Env = Annotated[
    str | None,
    typer.Option(
        "--env",
        metavar="NAME",
        callback=_choose,
        help=f"The environment: environments/NAME.toml. Default: {VARIABLE}, or {environments.DEFAULT}.",
    ),
]


Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        "-c",
        metavar="NAME=VALUE",
        help="A setting, such as serving.scaling.max_instances=5, as `make deploy` takes it. May be repeated.",
    ),
]


def overrides(given: list[str] | None) -> dict[str, str]:
    """The context that CDK would make of these options."""
    pairs = [option.partition("=") for option in given or []]
    for name, equals, _ in pairs:
        if not equals or not name:
            raise typer.BadParameter(f"{name!r} has no value. Write NAME=VALUE.", param_hint="-c")
    return {name: value for name, _, value in pairs}
