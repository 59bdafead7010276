"""What the engine's services do by themselves is decided as the role, or the service, that AWS uses."""

import io
import json
import zipfile
from collections.abc import Iterable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from rehearsal.cloud.calls import Call, read_calls
from rehearsal.cloud.local import LocalAws
from tests.cloud.conftest import Client
from tests.cloud.engine_process import run_in_engine
from tests.patience import wait_until

CODE = "exports.handler = async (event) => { if (event.fail) throw new Error('failed'); return 1; };"
ALLOW = {"Effect": "Allow", "Resource": "*"}


def role(client: Client, service: str, *actions: str) -> str:
    """Returns the ARN of a role that a service may assume."""
    name = f"role-{uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
    made = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    if actions:
        document = json.dumps({"Statement": [{**ALLOW, "Action": list(actions)}]})
        client("iam").put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=document)
    return str(made["Role"]["Arn"])


def archive() -> bytes:
    """The package of a Node.js function that returns 1, or fails if its event says so."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as files:
        files.writestr("index.js", CODE)
    return written.getvalue()


def function(client: Client, **more: Any) -> str:
    """Returns the ARN of a Node.js function."""
    settings = {"Role": role(client, "lambda.amazonaws.com"), **more}
    made = client("lambda").create_function(
        FunctionName=f"function-{uuid4().hex[:8]}",
        Runtime="nodejs22.x",
        Handler="index.handler",
        Code={"ZipFile": archive()},
        **settings,
    )
    return str(made["FunctionArn"])


def calls_on(aws: LocalAws, resource: str, action: str) -> list[Call]:
    return [call for call in read_calls(aws.folder, resource) if call.resource == resource and call.action == action]


def outcomes(calls: Iterable[Call]) -> set[tuple[str, str]]:
    return {(call.role or call.principal, call.denied) for call in calls}


@pytest.mark.parametrize("rights", [["lambda:InvokeFunction"], []])
def test_a_state_machine_invokes_a_function_with_its_role(
    client: Client, local_aws: LocalAws, rights: list[str]
) -> None:
    arn, machine_role = function(client), role(client, "states.amazonaws.com", *rights)
    definition = {"StartAt": "Call", "States": {"Call": {"Type": "Task", "Resource": arn, "End": True}}}
    machine = client("stepfunctions").create_state_machine(
        name=f"machine-{uuid4().hex[:8]}", definition=json.dumps(definition), roleArn=machine_role
    )
    execution = client("stepfunctions").start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]

    def state() -> Any:
        return client("stepfunctions").describe_execution(executionArn=execution)

    assert wait_until(lambda: state()["status"] != "RUNNING")
    name = machine_role.rpartition("/")[2]
    if rights:
        assert state()["status"] == "SUCCEEDED"
        assert outcomes(calls_on(local_aws, arn, "lambda:InvokeFunction")) == {(name, "")}
    else:
        assert (state()["status"], state()["error"]) == ("FAILED", "States.Permissions")
        assert "is not authorized to perform: lambda:InvokeFunction" in state()["cause"]
        assert outcomes(calls_on(local_aws, arn, "lambda:InvokeFunction")) == {(name, "ImplicitDeny")}


@pytest.mark.parametrize("rights", [["lambda:InvokeFunction"], []])
def test_a_schedule_invokes_a_function_with_its_role(client: Client, local_aws: LocalAws, rights: list[str]) -> None:
    arn, schedule_role = function(client), role(client, "scheduler.amazonaws.com", *rights)
    client("scheduler").create_schedule(
        Name=f"schedule-{uuid4().hex[:8]}",
        ScheduleExpression="at(2020-01-01T00:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": schedule_role},
    )

    assert wait_until(lambda: bool(calls_on(local_aws, arn, "lambda:InvokeFunction")))

    expected = {(schedule_role.rpartition("/")[2], "" if rights else "ImplicitDeny")}
    assert outcomes(calls_on(local_aws, arn, "lambda:InvokeFunction")) == expected


def test_a_minute_of_a_schedule_is_one_of_the_faster_clock(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from rehearsal.cloud.engine import Ministack; "
        "from ministack.services import eventbridge; "
        "Ministack('', Path()).run_schedules(20); "
        "print([eventbridge._parse_rate_seconds(each) for each in ('rate(1 minute)', 'rate(2 hours)', 'cron(0 1)')])"
    )

    assert run_in_engine(program, tmp_path).stdout.strip() == "[3.0, 360.0, None]"


@pytest.mark.parametrize("permitted", [True, False])
def test_a_rule_invokes_a_function_that_lets_it(client: Client, local_aws: LocalAws, permitted: bool) -> None:
    arn, name = function(client), f"rule-{uuid4().hex[:8]}"
    rule = client("events").put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))["RuleArn"]
    if permitted:
        client("lambda").add_permission(
            FunctionName=arn,
            StatementId="rule",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=rule,
        )
    client("events").put_targets(Rule=name, Targets=[{"Id": "function", "Arn": arn}])

    client("events").put_events(Entries=[{"Source": name, "DetailType": "any", "Detail": "{}"}])

    assert wait_until(lambda: bool(calls_on(local_aws, arn, "lambda:InvokeFunction")))
    expected = {("events.amazonaws.com", "" if permitted else "ImplicitDeny")}
    assert outcomes(calls_on(local_aws, arn, "lambda:InvokeFunction")) == expected


@pytest.mark.parametrize("permitted", [True, False])
def test_a_topic_invokes_a_function_that_lets_it(client: Client, local_aws: LocalAws, permitted: bool) -> None:
    arn = function(client)
    topic = client("sns").create_topic(Name=f"topic-{uuid4().hex[:8]}")["TopicArn"]
    if permitted:
        client("lambda").add_permission(
            FunctionName=arn,
            StatementId="topic",
            Action="lambda:InvokeFunction",
            Principal="sns.amazonaws.com",
            SourceArn=topic,
        )
    client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)

    client("sns").publish(TopicArn=topic, Message="any")

    assert wait_until(lambda: bool(calls_on(local_aws, arn, "lambda:InvokeFunction")))
    expected = {("sns.amazonaws.com", "" if permitted else "ImplicitDeny")}
    assert outcomes(calls_on(local_aws, arn, "lambda:InvokeFunction")) == expected


@pytest.mark.parametrize("principal", ["cloudwatch.amazonaws.com", "events.amazonaws.com"])
@pytest.mark.parametrize("encrypted_for", ["", "cloudwatch.amazonaws.com", "events.amazonaws.com"])
def test_an_alarm_publishes_to_a_topic_that_lets_it(
    client: Client, local_aws: LocalAws, principal: str, encrypted_for: str
) -> None:
    """The topic's policy names it, and so does that of the topic's key if it has one."""
    topic = client("sns").create_topic(Name=f"topic-{uuid4().hex[:8]}")["TopicArn"]
    if encrypted_for:
        statements = [
            {**ALLOW, "Action": "kms:*", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}},
            {**ALLOW, "Action": ["kms:GenerateDataKey*", "kms:Decrypt"], "Principal": {"Service": encrypted_for}},
        ]
        key = client("kms").create_key(Policy=json.dumps({"Statement": statements}))["KeyMetadata"]["KeyId"]
        client("sns").set_topic_attributes(TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue=key)
    queue = client("sqs").create_queue(QueueName=f"queue-{uuid4().hex[:8]}")["QueueUrl"]
    queue_arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    policy = {**ALLOW, "Action": "sns:Publish", "Principal": {"Service": principal}}
    client("sns").set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({"Statement": [policy]})
    )
    delivery = {**ALLOW, "Action": "sqs:SendMessage", "Principal": {"Service": "sns.amazonaws.com"}}
    client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Statement": [delivery]})})
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    alarm = f"alarm-{uuid4().hex[:8]}"
    client("cloudwatch").put_metric_alarm(
        AlarmName=alarm,
        AlarmActions=[topic],
        Namespace="any",
        MetricName="any",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )

    client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="any")

    assert wait_until(lambda: bool(calls_on(local_aws, topic, "sns:Publish")))
    received = client("sqs").receive_message(QueueUrl=queue).get("Messages", [])
    assert len(received) == ({principal, encrypted_for} <= {"cloudwatch.amazonaws.com", ""})


@pytest.mark.parametrize("rights", [["sqs:SendMessage"], []])
def test_a_failed_event_goes_to_the_queue_with_the_functions_role(
    client: Client, local_aws: LocalAws, rights: list[str]
) -> None:
    queue = client("sqs").create_queue(QueueName=f"queue-{uuid4().hex[:8]}")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    function_role = role(client, "lambda.amazonaws.com", *rights)
    name = function(client, Role=function_role, DeadLetterConfig={"TargetArn": arn})
    client("lambda").put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)

    client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"fail": True}))

    assert wait_until(lambda: bool(calls_on(local_aws, arn, "sqs:SendMessage")))
    received = client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=2).get("Messages", [])
    assert len(received) == len(rights)


@pytest.mark.parametrize("permitted", [True, False])
def test_an_http_api_invokes_a_function_that_lets_it(client: Client, local_aws: LocalAws, permitted: bool) -> None:
    arn = function(client)
    gateway = client("apigatewayv2")
    api = gateway.create_api(Name="any", ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    gateway.create_route(ApiId=api, RouteKey="GET /any", Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    if permitted:
        client("lambda").add_permission(
            FunctionName=arn,
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{api}/*/GET/any",
        )
    connection = HTTPConnection("127.0.0.1", local_aws.settings.port, timeout=60)
    address = local_aws.http_api(f"https://{api}.execute-api.us-east-1.amazonaws.com/")
    connection.request("GET", f"{urlsplit(address).path}any")
    status = connection.getresponse().status
    connection.close()

    assert status == (200 if permitted else 500)
    expected = {("apigateway.amazonaws.com", "" if permitted else "ImplicitDeny")}
    assert outcomes(calls_on(local_aws, arn, "lambda:InvokeFunction")) == expected
