"""Concurrency of Lambda functions in the local AWS: provisioned, reserved, and cold starts beyond it."""

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from rehearsal.cloud.api import AwsError, Credentials
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.functions import Functions, environment
from rehearsal.cloud.functions.deployed import DeployedFunction
from tests.cloud.conftest import Client
from tests.cloud.fake_engine import FakeEngine
from tests.cloud.lambda_account import LambdaAccount, zipped
from tests.patience import wait_until
from tests.rehearsal.still_running import gone_in_time

FUNCTION = """
import os, time

def handler(event, context):
    time.sleep(event.get("sleep_s", 0))
    return {
        "pid": os.getpid(), "started": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "version": context.function_version, "arn": context.invoked_function_arn,
    }
"""
PROVISIONED, ON_DEMAND = "provisioned-concurrency", "on-demand"


@pytest.fixture(scope="module")
def account(client: Client) -> LambdaAccount:
    return LambdaAccount(client)


def at_once(count: int, call: Callable[[], Any]) -> list[Any]:
    """The results of calls that are made at the same time. An exception is a result."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(call())
        except ClientError as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def template(*, source: str = FUNCTION, version: str, provisioned: int, **properties: Any) -> str:
    """A function with an alias. version: the logical id; another one publishes another version.

    properties: more of the function's.
    """
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    alias: dict[str, Any] = {
        "FunctionName": {"Ref": "Function"},
        "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
        "Name": "live",
    }
    if provisioned:
        alias["ProvisionedConcurrencyConfig"] = {"ProvisionedConcurrentExecutions": provisioned}
    function = {
        "Code": {"ZipFile": source},
        "Handler": "index.handler",
        "Runtime": "python3.13",
        "MemorySize": 128,
        "Timeout": 60,
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        **properties,
    }
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        version: {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
        "Live": {"Type": "AWS::Lambda::Alias", "Properties": alias},
    }
    return json.dumps({"Resources": resources, "Outputs": {"Name": {"Value": {"Ref": "Function"}}}})


def total(account: LambdaAccount, function: str, metric: str) -> float:
    """The sum of a metric of the function's alias so far."""
    now = datetime.now(UTC)
    found = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": "FunctionName", "Value": function}, {"Name": "Resource", "Value": f"{function}:live"}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=3600 * 3,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in found["Datapoints"]))


def deploy(account: LambdaAccount, stack: str, body: str, *, change: str = "create") -> str:
    """Create or update a stack. Returns the function's name."""
    cloudformation = account.client("cloudformation")
    getattr(cloudformation, f"{change}_stack")(StackName=stack, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    ended: list[str] = []

    def has_ended() -> bool:
        ended[:] = [cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]]
        return not ended[0].endswith("IN_PROGRESS")

    assert wait_until(has_ended)
    assert ended == [f"{change.upper()}_COMPLETE"]
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    return str(outputs[0]["OutputValue"])


def test_an_alias_keeps_as_many_processes_warm_as_it_says_and_more_calls_start_cold(account: LambdaAccount) -> None:
    function = deploy(account, "warm", template(version="First", provisioned=2))

    answers = at_once(3, lambda: account.invoke(function, {"sleep_s": 1}, "live"))

    started = [answer.payload["started"] for answer in answers]
    assert sorted(started) == [ON_DEMAND, PROVISIONED, PROVISIONED]
    warm = {answer.payload["pid"] for answer in answers if answer.payload["started"] == PROVISIONED}
    cold = [answer for answer in answers if answer.payload["started"] == ON_DEMAND]
    assert "Init Duration" in cold[0].log
    assert account.invoke(function, {}, "live").payload["pid"] in warm  # rather than that of the cold start
    assert answers[0].payload["arn"].endswith(":function:" + function + ":live")
    assert wait_until(lambda: total(account, function, "Invocations") == 4)
    assert total(account, function, "ProvisionedConcurrencyInvocations") == 3
    assert total(account, function, "ProvisionedConcurrencySpilloverInvocations") == 1


def test_a_warm_process_that_is_lost_is_replaced(account: LambdaAccount) -> None:
    source = FUNCTION.replace("time.sleep(", 'event.get("exit") and os._exit(1); time.sleep(')
    function = deploy(account, "lost", template(source=source, version="First", provisioned=1))
    before = account.invoke(function, {}, "live").payload

    assert account.invoke(function, {"exit": True}, "live").payload["errorType"] == "Runtime.ExitError"

    def replaced() -> bool:
        answer: dict[str, Any] = account.invoke(function, {}, "live").payload
        return bool(answer["started"] == PROVISIONED and answer["pid"] != before["pid"])

    assert wait_until(replaced)


def test_a_new_version_is_warm_before_the_alias_points_to_it_and_the_old_processes_end(account: LambdaAccount) -> None:
    slow = "import time\ntime.sleep(1)\n" + FUNCTION  # a cold start of it takes more than a second
    function = deploy(account, "moved", template(version="First", provisioned=1))
    old = account.invoke(function, {}, "live").payload
    seen: list[dict[str, Any]] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            seen.append(account.invoke(function, {}, "live").payload)

    asking = threading.Thread(target=ask)
    asking.start()
    deploy(account, "moved", template(source=slow, version="Second", provisioned=1), change="update")
    wait_until(lambda: seen[-1]["version"] != old["version"])
    over.set()
    asking.join()

    assert {answer["started"] for answer in seen} == {PROVISIONED}  # at no time was a call a cold start
    assert [answer["version"] for answer in seen] == sorted(answer["version"] for answer in seen)
    assert seen[-1]["version"] != old["version"]
    assert gone_in_time([old["pid"]])


def test_a_version_that_cannot_start_fails_the_deployment(account: LambdaAccount) -> None:
    function = deploy(account, "broken", template(version="First", provisioned=1))
    broken = template(source="import a_module_that_is_not_there", version="Second", provisioned=1)
    cloudformation = account.client("cloudformation")

    with pytest.raises(AssertionError, match="UPDATE_ROLLBACK_COMPLETE"):
        deploy(account, "broken", broken, change="update")

    reasons = [
        event.get("ResourceStatusReason", "")
        for event in cloudformation.describe_stack_events(StackName="broken")["StackEvents"]
    ]
    assert any("a_module_that_is_not_there" in reason for reason in reasons)
    assert account.invoke(function, {}, "live").payload["started"] == PROVISIONED


def test_the_end_of_a_stack_ends_the_processes_of_its_functions(account: LambdaAccount) -> None:
    function = deploy(account, "ended", template(version="First", provisioned=2))
    answers = at_once(2, lambda: account.invoke(function, {"sleep_s": 1}, "live"))
    pids = {answer.payload["pid"] for answer in answers}
    assert len(pids) == 2

    account.client("cloudformation").delete_stack(StackName="ended")

    assert gone_in_time(pids)


def test_provisioned_concurrency_can_be_given_by_lambda_s_own_api(account: LambdaAccount) -> None:
    function = account.function(FUNCTION)
    api = account.client("lambda")
    version = api.publish_version(FunctionName=function)["Version"]
    asked = api.put_provisioned_concurrency_config(
        FunctionName=function, Qualifier=version, ProvisionedConcurrentExecutions=1
    )
    assert asked["Status"] == "IN_PROGRESS"

    def status() -> str:
        found = api.get_provisioned_concurrency_config(FunctionName=function, Qualifier=version)
        return str(found["Status"])

    assert wait_until(lambda: status() == "READY")
    warm = account.invoke(function, {}, version).payload
    assert warm["started"] == PROVISIONED

    api.delete_provisioned_concurrency_config(FunctionName=function, Qualifier=version)

    assert gone_in_time([warm["pid"]])


def test_calls_beyond_the_reserved_concurrency_are_refused(account: LambdaAccount) -> None:
    function = account.function(FUNCTION)
    api = account.client("lambda")
    version = api.publish_version(FunctionName=function)["Version"]
    api.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=1)

    results = at_once(2, lambda: account.invoke(function, {"sleep_s": 2}, version))

    refused: list[Any] = [each for each in results if isinstance(each, ClientError)]
    assert len(refused) == 1
    assert refused[0].response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert refused[0].response["Error"]["Code"] == "TooManyRequestsException"
    assert refused[0].response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_the_reserved_concurrency_of_a_template_holds(account: LambdaAccount) -> None:
    function = deploy(account, "reserved", template(version="First", provisioned=0, ReservedConcurrentExecutions=0))

    with pytest.raises(ClientError, match="TooManyRequestsException"):
        account.invoke(function, {}, "live")


class EndingEngine(FakeEngine):
    """An engine that accepts no connections any more."""

    def client(self, service: str, credentials: Credentials) -> Any:
        raise EndpointConnectionError(endpoint_url=f"{self.url} for {service} as {credentials.access_key}")


@pytest.fixture
def deployed() -> DeployedFunction:
    """A function, as Lambda's record of it says."""
    configuration = {
        "FunctionName": "function",
        "FunctionArn": "arn:aws:lambda:us-east-1:111122223333:function:function",
        "Role": "arn:aws:iam::111122223333:role/role",
        "Runtime": "python3.13",
        "Handler": "function.handler",
    }
    return DeployedFunction.of(configuration, zipped(FUNCTION))


def test_a_call_on_its_way_while_the_alias_moves_is_no_cold_start_of_the_old_version(
    tmp_path: Path, deployed: DeployedFunction
) -> None:
    alias = f"{deployed.arn}:live"
    old, new = (replace(deployed, arn=alias, version=version) for version in ("1", "2"))

    with Functions(EndingEngine(tmp_path), Clock(), sys.executable) as functions:
        functions.keep_warm("function", {"1": (old, 1)})
        functions.keep_warm("function", {"2": (new, 1)})  # after the call was sent to version 1

        outcome = functions.invoke(old, "id", b"{}", current=lambda: new)

        assert json.loads(outcome.response)["started"] == PROVISIONED
        assert outcome.call.function.version == "2"


def test_a_process_of_a_cold_start_ends_when_it_has_been_idle_for_ten_minutes(
    tmp_path: Path, deployed: DeployedFunction
) -> None:
    minute_of_ms = Clock(60_000)

    with Functions(EndingEngine(tmp_path), minute_of_ms, sys.executable) as functions:
        pid = json.loads(functions.invoke(deployed, "id", b"{}").response)["pid"]

        assert gone_in_time([pid])
        assert json.loads(functions.invoke(deployed, "id", b"{}").response)["pid"] != pid


def test_a_process_is_replaced_before_its_credentials_expire(
    tmp_path: Path, deployed: DeployedFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "LONGEST_LIFE_S", 0.0)

    with Functions(EndingEngine(tmp_path), Clock(), sys.executable) as functions:
        pids = [json.loads(functions.invoke(deployed, "id", b"{}").response)["pid"] for _ in range(2)]

        assert pids[0] != pids[1]
        assert gone_in_time(pids[:1])


class RefusingEngine(FakeEngine):
    """An engine whose roles Lambda may not assume."""

    def credentials(self, role_arn: str, session: str, service: str, *, source: str = "") -> Credentials:
        raise AwsError("AccessDenied", f"{role_arn} does not trust {service} for {session}{source}")


def test_a_function_whose_role_lambda_may_not_assume_is_not_run(tmp_path: Path, deployed: DeployedFunction) -> None:
    with Functions(RefusingEngine(tmp_path), Clock(), sys.executable) as functions:
        outcome = functions.invoke(deployed, "id", b"{}")

    assert outcome.error["errorType"] == "AccessDeniedException"
    assert "does not trust lambda.amazonaws.com" in outcome.error["errorMessage"]


def test_an_archive_that_cannot_be_unpacked_leaves_no_server_behind(tmp_path: Path, deployed: DeployedFunction) -> None:
    with Functions(EndingEngine(tmp_path), Clock(), sys.executable) as functions:
        before = set(threading.enumerate())

        outcome = functions.invoke(replace(deployed, code=b"no archive"), "id", b"{}")

        assert outcome.error["errorType"] == "InvalidZipFileException"
        assert wait_until(lambda: set(threading.enumerate()) <= before)
