"""docs/settings.md and environments/schema.json say what the declarations say."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator  # type: ignore[import-untyped]

import environments
from contract.declarations import Declaration, declarations
from environments import Environment, EnvironmentRefusedError
from stacks.settings import SettingsError
from stacks.settings.__main__ import PAGE, SCHEMA, files
from stacks.settings.parse import load
from tests.infra.declared import SETTINGS

VALIDATOR = Draft4Validator(json.loads(SCHEMA.read_text()))


def errors(text: str) -> list[str]:
    read = json.loads(json.dumps(tomllib.loads(text), default=str))  # as editors read it: a day is a text
    return [error.message for error in VALIDATOR.iter_errors(read)]


@pytest.mark.parametrize("path", [PAGE, SCHEMA], ids=lambda path: path.name)
def test_the_generated_files_are_up_to_date(path: Path) -> None:
    assert path.read_text() == files()[path], "run `make reference`, and commit what changed"


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_has_a_sentence_on_the_page_and_in_the_schema(name: str) -> None:
    section, _, field = name.rpartition(".")
    rows = PAGE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0].splitlines()
    (row,) = [row for row in rows if row.startswith(f"| `{field}` |")]
    assert row.rstrip("| ").endswith(".")
    found: Any = json.loads(SCHEMA.read_text())["properties"]["settings"]
    for part in name.split("."):
        found = found["properties"][part]
    assert found["description"]


def test_the_schema_is_a_valid_json_schema() -> None:
    Draft4Validator.check_schema(json.loads(SCHEMA.read_text()))


PATTERNS = [each for each in (*SETTINGS.values(), *declarations(Environment).values()) if each.pattern]


@pytest.mark.parametrize("declaration", PATTERNS, ids=lambda declaration: declaration.name)
def test_a_pattern_means_the_same_in_the_app_and_in_an_editor(declaration: Declaration) -> None:
    r"""In Python `\d` and `\w` include the digits and letters of every script; in an editor they do not."""
    assert declaration.pattern is not None
    assert not re.search(r"\\[dw]", declaration.pattern.expression)


@pytest.mark.parametrize("name", environments.names())
def test_each_environments_file_names_the_schema_and_is_valid(name: str) -> None:
    text = (environments.FOLDER / f"{name}.toml").read_text()
    assert text.startswith("#:schema ./schema.json\n")
    assert errors(text) == []


@pytest.mark.parametrize(
    "text",
    [
        'projekt = "dogs"',
        'project = "dog-breeds"',
        "account = 123456789012",
        "[protection]\ntermination = 1",
        '[tags]\nproject = "dogs"',
        '[tags]\nProject = "dogs"',
        '[tags]\n"aws:team" = "dogs"',
        '[tags]\n"" = "dogs"',
        f'[tags]\n{"k" * 129} = "dogs"',
        f'[tags]\nteam = "{"v" * 257}"',
        "[tags]\n" + "\n".join(f't{number} = "x"' for number in range(47)),
        'project = "abcdefghijklmnopqrst"',
        'account = "12345678901\u0662"',
        'profile = "--debug"',
        "[settings.api]\nmemory_mib = 256.0",
        "[settings.training]\nepochs = 20.0",
        "[settings.servng]",
        "[settings.serving.scaling]\nmax_instances = 0",
        "[settings.serving.scaling]\nmax_instancs = 1",
        '[settings.training]\nmode = "half"',
        "[settings.training]\nlearning_rate = 2.0",
        '[settings.training]\nfallback_instance_types = ["g5.xlarge"]',
        "[settings.api]\nlog_retention_days = 31",
    ],
)
def test_the_schema_rejects_what_the_app_rejects(text: str, tmp_path: Path) -> None:
    assert len(errors(text)) == 1
    (tmp_path / "qa.toml").write_text(text)
    with pytest.raises((EnvironmentRefusedError, SettingsError)):
        load(environments.load("qa", tmp_path), {}, tmp_path)


def test_the_schema_accepts_what_the_app_accepts() -> None:
    text = """
        project = "abcdefghijklmnopqrs"
        [tags]
        team = "dogs"
        projects = "many"
        [settings.training]
        learning_rate = 0.01
        image_end_of_patch = 2028-01-01
        fallback_instance_types = ["ml.g5.xlarge"]
        pretrained_uri = "s3://weights/resnet50.safetensors"
        [settings.serving.capture]
        percent = 10
    """
    assert errors(text) == []
