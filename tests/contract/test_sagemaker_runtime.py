"""The local SageMaker Runtime, called with the real boto3 client."""

import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from rehearsal.aws.invocation import MAX_BODY_BYTES, Container
from rehearsal.aws.loopback_server import LoopbackHandler, LoopbackServer
from rehearsal.aws.sagemaker_runtime import SageMakerRuntime, in_service
from rehearsal.processes import free_port
from tests.patience import PATIENCE_S
from tests.rehearsal.container import ANSWER, JPEG, serving
from tests.rehearsal.container import Container as Serving

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient


@pytest.fixture
def container() -> Iterator[Serving]:
    with serving() as container:
        yield container


@pytest.fixture
def client(container: Serving) -> Iterator["SageMakerRuntimeClient"]:
    with SageMakerRuntime({"dogs": container.url, "gone": f"http://127.0.0.1:{free_port()}"}) as service:
        yield client_of(service)


def client_of(service: SageMakerRuntime) -> "SageMakerRuntimeClient":
    return boto3.client(
        "sagemaker-runtime",
        endpoint_url=service.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


def error_of(client: "SageMakerRuntimeClient", name: str = "dogs", body: bytes = JPEG) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        client.invoke_endpoint(EndpointName=name, Body=body, ContentType="image/jpeg")
    return dict(caught.value.response)


def test_a_response_arrives_completely(client: "SageMakerRuntimeClient") -> None:
    response = client.invoke_endpoint(EndpointName="dogs", Body=JPEG, ContentType="image/jpeg")

    assert response["Body"].read() == json.dumps(ANSWER).encode()
    assert response["ContentType"] == "application/json"
    assert response["InvokedProductionVariant"] == "AllTraffic"


def test_only_the_headers_of_the_contract_are_forwarded(client: "SageMakerRuntimeClient", container: Serving) -> None:
    response = client.invoke_endpoint(
        EndpointName="dogs",
        Body=JPEG,
        ContentType="image/jpeg",
        Accept="application/json",
        CustomAttributes="top_k=3",
    )

    headers, body = container.requests[0]
    assert body == JPEG
    assert headers["content-type"] == "image/jpeg"
    assert headers["accept"] == "application/json"
    assert headers["x-amzn-sagemaker-custom-attributes"] == "top_k=3"
    assert not {"authorization", "x-amz-date", "amz-sdk-invocation-id", "user-agent"} & set(headers)
    assert "server-secret" not in response["ResponseMetadata"]["HTTPHeaders"]


@pytest.mark.parametrize("status", [400, 415, 429, 500, 503])
def test_a_refusal_by_the_container_is_a_model_error(
    client: "SageMakerRuntimeClient", container: Serving, status: int
) -> None:
    container.status, container.body = status, b"no"

    error = error_of(client)
    assert error["Error"]["Code"] == "ModelError"
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert error["OriginalStatusCode"] == status
    assert error["OriginalMessage"] == "no"
    assert error["LogStreamArn"].startswith("arn:aws:logs:")


def test_an_unknown_endpoint_is_a_validation_error(client: "SageMakerRuntimeClient") -> None:
    error = error_of(client, "cats")

    assert error["Error"]["Code"] == "ValidationError"
    assert "cats" in error["Error"]["Message"]
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_container_that_does_not_listen_is_a_503(client: "SageMakerRuntimeClient") -> None:
    assert error_of(client, "gone")["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_a_body_over_the_limit_does_not_reach_the_container(
    client: "SageMakerRuntimeClient", container: Serving
) -> None:
    assert client.invoke_endpoint(EndpointName="dogs", Body=b"x" * MAX_BODY_BYTES)["Body"].read()

    assert error_of(client, body=b"x" * (MAX_BODY_BYTES + 1))["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert len(container.requests) == 1


def test_a_container_that_takes_too_long_is_timed_out() -> None:
    release = threading.Event()

    class Hanging(LoopbackHandler):
        def do_POST(self) -> None:  # noqa: N802
            self.read_body()
            release.wait(PATIENCE_S)
            self.close_connection = True

    with (
        LoopbackServer(Hanging) as hanging,
        SageMakerRuntime({"dogs": hanging.url}, invocation_timeout_s=0.1) as service,
    ):
        error = error_of(client_of(service))
        release.set()

    assert error["Error"]["Code"] == "ModelError"
    assert error["OriginalStatusCode"] == 0
    assert "timed out" in error["OriginalMessage"]


def test_in_service_means_that_ping_returns_200(container: Serving) -> None:
    assert in_service(container.url)
    assert not in_service(f"http://127.0.0.1:{free_port()}")


def test_a_port_in_use_is_named_in_a_sentence(container: Serving) -> None:
    port = int(container.url.rpartition(":")[2])

    with pytest.raises(OSError, match=f"port {port} on 127.0.0.1 is in use by another process"):
        SageMakerRuntime({}, port=port)


def test_connections_to_the_container_are_kept_open_and_replaced_when_it_closes_them() -> None:
    connections: set[object] = set()
    closing = threading.Event()

    class Counting(LoopbackHandler):
        def do_POST(self) -> None:  # noqa: N802
            connections.add(self.client_address)
            closes = closing.is_set()  # read before the answer, after which the test may set it
            self.answer(200, self.read_body())
            if closes:
                self.close_connection = True  # without a `Connection: close` header, as after an idle time-out

    with LoopbackServer(Counting) as counting:
        container = Container(counting.url)
        for _ in range(3):
            container.invoke([], b"x")
        assert len(connections) == 1

        closing.set()
        assert [container.invoke([], b"y").body for _ in range(3)] == [b"y"] * 3
        assert len(connections) == 3
        container.close()
