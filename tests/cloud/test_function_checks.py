"""A function whose role lacks what its configuration needs is refused at its creation, as Lambda refuses it."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.cloud.conftest import Client
from tests.patience import wait_until

TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
RIGHTS = ("sqs:SendMessage", "xray:PutTraceSegments")


def template(*rights: str, service: str = "lambda.amazonaws.com", traced: bool = True) -> dict[str, Any]:
    """A function with a dead-letter queue, and its role."""
    statements = [{"Effect": "Allow", "Action": right, "Resource": "*"} for right in rights]
    role = {
        "AssumeRolePolicyDocument": {"Statement": [{**TRUST, "Principal": {"Service": service}}]},
        "Policies": [{"PolicyName": "rights", "PolicyDocument": {"Statement": statements}}] if rights else [],
    }
    function = {
        "Runtime": "nodejs22.x",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": "exports.handler = async () => 1;"},
        "DeadLetterConfig": {"TargetArn": {"Fn::GetAtt": ["Queue", "Arn"]}},
        "TracingConfig": {"Mode": "Active" if traced else "PassThrough"},
    }
    return {
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        }
    }


def created(client: Client, body: dict[str, Any]) -> tuple[str, str]:
    """The stack's status at its end, and why the function was not created."""
    cloudformation, name = client("cloudformation"), f"stack-{uuid4().hex[:8]}"
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"])

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    assert wait_until(lambda: not status().endswith("IN_PROGRESS"))
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    reasons = [
        event["ResourceStatusReason"]
        for event in events
        if event["LogicalResourceId"] == "Function" and event["ResourceStatus"] == "CREATE_FAILED"
    ]
    return status(), reasons[0] if reasons else ""


def test_a_function_whose_role_has_the_rights_is_created(client: Client) -> None:
    assert created(client, template(*RIGHTS)) == ("CREATE_COMPLETE", "")


@pytest.mark.parametrize(
    ("lacking", "sentence"),
    [("sqs:SendMessage", "SendMessage on SQS"), ("xray:PutTraceSegments", "PutTraceSegments on XRAY")],
)
def test_a_function_whose_role_lacks_a_right_is_refused(client: Client, lacking: str, sentence: str) -> None:
    rights = [right for right in RIGHTS if right != lacking]

    status, reason = created(client, template(*rights))

    assert status == "ROLLBACK_COMPLETE"
    assert f"The provided execution role does not have permissions to call {sentence}" in reason


def test_a_function_without_tracing_needs_no_right_to_trace(client: Client) -> None:
    assert created(client, template("sqs:SendMessage", traced=False))[0] == "CREATE_COMPLETE"


def test_a_function_whose_role_trusts_another_service_is_refused(client: Client) -> None:
    status, reason = created(client, template(*RIGHTS, service="ec2.amazonaws.com"))

    assert status == "ROLLBACK_COMPLETE"
    assert "The role defined for the function cannot be assumed by Lambda." in reason
