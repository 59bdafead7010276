"""Whatever kind of fault the runtime API has: a documented status, nothing internal in the response, in time.

The clients are botocore's, the sockets real, and only the pauses before retries take no time. `make bench-lambda` does
the same with more calls in AWS's runtime client.
"""

import base64
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from lambda_fn import calls, endpoint, errors
from lambda_fn.retries import RetryBudget
from lambda_fn.settings import Settings
from rehearsal.processes import free_port
from tests.faults.fault_kinds import Kind, all_kinds, leaks_in
from tests.faults.fault_server import SECRET, FaultServer, answers, misbehaving
from tests.faults.handler_here import Context, handler_with
from tests.patience import PATIENCE_S
from tests.rehearsal.container import JPEG

ENOUGH_S = PATIENCE_S / 2
"""Left for a fault that ends by itself, on a busy machine."""
SHORT_S = 1.3
"""Left for a fault that does not."""
CALLS = 12
CALLS_THAT_HANG = 2
EVENT = {"image": base64.b64encode(JPEG).decode()}

Invoke = Callable[[float], dict[str, Any]]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Iterator[Invoke]:
    """Invokes the handler with so many seconds left, and checks what every response of it has."""
    handler = handler_with(Settings(endpoint_name="dogs"), monkeypatch)
    monkeypatch.setattr("lambda_fn.calls.time.sleep", lambda _: None)

    def invoked(left_s: float) -> dict[str, Any]:
        monkeypatch.setattr(calls, "BUDGET", RetryBudget())
        began = time.monotonic()
        response = handler(EVENT, Context(left_s))
        assert time.monotonic() - began < ENOUGH_S
        assert not leaks_in(response)
        assert response["headers"]["Content-Type"] == "application/json"
        return response

    calls.sagemaker_runtime.cache_clear()
    yield invoked
    calls.sagemaker_runtime.cache_clear()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    with misbehaving() as faults:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", faults.url)
        yield faults


def outcome(response: dict[str, Any]) -> tuple[int, str]:
    return response["statusCode"], json.loads(response["body"])["error"]["code"]


def names(value: object) -> str:
    return value.name if isinstance(value, Kind) else ""


def unserved() -> list[Kind]:
    """The kinds, for their names; the faults of a server that hang are taken from the running server."""
    return all_kinds(FaultServer(""))


@pytest.mark.parametrize("name", [kind.name for kind in unserved()])
def test_each_kind_of_fault_has_its_documented_status(invoke: Invoke, server: FaultServer, name: str) -> None:
    (kind,) = [kind for kind in all_kinds(server) if kind.name == name]
    server.play(kind.fault)

    for _ in range(CALLS_THAT_HANG if kind.hangs else CALLS):
        assert outcome(invoke(SHORT_S if kind.hangs else ENOUGH_S)) == (kind.status, kind.code)

    server.play(answers)
    assert invoke(ENOUGH_S)["statusCode"] == 200


def test_every_error_in_botocores_model_of_the_service_has_a_fault_of_its_own() -> None:
    """So an error that AWS adds is noticed before a caller gets it as an unknown one."""
    operation = botocore.session.get_session().get_service_model("sagemaker-runtime").operation_model("InvokeEndpoint")
    shapes = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in operation.error_shapes}

    assert len(shapes) >= 6
    for code, status in shapes.items():
        response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        assert code == "ModelError" or code in endpoint.OF_ERROR_CODE
        assert endpoint.fault_of(ClientError(response, "InvokeEndpoint")) is not errors.INTERNAL


def test_an_endpoint_that_does_not_listen_is_unreachable(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", f"http://127.0.0.1:{free_port()}")
    assert outcome(invoke(ENOUGH_S)) == (503, "unreachable")


def test_an_endpoint_without_tls_is_unreachable(
    invoke: Invoke, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", server.url.replace("http:", "https:"))
    assert outcome(invoke(ENOUGH_S)) == (503, "unreachable")


def test_a_name_that_dns_does_not_know_is_unreachable(
    invoke: Invoke, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, SECRET)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert outcome(invoke(ENOUGH_S)) == (503, "unreachable")


def test_credentials_that_are_missing_are_a_failure_of_the_service(
    invoke: Invoke, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls._session(), "get_credentials", lambda: None)
    assert outcome(invoke(ENOUGH_S)) == (500, "internal")


def test_the_kinds_have_the_documented_faults() -> None:
    documented = {(fault.status, fault.code) for fault in vars(errors).values() if isinstance(fault, errors.Fault)}

    kinds = unserved()
    assert {(kind.status, kind.code) for kind in kinds} <= documented
    assert len(kinds) == len({kind.name for kind in kinds}) >= 14
