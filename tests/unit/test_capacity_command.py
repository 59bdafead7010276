"""`kennel capacity`: its options, exit codes, JSON, and the time that it reads from the deployed endpoint."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.stub import ANY, Stubber
from typer.testing import CliRunner

from ops.capacity.errors import CapacityError
from ops.capacity.measured import photo_s
from ops.cli import app
from ops.commands.capacity import UNANSWERED

QUICK = ["capacity", "--rps", "1", "--minutes", "2", "--region", "us-east-1"]


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KENNEL_ENV", raising=False)
    keys = {"AWS_ACCESS_KEY_ID": "AKIAANY", "AWS_SECRET_ACCESS_KEY": "any", "AWS_EC2_METADATA_DISABLED": "true"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)


def test_it_prints_the_needs_the_table_and_what_they_rest_on() -> None:
    ran = CliRunner().invoke(app, QUICK)

    assert ran.exit_code == 0
    for text in ("The scaling rule asks for 3 instances", "p95, ms", "0 refused", "Basis", "docs/decisions/0092"):
        assert text in ran.stdout


def test_the_json_adds_up() -> None:
    ran = CliRunner().invoke(app, [*QUICK, "--json"])

    found = json.loads(ran.stdout)
    assert found["instances_by_rule"] == 3
    assert found["all"]["calls"] == sum(minute["calls"] for minute in found["minutes"])
    assert len(found["minutes"]) == 2


def test_a_setting_changes_the_fleet() -> None:
    bounds = ["-c", "serving.scaling.min_instances=4", "-c", "serving.scaling.max_instances=4"]

    ran = CliRunner().invoke(app, [*QUICK, *bounds, "-c", "serving.initial_instances=4", "--json"])

    assert json.loads(ran.stdout)["all"]["most_instances"] == 4


def test_refused_and_late_calls_are_an_exit_code() -> None:
    ran = CliRunner().invoke(app, [*QUICK, "--photo-ms", "40000", "--json"])

    assert ran.exit_code == UNANSWERED
    found = json.loads(ran.stdout)["all"]
    assert found["refused"] > 0
    assert found["late"] > 0


def test_without_minutes_it_prints_what_the_load_needs_alone() -> None:
    ran = CliRunner().invoke(app, ["capacity", "--rps", "100000", "--minutes", "0", "--region", "us-east-1"])

    assert ran.exit_code == 0
    assert "asks for 240,000 instances" in ran.stdout
    assert "p95" not in ran.stdout


def test_a_trace_and_a_picture(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("0,30\n1,60\n")
    picture = tmp_path / "load.png"

    ran = CliRunner().invoke(app, ["capacity", "--trace", str(tmp_path / "trace.csv"), "--plot", str(picture)])

    assert ran.exit_code == 0
    assert "The busiest minute has 1 call a second" in ran.stdout
    assert picture.stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "give either --rps or --trace"),
        (["--rps", "1", "--trace", "file"], "give either --rps or --trace"),
        (["--rps", "1", "--measured", "--photo-ms", "5"], "give either --measured or --photo-ms"),
        (["--rps", "nan"], "it must be 0 to 1000000"),
        (["--rps", "-1"], "it must be 0 to 1000000"),
        (["--rps", "1", "--minutes", "100000"], "it must be 0 to 10080"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: list[str], sentence: str) -> None:
    ran = CliRunner().invoke(app, ["capacity", *options], terminal_width=200)

    assert ran.exit_code == 2
    assert sentence in ran.stderr


def test_the_picture_s_name_is_checked_before_the_work(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, [*QUICK, "--plot", str(tmp_path / "load.svg")])

    assert ran.exit_code == 1
    assert "does not end with .png" in str(ran.exception)


# -- the deployed endpoint


@pytest.fixture
def sagemaker() -> Iterator[Stubber]:
    with Stubber(boto3.client("sagemaker", region_name="us-east-1")) as stubber:
        yield stubber


@pytest.fixture
def cloudwatch() -> Iterator[Stubber]:
    with Stubber(boto3.client("cloudwatch", region_name="us-east-1")) as stubber:
        yield stubber


def describe(sagemaker: Stubber) -> None:
    now = datetime.now(UTC)
    endpoint = {
        "EndpointName": "dogs",
        "EndpointArn": "arn:aws:sagemaker:us-east-1:111122223333:endpoint/dogs",
        "EndpointConfigName": "dogs",
        "EndpointStatus": "InService",
        "CreationTime": now,
        "LastModifiedTime": now,
        "ProductionVariants": [{"VariantName": "AllTraffic"}],
    }
    sagemaker.add_response("describe_endpoint", endpoint, {"EndpointName": "dogs"})


ASKED = {
    "Namespace": "AWS/SageMaker",
    "MetricName": "ModelLatency",
    "Dimensions": [{"Name": "EndpointName", "Value": "dogs"}, {"Name": "VariantName", "Value": "AllTraffic"}],
    "StartTime": ANY,
    "EndTime": ANY,
    "Period": 86_400,
    "ExtendedStatistics": ["p50"],
}


def test_the_median_of_the_endpoint_s_latency_is_read_in_seconds(sagemaker: Stubber, cloudwatch: Stubber) -> None:
    describe(sagemaker)
    points = [
        {"Timestamp": datetime(2026, 1, day, tzinfo=UTC), "ExtendedStatistics": {"p50": value}}
        for day, value in ((2, 31_000.0), (1, 99_000.0))
    ]
    cloudwatch.add_response("get_metric_statistics", {"Datapoints": points}, ASKED)

    assert photo_s(sagemaker.client, cloudwatch.client, "dogs") == pytest.approx(0.031)


def test_an_endpoint_without_calls_is_a_sentence(sagemaker: Stubber, cloudwatch: Stubber) -> None:
    describe(sagemaker)
    cloudwatch.add_response("get_metric_statistics", {"Datapoints": []}, ASKED)

    with pytest.raises(CapacityError, match="has answered no call in the last 24 hours"):
        photo_s(sagemaker.client, cloudwatch.client, "dogs")


def test_an_endpoint_that_is_not_there_is_a_sentence(sagemaker: Stubber, cloudwatch: Stubber) -> None:
    sagemaker.add_client_error("describe_endpoint", "ValidationException", 'Could not find endpoint "dogs".')

    with pytest.raises(CapacityError, match="There is no endpoint dogs"):
        photo_s(sagemaker.client, cloudwatch.client, "dogs")
