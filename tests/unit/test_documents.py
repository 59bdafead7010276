"""What the documents name exists: files, headings, verbs of make, commands and settings."""

import ast
import functools
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.main import get_command

from ops.cli import app
from stacks.settings import Settings
from training.config import Config

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "rehearsal" / "README.md"])
"""All but the decisions, which tests/unit/test_decisions.py reads."""
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
PICTURE = ROOT / "docs" / "architecture.svg"
CODE = [code for page in DOCUMENTS for code in re.findall(r"```.*?```|`[^`]+`", page.read_text(), re.DOTALL)]
LINES = [line.strip("` ").partition(" # ")[0] for code in CODE for line in code.splitlines()]
SECTIONS = "|".join(spec.name for spec in fields(Settings))


def found(expression: str) -> list[str]:
    """The unique matches, in alphabetical order."""
    return sorted({match for line in LINES for match in re.findall(expression, line)})


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The fragments that GitHub gives to the page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", DOCUMENTS, ids=named)
def test_each_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\((?!https:)([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{named(page)} links to {link}"
        assert not anchor or anchor in anchors(target), f"{named(page)} links to {link}, a heading that is not there"


def test_the_page_of_the_questions_leads_to_every_other_page() -> None:
    page = ROOT / "docs" / "questions.md"
    linked = {
        (page.parent / link.partition("#")[0]).resolve() for link in re.findall(r"\]\(([^)]+)\)", page.read_text())
    }

    assert set(DOCUMENTS) - linked == {page}


@pytest.mark.parametrize("page", DOCUMENTS, ids=named)
def test_each_path_that_is_named_exists(page: Path) -> None:
    folders = "|".join(re.escape(entry.name) for entry in ROOT.iterdir() if entry.is_dir())
    for code in re.findall(r"`([^`\n]+)`", page.read_text()):
        for path in re.findall(rf"(?:^|\s)((?:{folders})/[\w./-]*\w(?:\.\w+)?)(?=$|[\s:,])", code):
            written = path.startswith(("build/", "cdk.out/", ".venv"))  # by a command, not by git
            assert written or (ROOT / path).exists(), f"{named(page)} names {path}"


@pytest.mark.parametrize("verb", found(r"^make ([a-z-]+)"))
def test_each_verb_of_make_that_is_named_exists(verb: str) -> None:
    assert re.search(rf"^{verb}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@functools.cache
def kennel() -> Any:
    """The tree of kennel's commands: making it takes 50 ms."""
    return get_command(app)


@pytest.mark.parametrize("words", found(r"^(?:\.venv/bin/)?kennel (.+)"))
def test_each_kennel_command_that_is_named_is_understood(words: str) -> None:
    command = kennel()
    given = shlex.split(words)
    if given[0] == "--env":  # the option of `kennel` itself that stands before a command
        del given[:2]
    while hasattr(command, "commands") and given and not given[0].startswith("-"):
        command = command.commands[given.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    if "--" in given:  # the options of another program
        given = given[: given.index("--")]
    assert {word for word in given if word.startswith("--")} <= known


@pytest.mark.parametrize("setting", found(rf"(?:^|-c )((?:{SECTIONS})\.[a-z0-9_.]+)"))
def test_each_setting_that_is_named_exists(setting: str) -> None:
    assert setting in set(names(Settings()))


def names(section: object, prefix: str = "") -> Iterator[str]:
    assert is_dataclass(section)
    for spec in fields(section):
        value = getattr(section, spec.name)
        if is_dataclass(value):
            yield from names(value, f"{prefix}{spec.name}.")
        else:
            yield prefix + spec.name


@pytest.mark.parametrize("line", [line for line in LINES if re.search(r"training[./]train\b", line)])
def test_each_training_by_hand_starts_in_the_environment_that_setup_made(line: str) -> None:
    program, *words = shlex.split(line)
    assert Path(program).parent == Path(".venv/bin")
    assert (Path(sys.executable).parent / Path(program).name).is_file()
    script = next(place for place, word in enumerate(words) if word in ("training.train", "training/train.py"))
    config = Config.from_command_line(words[script + 1 :])
    assert (config.data, config.model_dir) == (Path("dogImages"), Path("build/model"))


def sentences() -> Iterator[str]:
    """Every text of the code, with `{}` for what a formatted one fills in."""
    for path in ROOT.glob("*/**/*.py"):
        if path.relative_to(ROOT).parts[0] in {"contract", "environments", "inference", "ops", "stacks", "training"}:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def test_the_errors_that_readme_lists_are_raised_in_these_words() -> None:
    (table,) = re.findall(r"## When it fails\n\n(.*?)\n\n", (ROOT / "README.md").read_text(), re.DOTALL)
    listed = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    known = [*sentences(), *(ROOT / "Makefile").read_text().splitlines(), *RUNBOOK.splitlines()]

    assert len(listed) > 5
    for error in listed:
        words = re.compile(".*".join(map(re.escape, error.split("..."))), re.DOTALL)
        assert any(words.search(text) for text in known), error


def test_readme_names_the_defaults_of_the_settings() -> None:
    readme, default = (ROOT / "README.md").read_text(), Settings()
    (stacks,) = re.findall(r"^\| stack \| what it is \|.*?\n\n", readme, re.MULTILINE | re.DOTALL)
    table = dict(re.findall(r"^\| (\w+) \| .* \| (.*) \|$", stacks, re.MULTILINE))
    scaling, budget = default.serving.scaling, default.monitoring.monthly_budget_usd
    machines = f"`{default.workbench.host_instance_type}`, `{default.workbench.notebook_instance_type}`"

    assert table["Budget"] == f"{budget} US dollars"
    assert table["Training"] == f"{default.training.instance_count} x `{default.training.instance_type}`, DDP"
    assert table["Serving"] == (
        f"`{default.serving.instance_type}`, {scaling.min_instances} to {scaling.max_instances} instances"
    )
    assert table["Api"] == f"provisioned concurrency {default.api.provisioned_concurrency}"
    assert table["Workbench"] == machines


def test_each_benchmark_of_the_makefile_has_its_figures_or_says_that_there_are_none() -> None:
    verbs = set(re.findall(r"^(bench-[a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    page = (ROOT / "docs" / "benchmarks.md").read_text()

    assert verbs
    assert {verb for verb in verbs if f"`make {verb}" not in page} == set()


def test_the_picture_of_the_architecture_shows_every_stack_and_existing_folders() -> None:
    picture = ElementTree.parse(PICTURE)  # noqa: S314 - a file of this repository
    texts = {"".join(text.itertext()) for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    stacks = {folder.parent.name.title() for folder in (ROOT / "stacks").glob("*/stack.py")}
    folders = {word for text in texts for word in re.findall(r"\b(\w+)/(?= |$)", text)}

    assert stacks <= texts
    assert len(folders) > 5
    assert {folder for folder in folders if not (ROOT / folder).is_dir()} == set()


def test_the_picture_of_the_architecture_has_a_dark_mode_and_loads_nothing() -> None:
    svg = PICTURE.read_text()

    assert "@media (prefers-color-scheme: dark)" in svg
    assert re.findall(r"https?:[^\"]+", svg) == ["http://www.w3.org/2000/svg"]  # the name of the format, not a request
    assert not re.search(r"<(image|script|use|foreignObject)|@import|@font-face|url\((?!#)", svg)


def test_the_documents_name_commands_settings_and_verbs() -> None:
    assert len(found(r"^make ([a-z-]+)")) > 10
    assert len(found(r"^(?:\.venv/bin/)?kennel (.+)")) > 5
    assert len(found(rf"(?:^|-c )((?:{SECTIONS})\.[a-z0-9_.]+)")) > 20
    assert sum("training.train" in line or "training/train.py" in line for line in LINES) == 2


PROSE = sorted([*DOCUMENTS, *(ROOT / "docs" / "decisions").glob("*.md")])


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_prose_is_wrapped_at_120_columns(page: Path) -> None:
    """As .editorconfig says. A table's row, code, and what cannot be broken (a link, a command) may be longer."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for line in text.splitlines():
        unbreakable = re.sub(r"`[^`]*`|!?\[[^]]*\]\([^)]*\)", "x", line)
        assert len(line) <= 120 or line.startswith("|") or len(unbreakable.split()) <= 2, line
