"""The engine's alarms: evaluated at the minutes of the clock, and shown to a role that may describe one of them."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.cloud.conftest import Client
from tests.cloud.engine_process import run_in_engine
from tests.patience import wait_until

TRUST = {
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}
    ]
}


def alarm(client: Client, name: str, variant: str) -> str:
    """An alarm on the errors of a variant. Returns its ARN."""
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": "VariantName", "Value": variant}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    return str(cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["AlarmArn"])


def state(client: Any, name: str) -> str:
    return str(client.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])


def test_an_alarm_sees_its_own_dimensions_and_the_minutes_of_the_clock(client: Client) -> None:
    cloudwatch, name, other = client("cloudwatch"), uuid4().hex, uuid4().hex
    alarm(client, name, name)
    alarm(client, other, other)
    errors = {"MetricName": "Invocation5XXErrors", "Value": 9, "Dimensions": [{"Name": "VariantName", "Value": name}]}
    cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=[errors])

    assert wait_until(lambda: state(cloudwatch, name) == "ALARM")
    assert wait_until(lambda: state(cloudwatch, other) != "INSUFFICIENT_DATA")
    assert state(cloudwatch, other) == "OK"
    assert wait_until(lambda: state(cloudwatch, name) == "OK")  # some minutes later, which are seconds


def test_a_role_that_may_describe_one_alarm_describes_it(client: Client) -> None:
    name, other = uuid4().hex, uuid4().hex
    allowed = {"Effect": "Allow", "Action": "cloudwatch:DescribeAlarms", "Resource": alarm(client, name, name)}
    alarm(client, other, other)
    iam = client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="one", PolicyDocument=json.dumps({"Statement": [allowed]}))
    keys = client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    as_role = client(
        "cloudwatch",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )

    assert state(as_role, name) in ("OK", "INSUFFICIENT_DATA")
    for names in ([other], []):
        with pytest.raises(ClientError, match="AccessDenied"):
            as_role.describe_alarms(AlarmNames=names)


KEPT = """
from ministack.services import cloudwatch
from rehearsal.cloud.engine.cloudwatch import CloudWatch

found = CloudWatch(lambda: None)
cloudwatch._store_datum("Any", "Metric", {}, 1.0, "Count", 1.0, None, None, None)
cloudwatch._evict_old_metrics()
print(len(found.samples("Any", "Metric", [], 0)))
"""


def test_a_request_does_not_look_at_the_age_of_every_point(tmp_path: Path) -> None:
    """After some hours that takes about 40 ms, in which the engine answers no other request."""
    assert run_in_engine(KEPT, tmp_path).stdout == "1\n"
