"""What CloudFormation does for a stack is decided as the role that it was given."""

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.cloud.conftest import Client
from tests.cloud.test_calls import Caller, statement
from tests.cloud.test_service_calls import role
from tests.patience import wait_until

QUEUE = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}


def deployed(client: Client, template: dict[str, Any], *rights: str) -> tuple[str, list[str]]:
    """The status of a stack that is deployed with a role that has these rights, and its events' reasons."""
    cloudformation, name = client("cloudformation"), f"stack-{uuid4().hex[:8]}"
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM"],
        RoleARN=role(client, "cloudformation.amazonaws.com", *rights),
    )

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    assert wait_until(lambda: not status().endswith("IN_PROGRESS"))
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    return status(), [event.get("ResourceStatusReason", "") for event in events]


def function(passed: str) -> dict[str, Any]:
    """A template with a function that has a role."""
    properties = {
        "Runtime": "nodejs22.x",
        "Handler": "index.handler",
        "Role": passed,
        "Code": {"ZipFile": "exports.handler = async () => 1;"},
    }
    return {"Resources": {"Function": {"Type": "AWS::Lambda::Function", "Properties": properties}}}


def test_a_role_with_the_right_creates_the_resource(client: Client) -> None:
    assert deployed(client, QUEUE, "sqs:CreateQueue")[0] == "CREATE_COMPLETE"


def test_a_role_without_the_right_creates_nothing_and_says_which_right_lacks(client: Client) -> None:
    status, reasons = deployed(client, QUEUE, "sqs:SendMessage")

    assert status == "ROLLBACK_COMPLETE"
    assert any("is not authorized to perform: sqs:CreateQueue" in reason for reason in reasons)


@pytest.mark.parametrize("rights", [["lambda:CreateFunction", "iam:PassRole"], ["lambda:CreateFunction"]])
def test_a_functions_role_is_passed_to_lambda(client: Client, rights: list[str]) -> None:
    passed = role(client, "lambda.amazonaws.com")

    status, reasons = deployed(client, function(passed), *rights)

    assert status == ("CREATE_COMPLETE" if "iam:PassRole" in rights else "ROLLBACK_COMPLETE")
    refused = f"is not authorized to perform: iam:PassRole on resource: {passed}"
    assert any(refused in reason for reason in reasons) == ("iam:PassRole" not in rights)


def test_a_caller_without_the_right_to_pass_the_role_is_refused(client: Client) -> None:
    passed = role(client, "cloudformation.amazonaws.com", "sqs:CreateQueue")
    caller = Caller(client, [statement("cloudformation:CreateStack")])

    with pytest.raises(ClientError, match="is not authorized to perform: iam:PassRole"):
        caller("cloudformation").create_stack(StackName="refused", TemplateBody=json.dumps(QUEUE), RoleARN=passed)


def test_a_role_that_another_service_may_assume_is_refused(client: Client) -> None:
    passed = role(client, "lambda.amazonaws.com", "sqs:CreateQueue")

    with pytest.raises(ClientError, match="Could not assume role"):
        client("cloudformation").create_stack(StackName="refused", TemplateBody=json.dumps(QUEUE), RoleARN=passed)


@pytest.mark.parametrize("policies", ["", "arn:aws:iam::aws:policy/ReadOnlyAccess"])
def test_a_condition_that_joins_a_list_is_evaluated_as_in_the_bootstrap(client: Client, policies: str) -> None:
    any_policies = {"Fn::Not": [{"Fn::Equals": ["", {"Fn::Join": ["", {"Ref": "Policies"}]}]}]}
    template = {
        "Parameters": {"Policies": {"Type": "CommaDelimitedList", "Default": policies}},
        "Conditions": {"AnyPolicies": any_policies},
        "Resources": {
            "Always": {"Type": "AWS::SQS::Queue"},
            "Queue": {"Type": "AWS::SQS::Queue", "Condition": "AnyPolicies"},
        },
    }
    name = f"stack-{uuid4().hex[:8]}"
    client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))
    client("cloudformation").get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})

    resources = client("cloudformation").list_stack_resources(StackName=name)["StackResourceSummaries"]

    assert ("Queue" in [resource["LogicalResourceId"] for resource in resources]) == bool(policies)
