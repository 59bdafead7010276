"""Lambda functions in the local AWS: real processes with their role's credentials, their limits and their logs."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.local import LocalAws
from tests.cloud.conftest import Client
from tests.cloud.lambda_account import LOGS, LambdaAccount
from tests.patience import wait_until
from tests.rehearsal.still_running import gone_in_time, is_running

FUNCTION = """
import os, time

print("a line of the initialisation")

def handler(event, context):
    print("a line of the call")
    if "sleep_s" in event:
        time.sleep(event["sleep_s"])
    if "raise" in event:
        raise ValueError(event["raise"])
    if "exit" in event:
        os._exit(event["exit"])
    if "use_mib" in event:
        filled = bytearray(event["use_mib"] * 2**20)
        return len(filled)
    if "import" in event:
        return bool(__import__(event["import"]))
    if "call" in event:
        import boto3
        service, operation = event["call"]
        answer = getattr(boto3.client(service), operation)()
        return answer.get("Arn") or len(answer)
    return {"pid": os.getpid(), "environment": dict(os.environ), "arn": context.invoked_function_arn}
"""


@pytest.fixture(scope="module")
def account(client: Client) -> LambdaAccount:
    return LambdaAccount(client)


@pytest.fixture(scope="module")
def function(account: LambdaAccount) -> str:
    """A function that no test changes."""
    return account.function(FUNCTION, rights=[*LOGS, "s3:ListAllMyBuckets"], variables={"ITS_OWN": "value"})


@pytest.fixture(scope="module")
def echo(account: LambdaAccount) -> str:
    """A function that returns its event."""
    return account.function("def handler(event, context):\n    return event")


def test_a_warm_process_serves_one_call_after_another(account: LambdaAccount, function: str) -> None:
    first, second = account.invoke(function), account.invoke(function)

    assert first.payload["pid"] == second.payload["pid"]
    assert second.version == "$LATEST"
    assert (second.error, second.payload["environment"]["ITS_OWN"]) == ("", "value")


def test_a_function_acts_as_its_role(account: LambdaAccount, function: str) -> None:
    role = account.client("lambda").get_function_configuration(FunctionName=function)["Role"].rpartition("/")[2]

    arn = account.invoke(function, {"call": ["sts", "get_caller_identity"]}).payload

    assert arn == f"arn:aws:sts::000000000000:assumed-role/{role}/{function}"


def test_a_function_may_do_only_what_its_role_may(account: LambdaAccount, function: str) -> None:
    assert account.invoke(function, {"call": ["s3", "list_buckets"]}).error == ""

    refused = account.invoke(function, {"call": ["sqs", "list_queues"]})

    assert refused.error == "Unhandled"
    assert "AccessDenied" in refused.payload["errorMessage"]


def test_a_function_gets_neither_the_root_key_nor_the_engine_s_variables(
    local_aws: LocalAws, account: LambdaAccount, function: str
) -> None:
    seen = account.invoke(function).payload["environment"]

    assert local_aws.settings.root_key not in str(seen)
    assert local_aws.settings.root_secret not in str(seen)
    assert not {"HOME", "AUTH", "REHEARSAL_PYTHON", "GATEWAY_PORT", "NODE_PATH", "VIRTUAL_ENV"} & set(seen)
    assert seen["AWS_ENDPOINT_URL"] == local_aws.url
    assert seen["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"


def test_a_function_finds_its_own_archive_and_the_packages_of_lambda_s_runtime(
    account: LambdaAccount, function: str
) -> None:
    assert account.invoke(function, {"import": "boto3"}).payload is True

    for missing in ("numpy", "lambda_fn", "rehearsal"):  # this environment has them
        assert account.invoke(function, {"import": missing}).payload["errorMessage"] == f"No module named '{missing}'"


def test_an_exception_is_a_function_error_and_the_process_goes_on(account: LambdaAccount, function: str) -> None:
    before = account.invoke(function).payload["pid"]

    failed = account.invoke(function, {"raise": "no such breed"})

    assert (failed.error, failed.payload["errorType"]) == ("Unhandled", "ValueError")
    assert failed.payload["errorMessage"] == "no such breed"
    assert account.invoke(function).payload["pid"] == before


def test_a_call_beyond_the_timeout_ends_with_its_process(account: LambdaAccount) -> None:
    function = account.function(FUNCTION, timeout_s=1)
    before = account.invoke(function).payload["pid"]

    failed = account.invoke(function, {"sleep_s": 600})

    assert failed.payload["errorType"] == "Sandbox.Timedout"
    assert failed.payload["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert "Status: timeout" in failed.log
    assert gone_in_time([before])
    assert account.invoke(function).payload["pid"] != before


def test_a_process_that_exits_is_reported_and_replaced(account: LambdaAccount) -> None:
    function = account.function(FUNCTION)

    failed = account.invoke(function, {"exit": 7})

    assert failed.payload["errorType"] == "Runtime.ExitError"
    assert failed.payload["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")
    assert account.invoke(function).error == ""


def test_a_call_that_uses_more_memory_than_the_function_has_is_ended(account: LambdaAccount) -> None:
    function = account.function(FUNCTION, memory_mib=128)
    assert account.invoke(function, {"use_mib": 64}).error == ""
    before = account.invoke(function).payload["pid"]

    failed = account.invoke(function, {"use_mib": 160})

    assert failed.payload["errorType"] == "Runtime.OutOfMemory"
    assert failed.payload["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert "Max Memory Used: 128 MB" in failed.log
    assert gone_in_time([before])
    assert account.invoke(function).error == ""


def test_a_function_that_cannot_be_imported_says_so(account: LambdaAccount) -> None:
    failed = account.invoke(account.function("import a_module_that_is_not_there"))

    assert failed.error == "Unhandled"
    assert failed.payload["errorType"] == "Runtime.ImportModuleError"


def test_calls_at_the_same_time_run_in_processes_of_their_own(account: LambdaAccount) -> None:
    function = account.function(FUNCTION)
    pids: list[int] = []

    def call() -> None:
        pids.append(account.invoke(function, {"sleep_s": 1}).payload["pid"])

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(pids)) == 3
    assert account.invoke(function).payload["pid"] in pids


def test_the_log_has_lambda_s_lines_around_those_of_the_function(account: LambdaAccount) -> None:
    function = account.function(FUNCTION)

    tail = account.invoke(function).log.splitlines()

    assert wait_until(lambda: any(line.startswith("REPORT") for line in account.logged(function)))
    lines = account.logged(function)
    assert lines[:2] == ["INIT_START Runtime Version: python:3.13", "a line of the initialisation"]
    assert lines[2:] == tail
    assert [line.split()[0] for line in tail] == ["START", "a", "END", "REPORT"]
    assert "Init Duration" in tail[-1]


def test_a_log_in_json_has_lambda_s_lines_as_objects(account: LambdaAccount) -> None:
    function = account.function(FUNCTION, LoggingConfig={"LogFormat": "JSON"})

    first, *_, last = [json.loads(line) for line in account.invoke(function).log.splitlines() if line[0] == "{"]

    assert (first["type"], last["type"]) == ("platform.start", "platform.report")
    assert first["record"]["requestId"] == last["record"]["requestId"]
    assert last["record"]["status"] == "success"
    assert last["record"]["metrics"]["memorySizeMB"] == 256


def test_a_role_without_the_right_to_write_logs_leaves_no_log(account: LambdaAccount) -> None:
    silent, speaking = account.function(FUNCTION, rights=[]), account.function(FUNCTION)
    answer = account.invoke(silent)
    account.invoke(speaking)

    assert answer.error == ""
    assert "a line of the call" in answer.log  # Invoke's own tail needs no right
    assert wait_until(lambda: account.logged(speaking) != [])  # it was called later
    assert account.logged(silent) == []


@pytest.mark.parametrize(("kind", "limit"), [("RequestResponse", 6_291_456), ("Event", 1_048_576)])
def test_an_event_above_the_limit_is_refused(account: LambdaAccount, function: str, kind: Any, limit: int) -> None:
    def send(size: int) -> int:
        payload = json.dumps("x" * (size - 2))
        found = account.client("lambda").invoke(FunctionName=function, InvocationType=kind, Payload=payload)
        return int(found["StatusCode"])

    assert send(limit) in (200, 202)
    with pytest.raises(ClientError, match=f"must be smaller than {limit} bytes") as refused:
        send(limit + 1)

    assert refused.value.response["Error"]["Code"] == "RequestEntityTooLargeException"


@pytest.mark.parametrize("event", ["ü", [1, {"a": None}], 0, None, {"image": "x" * 100_000}])
def test_an_event_of_any_json_type_reaches_the_function(account: LambdaAccount, echo: str, event: object) -> None:
    payload = json.dumps(event, ensure_ascii=False).encode()

    found = account.client("lambda").invoke(FunctionName=echo, Payload=payload)["Payload"].read()

    assert json.loads(found) == event


def test_a_response_above_the_limit_is_an_error(account: LambdaAccount) -> None:
    function = account.function("def handler(event, context):\n    return 'x' * event")

    assert account.invoke(function, 6_291_000).error == ""
    assert account.invoke(function, 6_300_000).payload["errorType"] == "Function.ResponseSizeTooLarge"
    assert account.invoke(function, 1).payload == "x"


def test_an_asynchronous_event_that_fails_is_tried_again_and_then_reaches_the_dead_letter_queue(
    account: LambdaAccount,
) -> None:
    sqs = account.client("sqs")
    queue = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    function = account.function(FUNCTION, rights=[*LOGS, "sqs:SendMessage"], DeadLetterConfig={"TargetArn": arn})

    account.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b'{"raise": "no breed"}')

    received: list[Any] = []

    def arrived() -> bool:
        received[:] = sqs.receive_message(QueueUrl=queue).get("Messages", [])
        return bool(received)

    assert wait_until(arrived)
    assert "no breed" in received[0]["Body"]
    assert wait_until(lambda: sum(line.startswith("REPORT") for line in account.logged(function)) == 3)


def test_the_end_of_a_function_ends_its_processes(account: LambdaAccount) -> None:
    function = account.function(FUNCTION)
    pid = account.invoke(function).payload["pid"]

    account.client("lambda").delete_function(FunctionName=function)

    assert gone_in_time([pid])


def test_new_code_and_a_new_configuration_start_new_processes(account: LambdaAccount) -> None:
    function = account.function(FUNCTION)
    first = account.invoke(function).payload["pid"]

    account.client("lambda").update_function_configuration(
        FunctionName=function, Environment={"Variables": {"COLOUR": "red"}}
    )

    second = account.invoke(function).payload
    assert second["environment"]["COLOUR"] == "red"
    assert gone_in_time([first])
    assert is_running(second["pid"])


def test_metrics_in_the_lines_of_a_function_are_extracted(account: LambdaAccount) -> None:
    function = account.function(
        """
import json, time

def handler(event, context):
    directive = {"Namespace": "Shop", "Dimensions": [["Queue"]], "Metrics": [{"Name": "Wait", "Unit": "Seconds"}]}
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    print(json.dumps({"_aws": about, "Queue": "till", "Wait": event["wait_s"]}))
"""
    )
    for wait_s in (1, 4):
        account.invoke(function, {"wait_s": wait_s})

    def total() -> float:
        now = datetime.now(UTC)
        found = account.client("cloudwatch").get_metric_statistics(
            Namespace="Shop",
            MetricName="Wait",
            Dimensions=[{"Name": "Queue", "Value": "till"}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            Statistics=["Sum"],
        )
        return float(sum(point["Sum"] for point in found["Datapoints"]))

    assert wait_until(lambda: total() == 5)  # exact: whole numbers


def test_lambda_s_metrics_are_emitted(account: LambdaAccount) -> None:
    function = account.function(FUNCTION)
    account.invoke(function)
    account.invoke(function, {"raise": "no such breed"})

    def names() -> set[str]:
        found = account.client("cloudwatch").list_metrics(
            Namespace="AWS/Lambda", Dimensions=[{"Name": "FunctionName", "Value": function}]
        )
        return {each["MetricName"] for each in found["Metrics"]}

    assert wait_until(lambda: {"Invocations", "Errors", "Duration", "Throttles", "ConcurrentExecutions"} <= names())
