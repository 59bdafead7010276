"""`make deploy` and `make destroy` in a pseudo-terminal, with the real CDK command line and the stand-in account."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.account.account import Account
from tests.account.readme import Clone, fresh_clone
from tests.account.terminal import CTRL_C, NO, YES, Ended, run_in_terminal
from tests.packages import ROOT

pytestmark = pytest.mark.slow  # the real CDK command line synthesises and polls: some minutes

STORAGE = "make deploy STACKS=Storage"
WITH_STORAGE = ["kennel-monitoring", "kennel-budget", "kennel-storage"]
CHANGING = ("Create", "Update", "Delete", "Execute", "Set")

PLAYED = {
    # a name for each command, in the order in which they are played, with the answer to each of its questions
    "bootstrap": ("make bootstrap", YES),
    "no": (STORAGE, NO),
    "interrupt": (STORAGE, CTRL_C),
    "no terminal": (f"{STORAGE} < /dev/null", YES),
    "yes": (STORAGE, YES),
    "in CI": (f"YES=1 {STORAGE} ARGS='-c storage.noncurrent_version_days=40' < /dev/null", NO),
    "destroy one": ("make destroy STACKS=Monitoring", YES),
    "do not destroy": ("make destroy", NO),
    "destroy": ("make destroy", YES),
}


@dataclass(frozen=True)
class Seen:
    """A command, and the account after it."""

    ended: Ended
    stacks: list[str]
    """In the order in which they were created."""
    changes: list[str]
    """The actions of CloudFormation that change something."""


def play(account: Account, clone: Clone, line: str, answer: str) -> Seen:
    clone.prepare(line.partition(" < ")[0].removeprefix("YES=1 "))
    before = len(account.calls)
    ended = run_in_terminal(line, cwd=clone.folder, env=clone.variables, answer=answer)
    print(line, ended.output, sep="\n")
    actions = [call.partition(":")[2] for call in account.calls[before:] if call.startswith("cloudformation:")]
    return Seen(
        ended=ended,
        stacks=[name for name in account.cloudformation.stacks if name != "CDKToolkit"],
        changes=[action for action in actions if action.startswith(CHANGING)],
    )


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, Seen]]:
    if subprocess.run(["git", "rev-parse"], cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("this folder is no git repository, so it cannot be cloned")
    with fresh_clone() as (account, clone):
        yield {name: play(account, clone, *played) for name, played in PLAYED.items()}


@pytest.mark.parametrize("name", ["no", "interrupt"])
def test_a_deploy_that_is_not_confirmed_changes_nothing(seen: dict[str, Seen], name: str) -> None:
    after = seen[name]
    assert after.ended.status != 0
    assert after.ended.questions == 1, after.ended.output
    assert "Nothing was changed." in after.ended.output
    assert (after.stacks, after.changes) == ([], [])


def test_without_a_terminal_nothing_is_asked_or_changed(seen: dict[str, Seen]) -> None:
    after = seen["no terminal"]
    assert after.ended.status != 0
    assert after.ended.questions == 0
    assert "There is no terminal to ask in" in after.ended.output
    assert (after.stacks, after.changes) == ([], [])


def test_one_yes_deploys_every_stack_alerts_and_budget_first(seen: dict[str, Seen]) -> None:
    after = seen["yes"]
    assert after.ended.status == 0, after.ended.output
    assert after.ended.questions == 1
    assert after.stacks == WITH_STORAGE


def test_the_summary_is_shown_before_the_question(seen: dict[str, Seen]) -> None:
    summary = seen["no"].ended.output.partition("[y/N]")[0]
    rows = {line.split()[0]: line.split() for line in summary.splitlines() if line.startswith("  ") and line.split()}
    assert int(rows["Monitoring"][1]) > 5
    assert int(rows["Storage"][1]) > 3
    assert rows["Budget"][1:3] == ["none", "new"]
    assert "USD an hour" in summary


def test_yes_in_advance_asks_nothing(seen: dict[str, Seen]) -> None:
    after = seen["in CI"]
    assert after.ended.status == 0, after.ended.output
    assert after.ended.questions == 0
    assert "ExecuteChangeSet" in after.changes  # the setting in ARGS has reached the templates


def test_a_destroy_of_one_stack_asks_once_and_leaves_the_others(seen: dict[str, Seen]) -> None:
    after = seen["destroy one"]
    assert after.ended.status == 0, after.ended.output
    assert after.ended.questions == 1
    assert after.stacks == ["kennel-budget", "kennel-storage"]


def test_a_destroy_asks_once(seen: dict[str, Seen]) -> None:
    refused, done = seen["do not destroy"], seen["destroy"]
    assert refused.ended.questions == done.ended.questions == 1
    assert (refused.stacks, refused.changes) == (["kennel-budget", "kennel-storage"], [])
    assert (done.ended.status, done.stacks) == (0, [])
