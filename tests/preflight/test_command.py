"""`kennel preflight` in a shell."""

import json

import pytest
from typer.testing import CliRunner, Result

from environments import EnvironmentRefusedError
from ops.cli import app
from tests.packages import groups_of, planned
from tests.preflight.account import Account
from tests.preflight.ready import set_quotas

TRAINING = "ml.g4dn.xlarge for training job usage"


def kennel(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["preflight", *arguments], catch_exceptions=False)


def test_an_account_that_has_everything_gets_a_short_table_and_one_sentence(account: Account) -> None:
    result = kennel()

    assert result.exit_code == 0
    lines = result.stdout.strip().splitlines()
    assert lines[-1] == "Nothing stands in the way (account 123456789012, eu-west-1)."
    assert sum(line.strip().endswith(" ok") for line in lines) == 10
    assert len(lines) < 20


def test_a_gap_is_a_line_with_its_command_and_exit_status_1(account: Account) -> None:
    set_quotas(account, {TRAINING: 0})

    result = kennel()

    assert result.exit_code == 1
    assert f"error The quota '{TRAINING}' is 0, but should be at least 2" in result.stdout
    assert "\n        aws service-quotas request-service-quota-increase --service-code sagemaker" in result.stdout
    assert "This deploy would fail" in result.stdout


def test_a_warning_does_not_end_with_status_1(account: Account) -> None:
    set_quotas(account, {"ml.m5.large for endpoint usage": 1})

    result = kennel()

    assert result.exit_code == 0
    assert "warning The quota 'ml.m5.large for endpoint usage' is 1" in result.stdout
    assert "No error (account 123456789012, eu-west-1). Read the lines above." in result.stdout


def test_the_options_are_those_of_make_deploy(account: Account) -> None:
    set_quotas(account, {TRAINING: 0})

    assert kennel("-c", "training.model_data=", "-c", "training.instance_count=4").exit_code == 1
    assert kennel("--stacks", "Storage Api").exit_code == 0


def test_an_empty_list_of_stacks_is_not_every_stack(account: Account) -> None:
    """A variable of CI that is not set: STACKS="$NAMES" make deploy."""
    with pytest.raises(EnvironmentRefusedError, match=r"STACKS is empty.* leave it out to deploy every stack"):
        kennel("--stacks", "")


def test_json_has_every_finding(account: Account) -> None:
    set_quotas(account, {TRAINING: 0})

    result = kennel("--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["passed"] is False
    assert [finding["subject"] for finding in found["findings"]] == ["quotas"]
    assert found["findings"][0].keys() == {"severity", "subject", "summary", "remedy", "otherwise"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-c", "serving.scaling.max_instance=5"], "There is no setting 'serving.scaling.max_instance'"),
        (["--stacks", "Servin"], "There is no stack 'Servin'. Did you mean Serving?"),
        (["-c", "kennel.environment=production"], "names another environment than 'development'"),
    ],
)
def test_a_mistake_is_one_sentence(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    from ops.cli import main

    monkeypatch.setattr("sys.argv", ["kennel", "preflight", *arguments])
    monkeypatch.setattr("signal.signal", lambda *_: None)  # the tests' own Ctrl-C stays what it is
    with pytest.raises(SystemExit) as end:
        main()

    assert end.value.code == 1
    assert says in capsys.readouterr().err


def test_make_preflight_passes_on_the_environment_the_stacks_and_the_options() -> None:
    script = planned("make preflight ENV=production STACKS='Serving Api' ARGS='-c serving.scaling.max_instances=5'")

    assert "bin/kennel --env 'production' preflight --stacks 'Serving Api' -c serving.scaling.max_instances=5" in script
    assert "deploy" in groups_of(script)
