"""A custom resource whose function ends with an error fails its stack at once: no answer will come."""

import contextlib
import json

import pytest
from botocore.exceptions import WaiterError

from tests.cloud.conftest import Client
from tests.cloud.lambda_account import LambdaAccount

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
