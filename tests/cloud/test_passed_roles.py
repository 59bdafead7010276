"""Who gives a role to a service needs iam:PassRole for it, and for that service."""

import json
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.cloud.conftest import Client
from tests.cloud.test_calls import Caller, statement
from tests.cloud.test_service_calls import archive, role

DEFINITION = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})


def create_function(caller: Caller, arn: str, name: str) -> None:
    caller("lambda").create_function(
        FunctionName=name, Runtime="nodejs22.x", Handler="index.handler", Role=arn, Code={"ZipFile": archive()}
    )


def create_state_machine(caller: Caller, arn: str, name: str) -> None:
    caller("stepfunctions").create_state_machine(name=name, definition=DEFINITION, roleArn=arn)


def create_schedule(caller: Caller, arn: str, name: str) -> None:
    target = {"Arn": "arn:aws:lambda:us-east-1:000000000000:function:any", "RoleArn": arn}
    caller("scheduler").create_schedule(
        Name=name, ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )


def create_project(caller: Caller, arn: str, name: str) -> None:
    caller("codebuild").create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": "{}"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "any", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=arn,
    )


CREATE = {
    "lambda": (create_function, "lambda:CreateFunction"),
    "states": (create_state_machine, "states:CreateStateMachine"),
    "scheduler": (create_schedule, "scheduler:CreateSchedule"),
    "codebuild": (create_project, "codebuild:CreateProject"),
}


@pytest.mark.parametrize("service", CREATE)
def test_a_caller_that_may_pass_the_role_creates_the_resource(client: Client, service: str) -> None:
    create, action = CREATE[service]
    condition = {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}
    caller = Caller(client, [statement(action), statement("iam:PassRole", Condition=condition)])

    create(caller, role(client, f"{service}.amazonaws.com"), f"any-{uuid4().hex[:8]}")


@pytest.mark.parametrize("service", CREATE)
def test_a_caller_that_may_pass_it_to_another_service_alone_is_refused(client: Client, service: str) -> None:
    create, action = CREATE[service]
    condition = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    caller = Caller(client, [statement(action), statement("iam:PassRole", Condition=condition)])
    arn = role(client, f"{service}.amazonaws.com")

    with pytest.raises(ClientError, match=f"is not authorized to perform: iam:PassRole on resource: {arn}"):
        create(caller, arn, f"any-{uuid4().hex[:8]}")


def test_an_event_of_a_function_passes_no_role(client: Client) -> None:
    caller = Caller(client, [statement("lambda:InvokeFunction")])
    name = f"any-{uuid4().hex[:8]}"
    client("lambda").create_function(
        FunctionName=name,
        Runtime="nodejs22.x",
        Handler="index.handler",
        Role=role(client, "lambda.amazonaws.com"),
        Code={"ZipFile": archive()},
    )

    answer = caller("lambda").invoke(FunctionName=name, Payload=json.dumps({"Role": "arn:aws:iam::any:role/any"}))

    assert json.loads(answer["Payload"].read()) == 1
