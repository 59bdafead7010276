"""`kennel sweep --yes` asks about each resource, deletes what was confirmed, and says what it did not delete."""

import json
import os
import re
import signal

import pytest

from ops.sweep import table
from ops.sweep.found import Found
from ops.sweep.run import delete, sweep
from tests.operate.moto_account import (
    AUTO_DELETE,
    SMOKE,
    buckets,
    client,
    kennel,
    make_bucket,
    make_endpoint,
    make_volume,
)
from tests.preflight.account import Account, denied


@pytest.fixture(autouse=True)
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """typer's runner has no file number, for which the question waits."""
    monkeypatch.setattr("ops.question.select.select", lambda files, *_: (files, [], []))


def volumes() -> list[str]:
    return [each["VolumeId"] for each in client("ec2").describe_volumes()["Volumes"]]


def endpoints() -> list[str]:
    return [each["EndpointName"] for each in client("sagemaker").list_endpoints()["Endpoints"]]


def test_each_resource_is_asked_about_in_the_order_of_its_price(account: Account) -> None:
    make_bucket("gone", {**SMOKE, **AUTO_DELETE})
    make_endpoint("kennel-smoke-classifier")
    volume = make_volume()

    result = kennel("--env", "smoke", "--yes", answers="y\nn\ny\n")

    assert re.findall(r"(Delete the [^(]+) \(", result.stdout) == [
        "Delete the endpoint kennel-smoke-classifier",
        f"Delete the volume {volume}",
        "Delete the bucket gone",
    ]
    assert (endpoints(), volumes(), buckets()) == ([], [volume], [])
    assert result.exit_code == 3
    assert "2 deleted. 1 resource bills 0.26 USD a day" in result.stdout


def test_everything_that_was_confirmed_is_deleted_and_the_status_is_0(account: Account) -> None:
    make_bucket("gone", {**SMOKE, **AUTO_DELETE})

    result = kennel("--env", "smoke", "--yes", answers="y\n")

    assert (result.exit_code, buckets()) == (0, [])
    assert "1 deleted. Nothing bills" in result.stdout


@pytest.mark.parametrize("answer", ["", "\n", "yep\n"])
def test_only_y_deletes(account: Account, answer: str) -> None:
    volume = make_volume()

    result = kennel("--env", "smoke", "--yes", answers=answer)

    assert (result.exit_code, volumes()) == (3, [volume])


def test_what_aws_does_not_delete_is_said_and_the_rest_is_deleted(account: Account) -> None:
    volume = make_volume()
    make_endpoint("kennel-smoke-classifier")
    account.refuse("sagemaker.DeleteEndpoint", denied("sagemaker:DeleteEndpoint"))

    result = kennel("--env", "smoke", "--yes", answers="y\ny\n")

    assert (result.exit_code, endpoints(), volumes()) == (3, ["kennel-smoke-classifier"], [])
    assert "The endpoint kennel-smoke-classifier was not deleted: " in result.stderr
    assert "not authorized to perform: sagemaker:DeleteEndpoint" in result.stdout
    assert f"The volume {volume} is deleted." in result.stdout


def test_json_is_printed_after_the_deletion_and_the_questions_are_not_in_it(account: Account) -> None:
    volume = make_volume()

    result = kennel("--env", "smoke", "--yes", "--json", answers="y\n")

    (found,) = json.loads(result.stdout)["found"]
    assert (found["name"], found["deleted"]) == (volume, True)
    assert "[y/N]" in result.stderr


def test_an_interruption_leaves_the_rest_and_says_what_is_left(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_endpoint("kennel-smoke-classifier")
    volume = make_volume()
    answers = iter([True])

    def answered(*_: object, **__: object) -> bool:
        try:
            return next(answers)
        except StopIteration:
            raise SystemExit(128 + signal.SIGINT) from None  # what the handler of Ctrl-C raises

    monkeypatch.setattr("ops.question.answered_yes", answered)

    result = kennel("--env", "smoke", "--yes")

    assert result.exit_code == 130
    assert (endpoints(), volumes()) == ([], [volume])
    assert "1 deleted. 1 resource bills 0.26 USD a day" in result.stdout


def test_a_bucket_that_is_half_empty_is_continued(account: Account) -> None:
    make_bucket("gone", {**SMOKE, **AUTO_DELETE})
    version = client("s3").list_object_versions(Bucket="gone")["Versions"][0]
    client("s3").delete_object(Bucket="gone", Key=version["Key"], VersionId=version["VersionId"])
    swept = sweep("smoke", [], lambda *_: None)

    (after,) = delete(swept, lambda _: True, lambda *_: None)

    assert (after.deleted, buckets()) == (True, [])


def test_an_object_that_s3_does_not_delete_is_said(account: Account) -> None:
    """S3 answers with status 200 and a list of errors."""
    make_bucket("gone", {**SMOKE, **AUTO_DELETE})
    refused = {"Key": "data/photo.jpg", "Code": "AccessDenied", "Message": "Access Denied"}
    account.answer("s3.DeleteObjects", {"Errors": [refused]})

    result = kennel("--env", "smoke", "--yes", answers="y\n")

    assert (result.exit_code, buckets()) == (3, ["gone"])
    assert "The bucket gone was not deleted: data/photo.jpg: Access Denied" in result.stderr


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("endpoint", "Delete the endpoint a "),
        ("training job", "Stop the "),
        ("processing job", "Stop the "),
        ("KMS key", "Schedule the deletion of the "),
    ],
)
def test_the_question_says_what_is_done_and_what_it_costs(kind: str, words: str) -> None:
    found = Found(kind=kind, region="us-east-1", name="a", about="1 ml.m5.large", usd_day=2.9)

    assert table.question(found).startswith(words)
    assert table.question(found).endswith("in us-east-1, 2.90 USD a day? [y/N] ")
    assert os.linesep not in table.question(found)
