"""What every `kennel` command has: -h, the version and shell completion."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from contract.declarations import declarations
from contract.options import TrainingOptions
from environments import EnvironmentRefusedError
from ops.cli import app

ROOT = Path(__file__).resolve().parents[2]


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of each command and group, the `kennel` command itself first."""
    yield words
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*words, name))


COMMANDS = list(commands(get_command(app)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_shows_its_help(words: tuple[str, ...], option: str) -> None:
    result = CliRunner().invoke(app, [*words, option])

    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert "[[" not in result.output  # typer adds the brackets of an optional argument itself


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("predict", "rex.jpg", "--top-k", "0"), "'--top-k': 0; it must be 1 to 1000."),
        (("predict", "rex.jpg", "--top-k", "100000"), "'--top-k': 100000; it must be 1 to 1000."),
        (("predict", "rex.jpg", "--wait", "nan"), "'--wait': nan; it must be 0 to 3600."),
        (("data", "sample", "photos", "--train", "-1"), "'--train': -1; it must be 0 or more."),
        (("rehearse", "--photos", "0"), "'--photos': 0; it must be 1 or more."),
        (("serve", "--port", "65536"), "'--port': 65536; it must be 0 to 65535."),
    ],
)
def test_the_error_about_a_number_shows_the_value_and_the_range(words: tuple[str, ...], sentence: str) -> None:
    result = CliRunner().invoke(app, words)

    assert result.exit_code == 2
    assert f"Invalid value for {sentence}" in result.output


READING = [("data", "upload", "photos"), ("data", "version"), ("report",)]
"""The commands that read an environment."""


@pytest.mark.parametrize("words", [*READING, ("data", "sample", "photos"), ("predict", "rex.jpg")], ids=" ".join)
def test_an_unknown_environment_is_refused_by_every_command(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["--env", "nope", *words])

    assert isinstance(result.exception, EnvironmentRefusedError)
    assert "There is no environment 'nope'" in str(result.exception)


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_an_environment_can_be_named_after_the_command(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*words, "--env", "nope"])

    assert "There is no environment 'nope'" in str(result.exception)


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_two_different_environments_are_refused(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    twice = CliRunner().invoke(app, ["--env", "production", *words, "--env", "development"])
    monkeypatch.setenv("KENNEL_ENV", "production")
    in_shell = CliRunner().invoke(app, [*words, "--env", "development"])

    assert "--env is 'production' and 'development'" in str(twice.exception)
    assert "'development', but KENNEL_ENV is 'production'" in str(in_shell.exception)


def test_the_version_is_that_of_pyproject() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    result = CliRunner().invoke(app, ["--version"])

    assert (result.exit_code, result.output) == (0, f"kennel {declared}\n")


def of_training(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each option of a command that has the name of a training option with a range: the command's words, the field."""
    for parameter in getattr(group, "params", ()):
        if parameter.name in declarations(TrainingOptions) and declarations(TrainingOptions)[parameter.name].range:
            yield words, parameter.name
    for name, command in getattr(group, "commands", {}).items():
        yield from of_training(command, (*words, name))


OF_TRAINING = list(of_training(get_command(app)))


def test_the_commands_with_options_of_training() -> None:
    assert set(OF_TRAINING) == {
        (("rehearse",), "epochs"),
        (("rehearse",), "seed"),
        (("capacity",), "seed"),
        (("data", "sample"), "seed"),
        (("data", "split"), "seed"),
    }


@pytest.mark.parametrize(("words", "field"), OF_TRAINING, ids=str)
@pytest.mark.parametrize("end", ["low", "high"])
def test_an_option_of_training_has_the_declared_range(words: tuple[str, ...], field: str, end: str) -> None:
    declaration = declarations(TrainingOptions)[field]
    assert declaration.range is not None
    value = declaration.range.low - 1 if end == "low" else declaration.range.high + 1

    wrong = (
        ["--photos=0"] if words == ("rehearse",) else []
    )  # read later; without it, an unchecked value would rehearse
    result = CliRunner().invoke(app, [*words, f"--{field}={value}", *wrong], env={"COLUMNS": "200", "TERM": "dumb"})

    assert result.exit_code == 2
    assert str(declaration.error(f"--{field}", value)) in result.output


@pytest.mark.parametrize(("typed", "offered"), [("kennel da", {"data"}), ("kennel data ch", {"check"})])
def test_a_shell_completes_the_name_of_a_command(typed: str, offered: set[str]) -> None:
    environment = {
        **os.environ,
        "_KENNEL_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(typed.count(" ")),
    }

    # The program's name determines the variable that requests completions.
    start = "import sys; sys.argv = ['kennel']; from ops.cli import main; main()"
    answer = subprocess.run([sys.executable, "-c", start], cwd=ROOT, env=environment, capture_output=True, text=True)

    assert set(answer.stdout.split()) == offered, answer.stderr
