"""A custom resource whose function ends with an error fails its stack at once: no answer will come."""

import contextlib
import json

import pytest
from botocore.exceptions import WaiterError

from tests.cloud.conftest import Client
from tests.cloud.lambda_account import LOGS, LambdaAccount

DIES = "import os\ndef handler(event, context): os._exit(3)"
FAILS = "def handler(event, context): raise RuntimeError('no photos')"
ANSWERS_AND_FAILS = """
import json, urllib.request
def handler(event, context):
    answer = {"Status": "SUCCESS", "PhysicalResourceId": "made", "Data": {}}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request).read()
    raise RuntimeError("too late")
"""

STARTS = """
import json, os, boto3
def handler(event, context):
    boto3.client("stepfunctions").start_execution(stateMachineArn=os.environ["MACHINE"], input=json.dumps(event))
"""
ANSWERS = ANSWERS_AND_FAILS.replace('raise RuntimeError("too late")', "return {}")


def deploy(client: Client, name: str, function: str) -> tuple[str, str]:
    """Create a stack with a custom resource. Returns the stack's status, and why the resource failed."""
    arn = client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    resource = {"Type": "Custom::Answer", "Properties": {"ServiceToken": arn}}
    cloudformation = client("cloudformation")
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": {"Answer": resource}}), OnFailure="DO_NOTHING"
    )
    waiter = cloudformation.get_waiter("stack_create_complete")
    with contextlib.suppress(WaiterError):  # the events say why
        waiter.wait(StackName=name, WaiterConfig={"Delay": 1})
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    reasons = [each["ResourceStatusReason"] for each in events if each["ResourceStatus"] == "CREATE_FAILED"]
    return cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"], " ".join(reasons)


@pytest.mark.parametrize(("source", "error"), [(DIES, ""), (FAILS, "no photos")], ids=["dies", "fails"])
def test_a_function_that_ends_with_an_error_fails_its_resource(source: str, error: str, client: Client) -> None:
    function = LambdaAccount(client).function(source)

    status, reason = deploy(client, f"silent-{function}", function)

    assert status == "CREATE_FAILED"
    assert f"The function {function} ended with an error and gave no answer: " in reason
    assert error in reason


def test_an_answer_before_an_error_counts(client: Client) -> None:
    function = LambdaAccount(client).function(ANSWERS_AND_FAILS)

    assert deploy(client, f"answered-{function}", function) == ("CREATE_COMPLETE", "")


def polling_machine(client: Client, looks: str, answers: str) -> str:
    """The ARN of a state machine that gives its input to a function, which may fail, and then to another one."""

    def arn(function: str) -> str:
        return str(client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"])

    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    role = client("iam").create_role(RoleName=f"polls-{looks}", AssumeRolePolicyDocument=json.dumps(document))["Role"]
    rights = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    client("iam").put_role_policy(RoleName=role["RoleName"], PolicyName="rights", PolicyDocument=rights)
    caught = {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Wait"}
    states = {
        "Look": {"Type": "Task", "Resource": arn(looks), "Catch": [caught], "Next": "Wait"},
        "Wait": {"Type": "Wait", "Seconds": 20, "Next": "Answer"},
        "Answer": {"Type": "Task", "Resource": arn(answers), "End": True},
    }
    made = client("stepfunctions").create_state_machine(
        name=f"polls-{looks}", definition=json.dumps({"StartAt": "Look", "States": states}), roleArn=role["Arn"]
    )
    return str(made["stateMachineArn"])


def test_an_error_of_another_function_that_got_the_event_is_no_answer(client: Client) -> None:
    """CDK's provider framework polls so: its function that looks whether a resource is complete raises "not yet"."""
    account = LambdaAccount(client)
    machine = polling_machine(client, account.function(FAILS), account.function(ANSWERS))
    rights = (*LOGS, "states:StartExecution")
    function = account.function(STARTS, rights=rights, variables={"MACHINE": machine})

    assert deploy(client, f"polled-{function}", function) == ("CREATE_COMPLETE", "")
