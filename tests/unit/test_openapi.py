"""docs/openapi.json is what the code says, and the code's responses are what it says."""

import json
from itertools import product
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from lambda_fn.errors import BUSY, METHOD_NOT_ALLOWED, Fault, ServiceError, busy_for, of_model_status
from lambda_fn.events import parse
from lambda_fn.photo_url import PhotoUrl, PhotoUrlError
from ops.api_remedies import OF_FAULT, OF_GATEWAY
from ops.openapi import GATEWAY, GATEWAY_MESSAGES, PAGE, document, faults, text
from tests.rehearsal.container import EVENTS

DOCUMENT = document()
RESPONSES = DOCUMENT["paths"]["/predict"]["post"]["responses"]


def errors(value: object, schema: dict[str, Any]) -> list[str]:
    """What of the value the schema does not allow."""
    with_definitions = {**schema, "components": DOCUMENT["components"]}
    return [error.message for error in Draft202012Validator(with_definitions).iter_errors(value)]


def undocumented(fault: Fault) -> list[str]:
    """What of the response to a fault the document does not have."""
    response = ServiceError(fault).response("request-1")
    documented = RESPONSES.get(str(response["statusCode"]))
    if documented is None:
        return [f"status {response['statusCode']}"]
    found = errors(json.loads(response["body"]), documented["content"]["application/json"]["schema"])
    return [*found, *({*response["headers"]} - {"Content-Type"} - {*documented.get("headers", {})})]


def test_the_file_is_up_to_date() -> None:
    assert PAGE.read_text() == text(), "run `make reference`, and commit what changed"


def test_the_document_is_valid() -> None:
    validate(DOCUMENT)


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.code)
def test_the_response_to_each_fault_is_documented(fault: Fault) -> None:
    assert undocumented(fault) == []


@pytest.mark.parametrize("status", [0, *range(400, 600)])
def test_the_response_to_each_status_of_the_container_is_documented(status: int) -> None:
    assert undocumented(of_model_status(status)) == []


def test_each_example_is_what_its_schema_allows() -> None:
    checked = 0
    for operation in (each for path in DOCUMENT["paths"].values() for each in path.values()):
        for status, response in operation["responses"].items():
            for content in response["content"].values():
                for name, example in content.get("examples", {}).items():
                    assert errors(example["value"], content["schema"]) == [], (status, name)
                    checked += 1
    for example in DOCUMENT["components"]["schemas"]["Request"]["examples"]:
        assert errors(example, {"$ref": "#/components/schemas/Request"}) == []
    assert checked > len(faults())


def test_each_error_has_a_remedy_and_an_example() -> None:
    assert OF_FAULT.keys() == {fault.code for fault in faults()}
    assert OF_GATEWAY.keys() == GATEWAY.keys() == GATEWAY_MESSAGES.keys()
    for fault in faults():
        example = RESPONSES[str(fault.status)]["content"]["application/json"]["examples"][fault.code]
        assert example["summary"] == fault.message
        assert example["description"] == OF_FAULT[fault.code]
        assert example["value"]["error"]["code"] == fault.code


def test_a_wait_is_in_the_header_and_in_the_body() -> None:
    response = ServiceError(busy_for(24)).response("request-1")

    assert response["headers"]["Retry-After"] == "24"
    assert json.loads(response["body"])["error"]["retry_after_s"] == 24
    assert undocumented(busy_for(24)) == []
    assert "Retry-After" in RESPONSES[str(BUSY.status)]["headers"]
    assert "Allow" in RESPONSES[str(METHOD_NOT_ALLOWED.status)]["headers"]


def test_a_fault_that_the_document_does_not_have_is_found() -> None:
    assert undocumented(Fault(status=418, code="teapot", message="No."))
    assert undocumented(Fault(status=400, code="teapot", message="No."))
    assert undocumented(Fault(status=404, code="s3_not_found", message="No.", retry_after_s=3))


@pytest.mark.parametrize("name", ["direct_image", "direct_s3", "direct_url"])
def test_the_stored_events_are_requests(name: str) -> None:
    schema = {"$ref": "#/components/schemas/Request"}
    event = json.loads((EVENTS / f"{name}.json").read_text())

    assert errors(event, schema) == []
    assert errors({**event, "top_k": 0}, schema)
    assert errors({"image": "/9j/", "s3": {"bucket": "b", "key": "k"}}, schema)
    assert errors({}, schema)


LEFT_OUT = object()
VALUES: dict[str, list[object]] = {
    "image": [LEFT_OUT, None, "/9j/", 3],
    "s3": [LEFT_OUT, None, {"bucket": "b", "key": "k", "size": 3}, {"bucket": "b", "key": None}],
    "url": [LEFT_OUT, None, "https://photos.example.org/dog.jpg", True],
    "top_k": [LEFT_OUT, None, 1, 1000, 1001, 0, 3.0, 1.5, True, "3", "0003", "00003", "1000", "1001", "000", ""],
}


def test_the_function_accepts_exactly_the_fields_that_the_document_allows() -> None:
    schema = {"$ref": "#/components/schemas/Request"}
    different, accepted = [], 0
    for values in product(*VALUES.values()):
        event = {name: value for name, value in zip(VALUES, values, strict=True) if value is not LEFT_OUT}
        try:
            parse(event)
        except ServiceError as error:
            found = [error.message]
        else:
            found, accepted = [], accepted + 1
        if bool(found) != bool(errors(event, schema)):
            different.append(event)

    assert different == []
    assert accepted > 50


@pytest.mark.parametrize(
    "url",
    [
        "https://photos.example.org/dog.jpg",
        "HTTPS://photos.example.org/dog.jpg",
        "http://photos.example.org/dog.jpg",
        "photos.example.org/dog.jpg",
        f"https://photos.example.org/{'a' * (2048 - 27)}",
        f"https://photos.example.org/{'a' * (2048 - 26)}",
    ],
)
def test_scheme_and_length_of_a_url_are_those_that_the_function_accepts(url: str) -> None:
    try:
        PhotoUrl.parse(url)
    except PhotoUrlError:
        assert errors({"url": url}, {"$ref": "#/components/schemas/Request"})
    else:
        assert errors({"url": url}, {"$ref": "#/components/schemas/Request"}) == []
