"""The daily drift check of the serving stack, and what the monitoring stack says of it."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from inference.drift.comparison import MEASURES
from inference.drift.metrics import line
from ops.cost import estimate
from ops.preflight.quotas import sagemaker_needs
from stacks.common.metrics import DriftMetrics
from stacks.settings import SettingsError
from tests.infra.conftest import Assembly, Synthesise, load_settings
from tests.infra.monitoring import alarm, rules, widgets
from tests.infra.nag import findings
from tests.infra.runbook import headings
from tests.infra.serving import ENDPOINT, serving_resource
from tests.infra.test_preflight_covers import target

DAILY = (("serving.capture.percent", 10), ("monitoring.drift.daily", "true"))
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture
def daily(synthesise: Synthesise) -> Assembly:
    return synthesise(*DAILY)


def statements(assembly: Assembly, role: str) -> list[dict[str, Any]]:
    _, policy = serving_resource(assembly, "AWS::IAM::Policy", role)
    found: list[dict[str, Any]] = policy["Properties"]["PolicyDocument"]["Statement"]
    return found


def actions(assembly: Assembly, role: str) -> set[str]:
    found = [each["Action"] for each in statements(assembly, role)]
    return {action for each in found for action in _several(each)}


def test_there_is_no_check_by_default(development: Assembly) -> None:
    assert not [name for _, name, _ in development.resources("*") if "Drift" in name]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, r"serving\.capture\.percent is 0, but must be at least 1 with monitoring\.drift\.daily"),
        (
            {"serving.capture.percent": 10, "serving.capture.keep_days": 1},
            r"serving\.capture\.keep_days is 1, but must be at least 2 with monitoring\.drift\.daily",
        ),
    ],
)
def test_a_check_without_captured_calls_is_refused(settings: dict[str, Any], sentence: str) -> None:
    load_settings(settings)
    with pytest.raises(SettingsError, match=sentence):
        load_settings({**settings, "monitoring.drift.daily": "true"})


def test_the_check_starts_each_day_once_the_endpoint_exists(daily: Assembly) -> None:
    _, schedule = serving_resource(daily, "AWS::Scheduler::Schedule", "Drift")
    function, _ = serving_resource(daily, "AWS::Lambda::Function", "DriftFunction")
    ((_, endpoint, _),) = daily.resources("AWS::SageMaker::Endpoint")

    assert schedule["Properties"]["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert "ScheduleExpressionTimezone" not in schedule["Properties"]  # UTC, as the folders of captured calls
    assert schedule["Properties"]["Target"]["Arn"] == {"Fn::GetAtt": [function, "Arn"]}
    assert endpoint in schedule["DependsOn"]


def test_the_jobs_role_reads_captured_calls_and_writes_reports_and_nothing_else(daily: Assembly) -> None:
    reports = f"/capture/drift/{ENDPOINT}/*"
    objects = {"s3:GetObject": set[str](), "s3:PutObject": set[str]()}
    for each in statements(daily, "DriftJobRole"):
        for action in objects.keys() & set(_several(each["Action"])):
            objects[action] |= {arn["Fn::Join"][1][-1] for arn in _several(each["Resource"])}

    assert objects == {
        "s3:GetObject": {"/training/artifacts/*", f"/capture/{ENDPOINT}/AllTraffic/*", reports},
        "s3:PutObject": {reports},
    }


def _several(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def test_the_jobs_role_lists_what_it_reads(daily: Assembly) -> None:
    listed = [each for each in statements(daily, "DriftJobRole") if each["Action"] == "s3:ListBucket"]
    prefixes = str([each["Condition"]["StringLike"]["s3:prefix"] for each in listed])
    assert f"capture/{ENDPOINT}/AllTraffic/*" in prefixes
    assert f"capture/drift/{ENDPOINT}/*" in prefixes


def test_the_jobs_role_is_for_the_checks_of_this_environment_alone(daily: Assembly) -> None:
    _, role = serving_resource(daily, "AWS::IAM::Role", "DriftJobRole")
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    source = trust["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Join"][1][-1]
    (create,) = [each for each in statements(daily, "DriftFunctionRole") if "CreateProcessingJob" in str(each)]
    (passing,) = [each for each in statements(daily, "DriftFunctionRole") if each["Action"] == "iam:PassRole"]

    assert trust["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert source == create["Resource"]["Fn::Join"][1][-1] == ":processing-job/kennel-development-drift-*"
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    assert passing["Resource"]["Fn::GetAtt"][0].startswith("DriftJobRole")


def test_the_function_reads_no_captured_call(daily: Assembly) -> None:
    assert "s3:GetObject" not in actions(daily, "DriftFunctionRole")
    (listing,) = [each for each in statements(daily, "DriftFunctionRole") if each["Action"] == "s3:ListBucket"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": f"capture/{ENDPOINT}/AllTraffic/*"}}


def test_the_buckets_key_and_the_endpoints_network_are_the_jobs(synthesise: Synthesise) -> None:
    subnets = "subnet-00000000000000001,subnet-00000000000000002"
    groups = "sg-00000000000000001"
    assembly = synthesise(
        *DAILY,
        ("storage.kms_key_arn", KEY),
        ("serving.subnets", subnets),
        ("serving.security_groups", groups),
    )
    _, function = serving_resource(assembly, "AWS::Lambda::Function", "DriftFunction")
    variables = function["Properties"]["Environment"]["Variables"]

    assert (variables["KMS_KEY"], variables["SUBNETS"]) == (KEY, subnets.replace(",", " "))
    assert variables["SECURITY_GROUPS"] == groups
    assert {"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "ec2:CreateNetworkInterface"} <= actions(
        assembly, "DriftJobRole"
    )
    assert "kms:GenerateDataKey" in actions(assembly, "DriftFunctionRole")
    assert [found for found in findings(assembly.app) if found[1].startswith(("Serving/", "Storage/"))] == []


def test_a_figure_above_zero_is_an_alarm_and_a_day_without_one_is_none(daily: Assembly) -> None:
    found = alarm(daily, "Drifted")

    assert (found["Namespace"], found["MetricName"], found["Statistic"]) == ("Kennel", "Drift", "Maximum")
    assert found["Dimensions"] == [{"Name": "Endpoint", "Value": ENDPOINT}]
    assert (found["Period"], found["EvaluationPeriods"]) == (86_400, 1)
    assert (found["ComparisonOperator"], found["Threshold"]) == ("GreaterThanThreshold", 0)
    assert found["TreatMissingData"] == "notBreaching"
    assert len(found["AlarmActions"]) == 1


def test_a_check_that_fails_is_announced(daily: Assembly) -> None:
    rule = rules(daily)["DriftCheckFailed"]
    _, not_started = serving_resource(daily, "AWS::CloudWatch::Alarm", "DriftNotStarted")

    assert rule["EventPattern"]["detail"] == {
        "ProcessingJobName": [{"prefix": "kennel-development-drift-"}],
        "ProcessingJobStatus": ["Failed", "Stopped"],
    }
    assert not_started["Properties"]["MetricName"] == "Errors"
    for text in (
        rule["Description"],
        not_started["Properties"]["AlarmDescription"],
        alarm(daily, "Drifted")["AlarmDescription"],
    ):
        assert text.rpartition("#")[2] in headings()


def test_the_dashboard_shows_the_figures(daily: Assembly) -> None:
    metrics = [metric for widget in widgets(daily).values() for metric in widget.get("metrics", [])]
    shown = {metric[1] for metric in metrics if metric[0] == "Kennel" and metric[2:4] == ["Endpoint", ENDPOINT]}

    assert {"Drift", "DriftOfConfidence", "DriftOfBreeds", "DriftOfBrightness", "DriftOfSize", "Photos"} == shown


def test_the_figures_are_those_that_the_job_writes() -> None:
    figures = [SimpleNamespace(name=name, distance=0.2) for name in MEASURES]
    comparison: Any = SimpleNamespace(drift=0.1, photos=40, figures=figures)
    written = json.loads(line(comparison, namespace=DriftMetrics.namespace, dimension=("Endpoint", "dogs"), time_ms=0))
    (directive,) = written["_aws"]["CloudWatchMetrics"]

    assert {each["Name"] for each in directive["Metrics"]} == {"Drift", *DriftMetrics.distances, "Photos"}
    assert directive["Dimensions"] == [["Endpoint"]]


def test_the_cost_has_the_jobs_instance_and_the_canarys_calls_stay(daily: Assembly, synthesise: Synthesise) -> None:
    without = estimate(synthesise(DAILY[0]).folder, "us-east-1")
    with_check = estimate(daily.folder, "us-east-1")
    job = sum(line.usd("idle") for line in with_check.lines if line.charge.what.startswith("drift check, 1 x"))

    assert job == pytest.approx(365 / 12 * 8 / 60 * 0.115, rel=0.01)  # minutes a day at the hour's price
    # the job, its volume, two alarms and the function's lines: the schedule adds no call of the canary
    assert job < with_check.idle_month_usd - without.idle_month_usd < job + 0.5
    assert with_check.without_price == without.without_price


def test_preflight_asks_for_the_quota_of_the_jobs_instance() -> None:
    found = [need for need in sagemaker_needs(target(**dict(DAILY))) if "processing" in need.name]

    assert [need.name for need in found] == ["ml.m5.large for processing job usage"]
    assert "processing" not in str(list(sagemaker_needs(target())))
