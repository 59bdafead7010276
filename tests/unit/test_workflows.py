"""The workflows of GitHub Actions: two linters pass, a fork gets no credentials, and each job has the fewest rights."""

import importlib.machinery
import importlib.util
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github" / "workflows").iterdir())
WORKFLOWS: dict[str, dict[Any, Any]] = {file.name: yaml.safe_load(file.read_text()) for file in FILES}
JOBS: dict[str, dict[str, Any]] = {
    f"{name}/{job}": body for name, workflow in WORKFLOWS.items() for job, body in workflow["jobs"].items()
}
LINTERS = {
    "actionlint": [sys.executable, "-m", "jactionlint", "--no-color", "--shellcheck="],
    "zizmor": [str(Path(sysconfig.get_path("scripts")) / "zizmor"), "--offline", "--quiet"],
}
"""Neither asks the network. The script of a step is short: what is longer is a file of .ci/."""

CREDENTIALS = "aws-actions/configure-aws-credentials@"


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in JOBS.items():
        for step in job["steps"]:
            yield name, step


def lint(linter: str, *files: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*LINTERS[linter], *files], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("linter", LINTERS)
def test_the_linter_finds_nothing_in_the_workflows(linter: str) -> None:
    run = lint(linter, *FILES)

    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("linter", "correct", "wrong", "named"),
    [
        ("actionlint", "ubuntu-24.04", "ubuntu-24", "ubuntu-24"),
        ("actionlint", "steps.inputs.outputs.options", "steps.input.outputs.options", "input"),
        ("actionlint", "timeout-minutes: 240", "timeout-minute: 240", "timeout-minute"),
        ("zizmor", "run: make preflight", "run: make preflight ${{ inputs.environment }}", "template-injection"),
        ("zizmor", "  push:\n    branches: [main]\n", "  pull_request_target:\n", "dangerous-triggers"),
        ("zizmor", "@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7", "unpinned-uses"),
    ],
)
def test_the_linter_finds_a_mistake(linter: str, correct: str, wrong: str, named: str, tmp_path: Path) -> None:
    text = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    assert correct in text
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "deploy.yml").write_text(text.replace(correct, wrong))

    run = lint(linter, folder / "deploy.yml")

    assert run.returncode != 0
    assert named in run.stdout + run.stderr


def test_an_action_is_pinned_by_one_commit_with_its_release_in_a_comment() -> None:
    used = {action for file in FILES for action in re.findall(r"uses: (.+)", file.read_text())}

    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action) for action in used), used
    assert len({action.partition("@")[0] for action in used}) == len(used)


def test_no_workflow_runs_a_forks_code_with_the_rights_of_the_repository() -> None:
    """Also not by way of `workflow_run`, which runs after one of a fork, with the repository's rights."""
    triggers = {name: set(workflow[True]) for name, workflow in WORKFLOWS.items()}  # YAML 1.1 reads `on` as true

    assert triggers == {
        "ci.yml": {"push", "pull_request"},
        "deploy.yml": {"push", "workflow_dispatch"},
        "links.yml": {"schedule", "workflow_dispatch"},
        "pull-request.yml": {"pull_request"},
    }
    assert WORKFLOWS["deploy.yml"][True]["push"] == {"branches": ["main"]}


def test_each_job_has_the_fewest_rights() -> None:
    held = {
        name: job.get("permissions", WORKFLOWS[name.partition("/")[0]]["permissions"]) for name, job in JOBS.items()
    }

    assert held == {
        "ci.yml/test": {"contents": "read"},
        "deploy.yml/deploy": {"contents": "read", "id-token": "write"},
        "links.yml/follow": {"contents": "read"},
        "pull-request.yml/templates": {"contents": "read"},
        "pull-request.yml/diff": {"contents": "read", "id-token": "write"},
        "pull-request.yml/comment": {"pull-requests": "write"},
    }


def test_a_forks_pull_request_asks_for_no_token() -> None:
    for name, job in JOBS.items():
        if name.startswith("pull-request.yml/") and "id-token" in job["permissions"]:
            assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"], name
    assert JOBS["pull-request.yml/comment"]["needs"] == "diff"  # is skipped with it


def test_no_key_is_stored() -> None:
    for file in FILES:
        assert "secrets" not in file.read_text(), file.name
    for name, step in steps():
        if step.get("uses", "").startswith(CREDENTIALS):
            assert step["with"]["role-to-assume"].startswith("${{ vars.KENNEL_"), name
            assert not step["with"].keys() & {"aws-access-key-id", "aws-secret-access-key"}, name


def test_packages_are_installed_before_there_are_credentials() -> None:
    for name, job in JOBS.items():
        uses = [step.get("uses", "") for step in job["steps"]]
        runs = [step.get("run", "") for step in job["steps"]]
        first = next((place for place, action in enumerate(uses) if action.startswith(CREDENTIALS)), None)
        if first is not None:
            assert runs[first - 1] == "make node_modules/.installed .venv/.installed-deploy", name


def test_the_job_that_writes_comments_runs_nothing_of_the_pull_request() -> None:
    comment = JOBS["pull-request.yml/comment"]
    download, write = comment["steps"]

    assert download["uses"].startswith("actions/download-artifact@")
    assert write["run"].startswith("gh pr comment ")
    assert [name for name, step in steps() if "GH_TOKEN" in step.get("env", {})] == ["pull-request.yml/comment"]


def test_the_deploy_is_a_job_of_the_environment_that_the_role_trusts() -> None:
    deploy = JOBS["deploy.yml/deploy"]

    assert deploy["environment"] == deploy["env"]["KENNEL_ENV"] == "${{ inputs.environment || vars.KENNEL_ENV }}"
    assert WORKFLOWS["deploy.yml"]["concurrency"]["cancel-in-progress"] is False


def test_no_checkout_leaves_a_token_and_every_job_ends() -> None:
    for name, step in steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, name
    assert [name for name, job in JOBS.items() if not 0 < job.get("timeout-minutes", 0) <= 240] == []


@pytest.mark.parametrize(
    "command",
    sorted(
        {line.strip() for _, step in steps() for line in re.findall(r"^make (?!-C)[^\n|>]+", step.get("run", ""), re.M)}
    ),
)
def test_make_understands_each_command(command: str) -> None:
    planned = subprocess.run(
        ["bash", "-c", command.replace("make ", "make -n ", 1)], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert planned.returncode == 0, planned.stderr


def test_the_page_names_each_variable_that_the_workflows_read() -> None:
    read = {name for file in FILES for name in re.findall(r"\bvars\.(\w+)", file.read_text())}
    page = (ROOT / "docs" / "delivery.md").read_text()

    assert len(read) == 5
    assert [name for name in sorted(read) if f"`{name}`" not in page] == []


def describe() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("describe_diff", str(ROOT / ".ci" / "describe-diff"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("hostile", ["```", "`````\n<script>", "~~~\n```js", "</details>", "a\n``````````\nb"])
def test_a_diff_cannot_end_its_code_block(hostile: str) -> None:
    lines = describe().described("Diff", f"before\n{hostile}\nafter").splitlines()
    fence = next(line for line in lines if line.startswith("```"))

    assert [line for line in lines if line.startswith(fence)] == [fence, fence]
    assert lines[lines.index(fence) + 1] == "before"
    assert lines[len(lines) - 1 - lines[::-1].index(fence) - 1] == "after"


def test_a_comment_is_never_longer_than_github_accepts() -> None:
    text = describe().described("Diff", "\x1b[31m[-] é\x1b[0m\n" * 50_000)

    assert len(text) < 65_536
    assert "\x1b" not in text
    assert "more characters are in the log of the job" in text


def test_a_long_run_of_backticks_makes_no_longer_fence_than_github_accepts() -> None:
    text = describe().described("Diff", "`" * 50_000 + "\nafter")

    assert len(text) < 1_000
    assert "\nafter\n" in text


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200b", "\r", "\x00", "\x1b]0;title\x07", "\ufeff"])
def test_a_diff_shows_characters_that_are_not_seen(hidden: str) -> None:
    """A comment that a reviewer reads must not look like another diff: https://trojansource.codes"""
    text = describe().described("Diff", f"[+] Allow{hidden}Deny\n[+] é")

    assert hidden not in text
    assert f"\\u{ord(hidden[0]):04x}" in text
    assert "[+] é" in text


def test_a_diff_without_a_difference_says_so() -> None:
    run = subprocess.run(
        [ROOT / ".ci" / "describe-diff", "Diff"], input="\n", capture_output=True, text=True, check=True
    )

    assert "There were no differences." in run.stdout
