"""The handler in AWS's own runtime client, in front of a container that speaks real HTTP."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.aws.lambda_runtime import LambdaRuntime
from tests.rehearsal.container import (
    ANSWER,
    EVENTS,
    EVENTS_WITH_A_PHOTO,
    JPEG,
    Container,
    any_event,
)
from tests.rehearsal.function import function_and_container


@pytest.fixture(scope="module")
def parts() -> Iterator[tuple[LambdaRuntime, Container]]:
    with function_and_container() as both:
        yield both


@pytest.fixture
def function(parts: tuple[LambdaRuntime, Container]) -> LambdaRuntime:
    return parts[0]


@pytest.fixture
def container(parts: tuple[LambdaRuntime, Container]) -> Container:
    container = parts[1]
    container.status, container.body = 200, json.dumps(ANSWER).encode()
    container.requests.clear()
    return container


def stored(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


def error_of(response: dict[str, Any]) -> dict[str, Any]:
    error = json.loads(response["body"])["error"]
    assert isinstance(error, dict)
    assert set(error) - {"retry_after_s"} == {"code", "message", "request_id"}
    return error


@pytest.mark.parametrize("name", EVENTS_WITH_A_PHOTO)
def test_each_kind_of_event_is_answered_with_breeds(function: LambdaRuntime, container: Container, name: str) -> None:
    response = function.invoke(stored(name))

    assert set(response) == {"statusCode", "headers", "body"}
    assert response["statusCode"] == 200
    assert response["headers"] == {"Content-Type": "application/json"}
    body = json.loads(response["body"])
    assert body.pop("request_id")
    assert body == ANSWER


def test_the_container_gets_the_bytes_of_the_photo(function: LambdaRuntime, container: Container) -> None:
    function.invoke({**any_event(), "top_k": 3})

    headers, body = container.requests[0]
    assert body == JPEG
    assert headers["content-type"] == "image/jpeg"
    assert headers["accept"] == "application/json"
    assert headers["x-amzn-sagemaker-custom-attributes"] == "top_k=3"


@pytest.mark.parametrize("label", ["image/jpg", "image/pjpeg", "application/octet-stream", "binary/octet-stream", ""])
def test_the_endpoint_gets_the_type_that_the_bytes_have(
    function: LambdaRuntime, container: Container, label: str
) -> None:
    event = stored("http_api_image")
    del event["headers"]["content-type"]
    if label:
        event["headers"]["content-type"] = label

    assert function.invoke(event)["statusCode"] == 200
    assert container.requests[0][0]["content-type"] == "image/jpeg"


def test_without_top_k_the_container_uses_its_default(function: LambdaRuntime, container: Container) -> None:
    function.invoke(any_event())

    assert "x-amzn-sagemaker-custom-attributes" not in container.requests[0][0]


@pytest.mark.parametrize(
    ("name", "status"), [("direct_url", 400), ("rest_api_image_as_text", 400), ("function_url_get", 405)]
)
def test_a_bad_request_never_reaches_the_endpoint(
    function: LambdaRuntime, container: Container, name: str, status: int
) -> None:
    response = function.invoke(stored(name))

    assert response["statusCode"] == status
    assert error_of(response)["message"]
    assert container.requests == []


def test_no_url_is_fetched_unless_a_setting_lists_its_host(function: LambdaRuntime) -> None:
    response = function.invoke(stored("direct_url"))

    assert response["statusCode"] == 400
    assert error_of(response)["code"] == "url_not_fetched"
    assert "api.allowed_url_hosts" in error_of(response)["message"]
    assert "base64" in error_of(response)["message"]


def test_no_object_in_s3_may_be_read_unless_a_setting_allows_it(function: LambdaRuntime) -> None:
    response = function.invoke(stored("direct_s3"))

    assert response["statusCode"] == 403
    assert "api.readable_s3_prefixes" in error_of(response)["message"]


@pytest.mark.parametrize("event", [None, [], "photo", 7, {}])
def test_an_event_that_is_not_a_request_gets_a_400(function: LambdaRuntime, event: object) -> None:
    assert function.invoke(event)["statusCode"] == 400


def test_an_image_in_another_format_gets_a_415(function: LambdaRuntime, container: Container) -> None:
    response = function.invoke({"image": base64.b64encode(b"GIF89a...").decode()})

    assert response["statusCode"] == 415
    assert "GIF" in error_of(response)["message"]
    assert container.requests == []


def test_the_largest_photo_that_fits_into_an_event_is_served(function: LambdaRuntime, container: Container) -> None:
    photo = JPEG.ljust(4_700_000, b"x")

    assert function.invoke({"image": base64.b64encode(photo).decode()})["statusCode"] == 200
    assert container.requests[0][1] == photo


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_refusal_by_the_container_keeps_its_status_but_not_its_text(
    function: LambdaRuntime, container: Container, status: int
) -> None:
    container.status, container.body = status, b"Traceback: /opt/ml/model/secret"

    response = function.invoke(any_event())
    assert response["statusCode"] == status
    assert "secret" not in response["body"]
    assert error_of(response)["message"].endswith(".")


@pytest.mark.parametrize("status", [401, 404, 426, 431])
def test_another_refusal_by_the_container_is_a_400(function: LambdaRuntime, container: Container, status: int) -> None:
    """A 401 or a 426 would ask something of the caller that only the container's own clients can do."""
    container.status, container.body = status, b"{}"

    response = function.invoke(any_event())

    assert response["statusCode"] == 400
    assert error_of(response)["code"] == "refused"


@pytest.mark.parametrize("body", [b"", b"not JSON", b"[]", b'{"predictions": 7}', b'{"predictions": [NaN]}'])
def test_a_response_without_predictions_is_a_502(function: LambdaRuntime, container: Container, body: bytes) -> None:
    container.body = body

    assert function.invoke(any_event())["statusCode"] == 502


def test_each_request_is_one_json_line_without_the_photo(function: LambdaRuntime, container: Container) -> None:
    before = len(function.log)
    response = function.invoke(any_event())

    (line,) = function.log[before:].splitlines()
    entry = json.loads(line)
    assert entry["request_id"] == json.loads(response["body"])["request_id"]
    assert (entry["status"], entry["source"], entry["bytes"], entry["attempts"]) == (200, "event", len(JPEG), 1)
    assert any_event()["image"] not in line
