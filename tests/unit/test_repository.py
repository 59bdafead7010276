"""What surrounds the code: continuous integration, hooks, line ends and the change log."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
HOOKS: dict[str, Any] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
COMMIT_SUBJECT = ROOT / ".ci" / "commit-subject"


def steps() -> list[dict[str, Any]]:
    return [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


def test_both_ways_into_ci_run_make_test_and_no_other_command() -> None:
    commands = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if not line.startswith("#")]

    assert [step["run"] for step in steps() if "run" in step] == ["make test"]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "exec make test"]


def test_every_hook_is_a_program_of_this_repository_or_its_environment() -> None:
    [local] = HOOKS["repos"]
    programs = [Path(hook["entry"].split()[0]) for hook in local["hooks"]]

    assert local["repo"] == "local"
    for program in programs:
        place = Path(sys.executable).parent / program.name if program.parts[0] == ".venv" else ROOT / program
        assert place.is_file(), program
        assert place.stat().st_mode & 0o111, f"{program} cannot be executed"


@pytest.mark.parametrize(
    "message",
    [
        "x" * 72,
        "ü" * 72,  # characters, not bytes
        "Subject\n\nThe reason, in a line that is longer than a subject may be: a body has no such limit at all.",
        "\n# A comment that git removes, and that may be longer than the seventy-two characters of a subject\nSubject",
        "Subject\n# ------------------------ >8 ------------------------\ndiff --git a/README.md b/README.md",
    ],
)
def test_a_good_commit_message_passes_the_hook(message: str, tmp_path: Path) -> None:
    assert commit_subject(message, tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("x" * 73, "73 characters"),
        ("\n" + "x" * 73 + "\n\nreason", "73 characters"),
        ("Subject\nthat goes on", "that goes on"),
    ],
)
def test_a_commit_message_that_a_log_would_cut_is_refused(message: str, reason: str, tmp_path: Path) -> None:
    run = commit_subject(message, tmp_path)

    assert run.returncode == 1
    assert reason in run.stderr


def commit_subject(message: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    (folder / "message").write_text(message + "\n")
    return subprocess.run([COMMIT_SUBJECT, folder / "message"], capture_output=True, text=True, check=False)


def test_no_text_file_has_a_carriage_return() -> None:
    ends = subprocess.run(["git", "ls-files", "--eol"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert ends.stdout
    assert [line for line in ends.stdout.splitlines() if re.match(r"i/(crlf|mixed)\b", line)] == []


def test_the_change_log_has_the_current_version_below_the_unreleased_changes() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    headings = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert headings[0] == ("Unreleased", "")
    assert headings[1][0] == version
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", date) for _, date in headings[1:])


def test_each_list_of_the_change_log_is_one_list() -> None:
    assert not re.search(r"^(- |  ).*\n\n- ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_git_attributes_name_existing_files() -> None:
    named = [line.split()[0] for line in (ROOT / ".gitattributes").read_text().splitlines() if line and line[0] != "#"]

    assert [name for name in named if "*" not in name and not (ROOT / name).exists()] == []


def test_each_row_of_the_benchmarks_with_a_figure_names_its_processor() -> None:
    rows = re.findall(r"^\| (?!what|--)(.+) \|$", (ROOT / "docs" / "benchmarks.md").read_text(), re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]

    assert len(cells) > 15
    assert [row[0] for row in cells if "not measured" not in row[1] and not row[-1]] == []
