"""The local Lambda: its limits, its errors, and the new process after each failure."""

import http.client
import json
import signal
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.aws.execution_environment import ExecutionEnvironment
from rehearsal.aws.lambda_runtime import COMPILED_CLIENT, PYTHON_CLIENT, FunctionError, LambdaRuntime
from rehearsal.aws.runtime_api import Invocation
from rehearsal.cloud.functions.python_runtime import PythonRuntime
from rehearsal.processes import ProcessGroup
from tests.patience import PATIENCE_S
from tests.rehearsal.still_running import gone_in_time, orphans_of

ROOT = Path(__file__).resolve().parents[2]
FUNCTION = """
import os, signal, sys

calls = 0

def handler(event, context):
    global calls
    calls += 1
    if "raise" in event:
        raise ValueError(event["raise"])
    if "hang" in event:
        signal.pause()
    if "exit" in event:
        os._exit(event["exit"])
    if "answer_bytes" in event:
        return {"answer": "x" * event["answer_bytes"]}
    if "module_file" in event:
        return {"file": sys.modules[event["module_file"]].__file__}
    if "env" in event:
        return dict(os.environ)
    return {
        "pid": os.getpid(), "calls": calls, "left_ms": context.get_remaining_time_in_millis(),
        "id": context.aws_request_id, "echo": event,
    }

def answers_a_list(event, context):
    return [event]
"""

OWNER = """
import sys
from pathlib import Path
from rehearsal.aws.lambda_runtime import LambdaRuntime

with LambdaRuntime("function.handler", task_root=Path(sys.argv[1])) as function:
    print(function.invoke({})["pid"], flush=True)
    function.invoke({"hang": True})
"""


@pytest.fixture(scope="module")
def task_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("task")
    (root / "function.py").write_text(FUNCTION)
    (root / "broken.py").write_text("import a_module_that_is_not_there")
    (root / "exits.py").write_text("import os\nprint('disk is full', flush=True)\nos._exit(9)")
    (root / "hangs.py").write_text("import signal\nsignal.pause()")
    return root


@pytest.fixture(scope="module", params=[True, False], ids=["compiled-client", "python-client"])
def compiled_client(request: pytest.FixtureRequest) -> bool:
    """AWS's runtime client as it is on Linux, and as it is on macOS."""
    if request.param and not COMPILED_CLIENT:
        pytest.skip("awslambdaric has no compiled part here")
    return bool(request.param)


@pytest.fixture(scope="module")
def function(task_root: Path, compiled_client: bool) -> Iterator[LambdaRuntime]:
    with LambdaRuntime(
        "function.handler", task_root=task_root, env={"FUNCTION_SETTING": "yes"}, compiled_client=compiled_client
    ) as function:
        yield function


def failure(function: LambdaRuntime, event: object) -> FunctionError:
    with pytest.raises(FunctionError) as caught:
        function.invoke(event)
    return caught.value


def test_a_process_serves_one_call_after_another(function: LambdaRuntime) -> None:
    first, second = function.invoke({"photo": "ü"}), function.invoke({})

    assert first["echo"] == {"photo": "ü"}
    assert (second["pid"], second["calls"]) == (first["pid"], first["calls"] + 1)
    assert first["id"] != second["id"]
    assert 0 < first["left_ms"] <= 30_000


def test_only_its_own_environment_reaches_the_function(
    function: LambdaRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = function.invoke({"env": True})

    assert seen["FUNCTION_SETTING"] == "yes"
    assert seen["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert not {"HOME", "HTTP_PROXY", "HTTPS_PROXY", "AWS_PROFILE", "VIRTUAL_ENV"} & set(seen)
    assert seen["AWS_LAMBDA_INITIALIZATION_TYPE"] == "provisioned-concurrency"


def test_an_exception_is_reported_and_the_process_is_reused(function: LambdaRuntime) -> None:
    before = function.invoke({})["pid"]

    error = failure(function, {"raise": "no such breed"})
    assert error.kind == "ValueError"
    assert "no such breed" in str(error)
    assert function.invoke({})["pid"] == before


def test_an_exception_with_letters_beyond_latin_1_is_reported(function: LambdaRuntime) -> None:
    error = failure(function, {"raise": "ein Schäferhund für 5 €"})

    assert error.kind == "ValueError"  # raised by the handler, and not by the client that has to post it
    assert "ein Schäferhund für 5 €" in str(error)


def test_the_process_runs_the_selected_client(function: LambdaRuntime, compiled_client: bool) -> None:
    loaded = Path(function.invoke({"module_file": "runtime_client"})["file"])

    assert (loaded.parent == PYTHON_CLIENT) is not compiled_client


def test_after_a_timeout_the_next_call_gets_a_new_process(task_root: Path, compiled_client: bool) -> None:
    with LambdaRuntime(
        "function.handler", task_root=task_root, timeout_s=2, compiled_client=compiled_client
    ) as function:
        before = function.invoke({})["pid"]

        error = failure(function, {"hang": True})
        assert error.kind == "Sandbox.Timedout"
        assert "2 s" in str(error)
        assert gone_in_time([before])
        assert function.invoke({})["calls"] == 1


def test_a_process_that_exits_is_reported_and_replaced(function: LambdaRuntime) -> None:
    error = failure(function, {"exit": 7})

    assert error.kind == "Runtime.ExitError"
    assert "exit code 7" in str(error)
    assert function.invoke({})["calls"] == 1


def test_an_event_above_the_limit_is_rejected(function: LambdaRuntime) -> None:
    assert function.invoke({"x": "y" * 6_200_000})["echo"]
    error = failure(function, {"x": "y" * 6_291_456})

    assert error.kind == "RequestEntityTooLargeException"
    assert "6,291,456" in str(error)


def test_a_response_above_the_limit_is_rejected(function: LambdaRuntime) -> None:
    assert len(function.invoke({"answer_bytes": 6_200_000})["answer"]) == 6_200_000
    error = failure(function, {"answer_bytes": 6_300_000})

    assert error.kind == "Function.ResponseSizeTooLarge"
    assert "6,291,556" in str(error)
    assert function.invoke({})["calls"] == 1


def test_a_response_that_is_not_an_object_is_an_error(task_root: Path, compiled_client: bool) -> None:
    with LambdaRuntime("function.answers_a_list", task_root=task_root, compiled_client=compiled_client) as function:
        assert "list" in str(failure(function, {}))


def test_the_function_can_be_invoked_over_http(function: LambdaRuntime) -> None:
    def post(event: object) -> tuple[str | None, dict[str, object]]:
        request = urllib.request.Request(function.url, data=json.dumps(event).encode())  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=PATIENCE_S) as response:
            return response.headers["X-Amz-Function-Error"], json.load(response)

    error, answer = post({"photo": 1})
    assert error is None
    assert answer["echo"] == {"photo": 1}

    error, answer = post({"raise": "no such breed"})
    assert error == "Unhandled"
    assert answer["errorType"] == "ValueError"


def test_a_response_to_another_invocation_is_rejected(function: LambdaRuntime) -> None:
    address = function.url.split("/")[2]
    function.invoke({})
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
    connection.request("POST", "/2018-06-01/runtime/invocation/of-yesterday/response", b"{}")

    assert connection.getresponse().status == 400
    connection.close()


@pytest.mark.parametrize(
    ("handler", "kind", "message"),
    [
        ("broken.handler", "Runtime.ImportModuleError", "a_module_that_is_not_there"),
        ("function.nothing", "Runtime.HandlerNotFound", "nothing"),
        ("exits.handler", "Runtime.ExitError", "disk is full"),
        ("hangs.handler", "Sandbox.Timedout", "did not start within"),
    ],
)
def test_a_function_that_cannot_start_says_why(
    task_root: Path, compiled_client: bool, handler: str, kind: str, message: str
) -> None:
    limit_s = 0.2 if handler.startswith("hangs") else 60
    with (
        pytest.raises(FunctionError) as caught,
        LambdaRuntime(handler, task_root=task_root, init_timeout_s=limit_s, compiled_client=compiled_client),
    ):
        pytest.fail("it started")

    assert caught.value.kind == kind
    assert message in str(caught.value)


def test_with_lambdas_packages_alone_a_function_finds_no_others(tmp_path: Path) -> None:
    (tmp_path / "uses_boto3.py").write_text("import boto3\n\ndef handler(event, context):\n    return {}\n")
    (tmp_path / "uses_pillow.py").write_text("import PIL\n\ndef handler(event, context):\n    return {}\n")
    packages = PythonRuntime(sys.executable, tmp_path).packages()

    with LambdaRuntime("uses_boto3.handler", task_root=tmp_path, packages=packages) as function:
        assert function.invoke({}) == {}
        assert function.init_s > 0
    with (
        pytest.raises(FunctionError, match="No module named 'PIL'"),
        LambdaRuntime("uses_pillow.handler", task_root=tmp_path, packages=packages),
    ):
        pytest.fail("it started")


def test_the_real_handler_does_not_start_without_its_endpoint(compiled_client: bool) -> None:
    with (
        pytest.raises(FunctionError, match="ENDPOINT_NAME is not set"),
        LambdaRuntime("lambda_fn.handler.handler", task_root=ROOT, compiled_client=compiled_client),
    ):
        pytest.fail("it started")


def test_a_port_in_use_is_an_error_that_names_it(function: LambdaRuntime, task_root: Path) -> None:
    port = int(function.url.split("/")[2].rpartition(":")[2])

    with pytest.raises(OSError, match=f"port {port} .* is in use"):
        LambdaRuntime("function.handler", task_root=task_root, port=port)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_owner_leaves_no_function_behind(task_root: Path, how: signal.Signals) -> None:
    assert gone_in_time(orphans_of(OWNER, str(task_root), how=how))


def test_a_process_that_ends_as_a_call_begins_is_not_waited_for(tmp_path: Path) -> None:
    ready: list[bool] = []
    with ProcessGroup(tmp_path) as group:
        environment = ExecutionEnvironment(group)
        with pytest.raises(FunctionError):
            environment.initialise("function", [sys.executable, "-c", ""], env={}, cwd=tmp_path, timeout_s=PATIENCE_S)
        with pytest.raises(FunctionError, match="process ended with exit code 0"):
            environment.invoke(Invocation(b"{}", PATIENCE_S))

        asking = threading.Thread(target=lambda: ready.append(environment.is_ready()), daemon=True)
        asking.start()
        asking.join(PATIENCE_S)

    assert ready == [False]
