"""`kennel deploy` in a pseudo-terminal: one question, and nothing is changed before it is answered.

The account is a stand-in. So is the CDK command line, which copies an assembly, prints recorded tables and records how
it was called: tests/account/test_one_question.py has the real one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from moto.moto_api._internal.models import moto_api_backend

from tests.account.account import ACCOUNT, REGION, Account
from tests.account.terminal import CTRL_C, CTRL_D, NO, YES, Ended, run_in_terminal
from tests.infra.conftest import ROOT, Assembly

TABLES = (ROOT / "tests" / "infra" / "security_diff.txt").read_text(encoding="utf-8")
"""What the pinned version prints for a first deploy of Monitoring and Storage, shortened."""

CDK = """
import json, os, shutil, sys
arguments = sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps([arguments, os.environ["KENNEL_ENV"]]) + "\\n")
if arguments[0] == "synth":
    shutil.copytree(os.environ["ASSEMBLY"], arguments[arguments.index("--output") + 1])
    print("Successfully synthesized to somewhere", file=sys.stderr)
    print("kennel: warning: something", file=sys.stderr)
elif arguments[0] == "diff":
    sys.stderr.write(open(os.environ["TABLES"]).read())
else:
    print("deployed", sys.stdin.isatty())
    sys.exit(int(os.environ.get("STATUS", "0")))
"""

KENNEL = """
import sys
from pathlib import Path
import ops.deploy.cdk
import ops.deploy.run
ops.deploy.cdk.PROGRAM = Path(sys.argv.pop(1))
ops.deploy.run.FOLDER = Path(sys.argv.pop(1))
from ops.cli import main
main()
"""
"""The command with another CDK and another folder."""


@dataclass(frozen=True)
class Call:
    """How the CDK command line was called."""

    arguments: list[str]
    environment: str

    @property
    def verb(self) -> str:
        return self.arguments[0]

    def option(self, name: str) -> str:
        return self.arguments[self.arguments.index(name) + 1]


class Desk:
    """A user's folder, shell and account."""

    def __init__(self, folder: Path, account: Account, assembly: Assembly) -> None:
        self.folder, self.account = folder, account
        self.calls_file = folder / "calls"
        self._cdk = folder / "cdk"
        self._cdk.write_text(f"#!{sys.executable} -IS\n{CDK}")
        self._cdk.chmod(0o755)
        (folder / "kennel.py").write_text(KENNEL)
        (folder / "tables").write_text(TABLES, encoding="utf-8")
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "TERM": "dumb",
            "LANG": "C.UTF-8",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "CALLS": str(self.calls_file),
            "ASSEMBLY": str(assembly.folder),
            "TABLES": str(folder / "tables"),
            **account.variables,
        }

    @property
    def tables(self) -> Path:
        return self.folder / "out" / "development" / "permissions.txt"

    def command(self, *words: str) -> str:
        program = [sys.executable, str(self.folder / "kennel.py"), str(self._cdk), str(self.folder / "out")]
        return " ".join([*program, "deploy", *words])

    def run(self, *words: str, answer: str = YES, **variables: str) -> Ended:
        return run_in_terminal(
            self.command(*words), cwd=self.folder, env={**self.variables, **variables}, answer=answer
        )

    def run_without_terminal(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-c", self.command(*words)],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[Call]:
        if not self.calls_file.exists():
            return []
        return [Call(*json.loads(line)) for line in self.calls_file.read_text().splitlines()]


@pytest.fixture
def account() -> Iterator[Account]:
    with Account() as account:
        moto_api_backend.reset()  # what other tests of this process left
        yield account


@pytest.fixture
def desk(account: Account, development: Assembly, tmp_path: Path) -> Desk:
    """With what `cdk bootstrap` leaves in an account."""
    account.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    account.client("s3").create_bucket(Bucket=f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}")
    account.calls.clear()
    return Desk(tmp_path, account, development)


def test_yes_deploys_after_exactly_one_question_the_assembly_that_was_shown(desk: Desk) -> None:
    ended = desk.run("--stacks", "Storage")
    assert (ended.status, ended.questions) == (0, 1), ended.output
    synth, diff, deployed = desk.calls()
    assert [synth.verb, diff.verb, deployed.verb] == ["synth", "diff", "deploy"]
    assert synth.option("--output") == diff.option("--app") == deployed.option("--app")
    assert deployed.arguments[1:5] == ["Monitoring", "Budget", "Storage", "--exclusively"]
    assert deployed.option("--require-approval") == "never"
    assert "--yes" in deployed.arguments
    assert ended.output.rstrip().endswith("deployed True")  # CDK has the terminal


@pytest.mark.parametrize("answer", [NO, "\n", "maybe\n", CTRL_C, CTRL_D])
def test_any_other_answer_changes_nothing(desk: Desk, answer: str) -> None:
    ended = desk.run("--stacks", "Storage", answer=answer)
    assert (ended.status, ended.questions) == (1, 1), ended.output
    assert "kennel: Nothing was changed." in ended.output
    assert "Traceback" not in ended.output
    assert [call.verb for call in desk.calls()] == ["synth", "diff"]


def test_yes_in_advance_asks_nothing_and_needs_no_terminal(desk: Desk) -> None:
    done = desk.run_without_terminal("--stacks", "Storage", "--yes")
    assert done.returncode == 0, done.stderr
    assert "[y/N]" not in done.stdout
    assert [call.verb for call in desk.calls()] == ["synth", "diff", "deploy"]


def test_without_a_terminal_it_refuses_before_it_asks_aws_anything(desk: Desk) -> None:
    done = desk.run_without_terminal()
    assert done.returncode == 1
    assert done.stderr == (
        "kennel: There is no terminal to ask in, so nothing was deployed. To deploy without a question: YES=1 make "
        "deploy.\n"
    )
    assert (desk.calls(), desk.account.calls) == ([], [])


def test_a_gap_that_preflight_finds_ends_it_before_the_question(desk: Desk) -> None:
    desk.account.client("ssm").delete_parameter(Name="/cdk-bootstrap/hnb659fds/version")
    ended = desk.run("--env", "production", "--stacks", "Storage", "--", "-c", "api.memory_mib=512")
    assert (ended.status, ended.questions) == (1, 0)
    assert "make bootstrap ENV=production" in ended.output
    assert desk.calls() == []


def test_the_command_without_preflight_deploys_the_same(desk: Desk) -> None:
    """Another environment would be deployed, or another training started, without these options."""
    desk.account.client("ssm").delete_parameter(Name="/cdk-bootstrap/hnb659fds/version")
    words = ("--env", "production", "--stacks", "Storage", "--", "-c", "training.data_uri=s3://theirs/dogs/")
    inputs = "$(.venv/bin/kennel --env production data version s3://theirs/dogs/ --cdk-options)"
    command = f'make cdk ENV=production ARGS="deploy Storage -c training.data_uri=s3://theirs/dogs/ {inputs}"'
    assert command in desk.run(*words).output


def test_a_terminal_without_utf_8_gets_the_same_question(desk: Desk) -> None:
    """CDK writes its tables in UTF-8, whatever the locale is."""
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = desk.run("--stacks", "Storage", **ascii_only)
    assert (ended.status, ended.questions) == (0, 1), ended.output
    assert "│ + │" in desk.tables.read_text(encoding="utf-8")


def test_the_exit_status_of_cdk_is_that_of_the_command(desk: Desk) -> None:
    assert desk.run("--stacks", "Budget", STATUS="7").status == 7


def test_options_reach_cdk_and_only_the_named_stack_is_deployed(desk: Desk) -> None:
    words = ("--stacks", "Api", "--", "--exclusively", "-c", "api.memory_mib=512", "--no-rollback")
    ended = desk.run(*words)
    assert ended.status == 0, ended.output
    synth, _, deployed = desk.calls()
    assert "api.memory_mib=512" in synth.arguments
    assert "--no-rollback" in deployed.arguments
    assert deployed.arguments[1:3] == ["Api", "--exclusively"]
    assert "Storage" not in ended.output.partition("permissions  ")[2]


def test_cdk_gets_the_environment_the_photos_and_the_account_that_kennel_used(desk: Desk) -> None:
    desk.account.client("s3").create_bucket(Bucket="theirs")
    desk.account.client("s3").put_object(Bucket="theirs", Key="dogs/train/Beagle/1.jpg", Body=b"photo")
    ended = desk.run("--stacks", "Storage", "--", "-c", "training.data_uri=s3://theirs/dogs/")
    assert ended.status == 0, ended.output
    synth, *_ = desk.calls()
    assert synth.environment == "development"
    pairs = [word for word in synth.arguments if "=" in word]
    assert "kennel.environment=development" in pairs
    assert f"kennel.photos_account={ACCOUNT}" in pairs
    assert any(pair.startswith("training.data_version=") and pair != "training.data_version=" for pair in pairs)


def test_the_summary_has_permissions_price_and_minutes_of_the_chosen_stacks(desk: Desk) -> None:
    shown = desk.run("--stacks", "Storage", answer=NO).output
    assert f"development: account {ACCOUNT}, {REGION}" in shown
    rows = {line.split()[0]: line.split() for line in shown.splitlines() if line.startswith("  ") and line.split()}
    assert rows["Monitoring"][1] == "+4"
    assert rows["Storage"][1:3] == ["+2", "-1"]
    assert rows["Budget"][1:3] == ["none", "new"]
    assert "Serving" not in rows
    assert "USD an hour" in shown
    assert "about 5" in shown
    assert desk.tables.read_text(encoding="utf-8").count("│ + │") == 6
    assert "kennel: warning: something" in shown
    assert "Successfully synthesized" not in shown


def test_tables_of_another_form_end_it(desk: Desk) -> None:
    """An empty summary would look like a deploy without new permissions."""
    (desk.folder / "tables").write_text("IAM changes: many\n")
    ended = desk.run("--stacks", "Storage")
    assert (ended.status, ended.questions) == (1, 0)
    assert "has another form than that of the pinned version" in ended.output


@pytest.mark.parametrize("words", [("--app", "x"), ("-o", "x"), ("--all",), ("Serving",), ("-c", "nothing")])
def test_what_would_deploy_something_else_than_was_shown_is_refused(desk: Desk, words: tuple[str, ...]) -> None:
    ended = desk.run("--stacks", "Storage", "--", *words)
    assert (ended.status, ended.questions) == (1, 0)
    assert "Traceback" not in ended.output
    assert "deploy" not in [call.verb for call in desk.calls()]


def test_cdks_own_questions_stay_for_whoever_asks_for_them(desk: Desk) -> None:
    ended = desk.run("--stacks", "Storage", "--", "--require-approval", "any-change")
    assert ended.status == 0
    deployed = desk.calls()[-1]
    assert deployed.option("--require-approval") == "any-change"
    assert "never" not in deployed.arguments
    assert "--yes" not in deployed.arguments
