"""README's part "On AWS", played from a fresh clone by the real CDK command line up to what only AWS can answer."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.account.account import Account
from tests.account.readme import FINDS_GAPS, Played, commands, fresh_clone
from tests.builders import LABELS
from tests.packages import ROOT

pytestmark = pytest.mark.slow  # the real CDK command line synthesises and polls: two to three minutes


@dataclass(frozen=True, slots=True)
class Seen:
    """A command, and the account after it."""

    played: Played
    stacks: dict[str, str]
    """Names and states."""
    photos: list[str]
    """Keys below data/ in the bucket of the storage stack."""
    endpoints: list[str]
    weights: list[str]
    """URIs of the weights in the bucket of the storage stack."""
    pretrained: str | None
    """From which weights the training job starts."""


def look(account: Account, played: Played) -> Seen:
    stacks = account.cloudformation.stacks
    storage = stacks.get("kennel-storage")
    keys: list[str] = []
    bucket = storage.outputs.get("BucketName", "") if storage else ""
    if bucket:
        keys = [each["Key"] for each in account.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]
    jobs = [
        resource.properties
        for stack in stacks.values()
        for resource in stack.resources.values()
        if resource.type == "Custom::TrainingJob"
    ]
    return Seen(
        played=played,
        stacks={name: stack.status for name, stack in stacks.items()},
        photos=[key for key in keys if key.startswith("data/")],
        endpoints=[each["EndpointName"] for each in account.client("sagemaker").list_endpoints()["Endpoints"]],
        weights=[f"s3://{bucket}/{key}" for key in keys if key.startswith("weights/")],
        pretrained=jobs[0]["Pretrained"] if jobs else None,
    )


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, Seen]]:
    """Each command of README's part, without its comment, to what was seen after it."""
    if subprocess.run(["git", "rev-parse"], cwd=ROOT, capture_output=True).returncode:
        pytest.skip("this folder is no git repository, so it cannot be cloned")
    with fresh_clone() as (account, clone):
        found = {}
        for line in commands((clone.folder / "README.md").read_text()):
            played = clone.play(line)
            print(played.command, played.answered_by, dict(played.recorded), played.ended.output, sep="\n")
            found[played.command] = look(account, played)
        yield found


def test_every_command_ends_well_that_does_not_look_for_gaps(seen: dict[str, Seen]) -> None:
    assert {command for command, one in seen.items() if one.played.ended.status} == FINDS_GAPS


@pytest.mark.parametrize("command", ["make synth", "make cost"])
def test_what_needs_no_account_asks_aws_nothing(seen: dict[str, Seen], command: str) -> None:
    assert not seen[command].played.calls


def test_preflight_finds_the_steps_to_come_and_no_other_error(seen: dict[str, Seen]) -> None:
    errors = re.findall(r"^error .*\n +(.*)", seen["make preflight"].played.ended.output, re.MULTILINE)
    assert errors == ["make bootstrap", "make deploy STACKS=Storage, then make data-upload DIR=dogImages"]
    assert seen["make preflight"].stacks == {}


def test_bootstrap_makes_what_cdk_publishes_to(seen: dict[str, Seen]) -> None:
    assert seen["make bootstrap"].stacks == {"CDKToolkit": "CREATE_COMPLETE"}


def test_deploying_storage_makes_the_alarms_and_the_budget_before_it_and_no_other_stack(seen: dict[str, Seen]) -> None:
    assert seen["make deploy STACKS=Storage"].stacks == {
        "CDKToolkit": "CREATE_COMPLETE",
        "kennel-monitoring": "CREATE_COMPLETE",
        "kennel-budget": "CREATE_COMPLETE",
        "kennel-storage": "CREATE_COMPLETE",
    }


def test_the_photos_are_in_the_bucket_of_the_storage_stack(seen: dict[str, Seen]) -> None:
    photos = seen["make data-upload DIR=dogImages"].photos
    assert {key.split("/")[1] for key in photos} == {"train", "valid", "test"}
    assert len(photos) == 36


def test_the_training_starts_from_the_weights_that_were_sent_to_the_bucket(seen: dict[str, Seen]) -> None:
    (uri,) = seen["make weights-upload"].weights
    deploy = seen["make deploy"]
    assert deploy.pretrained == uri
    assert "downloads ImageNet's weights" not in deploy.played.ended.output
    assert "downloads ImageNet's weights while it is billed" in seen["make deploy STACKS=Storage"].played.ended.output


def test_a_deploy_makes_every_stack_and_the_endpoint(seen: dict[str, Seen]) -> None:
    after = seen["make deploy"]
    assert set(after.stacks.values()) == {"CREATE_COMPLETE"}
    assert {"kennel-training", "kennel-serving", "kennel-api", "kennel-monitoring"} <= set(after.stacks)
    assert after.endpoints == ["pytorch-dog-classifier-multi-instance"]


def test_a_deploy_of_everything_asks_once_and_makes_the_workbench_last(seen: dict[str, Seen]) -> None:
    after = seen["make deploy"]
    assert after.played.ended.questions == 1
    _, *made = after.stacks  # the first is CDK's own
    assert made[:3] == ["kennel-monitoring", "kennel-budget", "kennel-storage"]
    assert made[-1] == "kennel-workbench"


def test_the_training_and_the_image_are_what_only_aws_can_answer(seen: dict[str, Seen]) -> None:
    assert {"Custom::TrainingJob", "Custom::CDKContainerImageBuild", "Custom::EndpointCheck"} <= set(
        seen["make deploy"].played.recorded
    )


def test_the_function_answers_with_the_code_that_the_deploy_has_published(seen: dict[str, Seen]) -> None:
    command, after = next((command, one) for command, one in seen.items() if "kennel predict" in command)
    assert after.played.calls["lambda:Invoke"] == 1, command
    assert all(label in after.played.ended.output for label in LABELS)


def test_a_destroy_leaves_the_bootstrap_alone(seen: dict[str, Seen]) -> None:
    last = seen["make destroy"]
    assert last.stacks == {"CDKToolkit": "CREATE_COMPLETE"}
    assert last.endpoints == []


def test_the_deploys_and_the_destroy_ask_one_question_each_and_nothing_else_asks(seen: dict[str, Seen]) -> None:
    asked = {command: one.played.ended.questions for command, one in seen.items() if one.played.ended.questions}
    assert asked == {"make deploy STACKS=Storage": 1, "make deploy": 1, "make destroy": 1}
