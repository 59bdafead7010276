"""No process of a function outlives its function or the local AWS. Functions on Node.js run as the engine runs them."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from rehearsal.cloud.local import LocalAws, node_folders
from tests.cloud.conftest import ECHO, Client
from tests.cloud.lambda_account import LambdaAccount
from tests.cloud.processes import processes_of
from tests.patience import wait_until
from tests.rehearsal.still_running import gone_in_time

PYTHON = """
import os, time

def handler(event, context):
    time.sleep(event.get("sleep_s", 0))
    return {"pid": os.getpid(), "engine": os.getppid()}
"""
NODE = "exports.handler = async () => ({pid: process.pid, program: process.title, environment: process.env});"
OWN = {"ITS_OWN": "value", "LOG_LEVEL": "INFO"}
"""The engine has the second one, too, with this value."""
BOOTSTRAP = """#!/usr/bin/env python3
import json, os, urllib.request

api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(f"{api}/next") as event:
        call = event.headers["Lambda-Runtime-Aws-Request-Id"]
    urllib.request.urlopen(f"{api}/{call}/response", json.dumps(dict(os.environ)).encode()).close()
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")


@pytest.fixture(scope="module")
def account(client: Client) -> LambdaAccount:
    return LambdaAccount(client)


@pytest.fixture(scope="module")
def node(account: LambdaAccount) -> Iterator[dict[str, Any]]:
    """What a function on Node.js sees, while it exists."""
    function = account.function(NODE, runtime="nodejs22.x", handler="index.handler", file="index.js", variables=OWN)
    yield {**account.invoke(function).payload, "function": function}
    account.client("lambda").delete_function(FunctionName=function)


def test_a_function_on_node_gets_its_own_variables_and_not_the_engine_s(
    local_aws: LocalAws, node: dict[str, Any]
) -> None:
    environment = node["environment"]

    assert OWN.items() <= environment.items()
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert environment["AWS_REGION"] == local_aws.settings.region
    assert environment["AWS_ENDPOINT_URL"] == local_aws.url
    assert not {"HOME", "AUTH", "REHEARSAL_PYTHON", "GATEWAY_PORT", "VIRTUAL_ENV"} & set(environment)
    assert local_aws.settings.root_secret not in str(environment)


def test_the_log_of_a_function_on_node_is_written_as_its_role(account: LambdaAccount, node: dict[str, Any]) -> None:
    silent = account.function(NODE, runtime="nodejs22.x", handler="index.handler", file="index.js", rights=[])
    account.invoke(silent)
    account.invoke(node["function"])

    assert wait_until(lambda: any(line.startswith("REPORT") for line in account.logged(node["function"])))
    assert account.logged(silent) == []


def test_node_is_the_program_and_not_the_script_that_starts_it() -> None:
    """Ending the script would leave the program running."""
    programs = [Path(folder) / "node" for folder in node_folders()]

    assert programs
    assert [program.read_bytes()[:2] for program in programs] != [b"#!"]


def test_a_function_on_a_custom_runtime_gets_its_own_variables_and_not_the_engine_s(
    local_aws: LocalAws, account: LambdaAccount
) -> None:
    function = account.function(BOOTSTRAP, runtime="provided.al2023", file="bootstrap", variables=OWN)

    environment = account.invoke(function).payload

    assert OWN.items() <= environment.items()
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert not {"HOME", "AUTH", "REHEARSAL_PYTHON", "GATEWAY_PORT", "VIRTUAL_ENV"} & set(environment)
    assert local_aws.settings.root_secret not in str(environment)


@pytest.mark.parametrize("runtime", ["java21", "ruby3.4"])
def test_a_runtime_that_is_not_run_is_an_error(account: LambdaAccount, runtime: str) -> None:
    """The engine would answer with status 200 and a body that no function returned."""
    answer = account.invoke(account.function("", runtime=runtime, handler="index.handler", file="index"))

    assert answer.error == "Unhandled"
    assert answer.payload["errorMessage"] == f"A function on {runtime} is not rehearsed (docs/rehearsal.md)."


@linux
def test_the_end_of_a_function_on_node_ends_its_process(account: LambdaAccount) -> None:
    function = account.function(NODE, runtime="nodejs22.x", handler="index.handler", file="index.js")
    pid = account.invoke(function).payload["pid"]

    account.client("lambda").delete_function(FunctionName=function)

    assert gone_in_time([pid])


@linux
def test_a_killed_engine_leaves_no_process_of_a_function(tmp_path: Path) -> None:
    factory: Any = boto3.client
    with LocalAws(tmp_path / "aws", images=ECHO / "images.toml") as aws:

        def client(service: str) -> Any:
            return factory(
                service,
                endpoint_url=aws.url,
                region_name="us-east-1",
                aws_access_key_id=aws.settings.root_key,
                aws_secret_access_key=aws.settings.root_secret,
                config=Config(retries={"total_max_attempts": 1}),
            )

        account = LambdaAccount(client)
        account.invoke(account.function(NODE, runtime="nodejs22.x", handler="index.handler", file="index.js"))
        function = account.function(PYTHON)
        engine = account.invoke(function).payload["engine"]

        def interrupted() -> None:
            with pytest.raises(BotoCoreError):
                account.invoke(function, {"sleep_s": 600})

        call = threading.Thread(target=interrupted)
        call.start()
        assert wait_until(lambda: len(processes_of(aws.folder)) > 3)
        os.kill(engine, signal.SIGKILL)

        assert wait_until(lambda: not processes_of(aws.folder) - {engine})
        call.join()
