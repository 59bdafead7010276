"""Every kind of event becomes the same request. Everything else becomes an error with a sentence."""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.photo.file_types import media_type
from lambda_fn.errors import ServiceError
from lambda_fn.events import parse
from lambda_fn.photo import Photo
from lambda_fn.settings import S3Object
from tests.rehearsal.container import EVENTS, EVENTS_WITH_A_PHOTO, JPEG


def event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


def encoded(data: bytes = JPEG) -> str:
    return base64.b64encode(data).decode()


def refusal(given_event: object) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        parse(given_event)
    assert caught.value.message.endswith((".", "?"))
    return caught.value


@pytest.mark.parametrize("name", EVENTS_WITH_A_PHOTO)
def test_each_kind_of_event_becomes_the_same_request(name: str) -> None:
    request = parse(event(name))

    assert request.image is not None
    assert media_type(request.image) == "image/jpeg"
    assert request == parse(event("direct_image"))
    assert request.top_k == 3


LABELS = ["image/jpg", "image/pjpeg", "application/octet-stream", "binary/octet-stream", "", "text/plain", "image/png"]
"""What callers and S3 say of a good JPEG."""
KINDS = ["http_api_image", "rest_api_image", "function_url_image"]


def labelled(name: str, label: str, body: bytes, *, encoded: bool = True) -> Any:
    """The event with another body and content type; an empty label stands for no content type."""
    given_event = event(name)
    headers = {key: value for key, value in given_event["headers"].items() if key.lower() != "content-type"}
    given_event["headers"] = {**headers, "Content-Type": label} if label else headers
    given_event["body"] = base64.b64encode(body).decode() if encoded else body.decode(errors="replace")
    given_event["isBase64Encoded"] = encoded
    return given_event


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("label", [*LABELS, "multipart/form-data", "application/json"])
def test_the_bytes_of_a_photo_decide_and_not_its_content_type(name: str, label: str) -> None:
    assert parse(labelled(name, label, JPEG)).image == JPEG


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("label", LABELS)
def test_json_is_parsed_whatever_its_content_type(name: str, label: str) -> None:
    body = json.dumps({"image": encoded()}).encode()

    assert parse(labelled(name, label, body)).image == JPEG
    assert parse(labelled(name, label, body, encoded=False)).image == JPEG


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    ("body", "named"), [(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"), (b"GIF89a\1\0\1\0\xff", "GIF")]
)
def test_another_file_is_named_whatever_its_content_type(label: str, body: bytes, named: str) -> None:
    image = parse(labelled("http_api_image", label, body)).image

    assert image is not None
    with pytest.raises(ServiceError, match=named) as caught:
        Photo.of(image)
    assert caught.value.fault.status == 415


@pytest.mark.parametrize("label", LABELS)
def test_a_photo_that_a_gateway_decoded_as_text_is_recognised(label: str) -> None:
    error = refusal(labelled("http_api_image", label, JPEG, encoded=False))

    assert error.fault.status == 400
    assert "binary media type" in error.message


def test_an_s3_event_names_the_object() -> None:
    assert parse(event("direct_s3")).s3 == S3Object("photos", "open/dog.jpg")


def test_an_event_with_only_a_body_is_parsed_as_http() -> None:
    assert parse({"body": json.dumps({"image": encoded()})}).image == JPEG


def test_the_query_gives_top_k_unless_the_body_does() -> None:
    http = {"httpMethod": "POST", "queryStringParameters": {"top_k": "5"}}

    assert parse({**http, "body": json.dumps({"image": encoded()})}).top_k == 5
    assert parse({**http, "body": json.dumps({"image": encoded(), "top_k": 2})}).top_k == 2
    assert parse({**http, "body": json.dumps({"image": encoded(), "top_k": None})}).top_k == 5


def test_a_url_is_read_as_it_is_sent() -> None:
    assert parse(event("direct_url")).url == "https://example.com/dog.jpg"


@pytest.mark.parametrize("url", [1, True, ["https://example.com"], {}])
def test_a_url_that_is_no_text_is_refused(url: object) -> None:
    assert refusal({"url": url}).message.startswith('"url" is')


def test_a_url_instead_of_the_image_is_recognised() -> None:
    assert 'belongs into "url"' in refusal({"image": "https://example.com/dog.jpg"}).message


def test_a_photo_that_the_gateway_converted_to_text_is_recognised() -> None:
    error = refusal(event("rest_api_image_as_text"))

    assert error.fault.status == 400
    assert "binary media type" in error.message


def test_a_get_request_is_refused() -> None:
    error = refusal(event("function_url_get"))

    assert error.fault.status == 405
    assert error.response("id")["headers"]["Allow"] == "POST"


def test_a_multipart_form_is_refused_by_name() -> None:
    form = {
        "httpMethod": "POST",
        "headers": {"content-type": "multipart/form-data; boundary=x"},
        "body": encoded(b"--x"),
        "isBase64Encoded": True,
    }
    assert "multipart" in refusal(form).message


@pytest.mark.parametrize(
    "text",
    [
        base64.encodebytes(JPEG * 20).decode(),
        f"data:image/jpeg;base64,{encoded(JPEG * 20)}",
        base64.urlsafe_b64encode(JPEG * 20).decode(),
    ],
    ids=["line breaks", "data URL", "URL-safe alphabet"],
)
def test_base64_is_accepted_in_the_forms_of_common_tools(text: str) -> None:
    assert parse({"image": text}).image == JPEG * 20


@pytest.mark.parametrize(
    "text", [encoded()[:-1], "not base64!", "ééé=", "/9j/=AAA", "data:image/jpeg,%FF%D8", "\ud800", "===="]
)
def test_text_that_is_not_base64_is_refused(text: str) -> None:
    error = refusal({"image": text})

    assert error.fault.status == 400
    assert "base64" in error.message


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (None, "null"),
        ([], "a list"),
        ("photo", "text"),
        ({}, "no photo"),
        ({"image": None}, "no photo"),
        ({"image": 7}, "a number"),
        ({"image": "", "s3": {"bucket": "b", "key": "k"}}, "image and s3"),
        ({"s3": "s3://b/k"}, "bucket"),
        ({"s3": {"bucket": "b"}}, "key"),
        ({"s3": {"bucket": "b", "key": "\ud800"}}, "valid text"),
        ({"s3": {"bucket": "b", "key": "k" * 1025}}, "longer"),
        ({"body": None, "httpMethod": "POST"}, "empty"),
        ({"body": 7}, "a number"),
        ({"body": "{"}, "JSON"),
        ({"body": "[" * 100_000}, "JSON"),
        ({"body": "[1]"}, "a list"),
        ({"body": "=", "isBase64Encoded": True}, "base64"),
    ],
)
def test_an_invalid_event_gets_a_400_with_the_reason(bad: object, named: str) -> None:
    error = refusal(bad)

    assert error.fault.status == 400
    assert named in error.message


@pytest.mark.parametrize("top_k", [0, -1, 1001, True, 1.5, "three", "٣", [], "9" * 5000])
def test_an_impossible_top_k_is_refused(top_k: object) -> None:
    assert "top_k" in refusal({"image": encoded(), "top_k": top_k}).message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = ("image", "s3", "url", "top_k", "body", "isBase64Encoded", "httpMethod", "headers", "requestContext")


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), JSON) | JSON)
def test_every_event_is_parsed_or_raises_a_service_error(any_event: object) -> None:
    with suppress(ServiceError):
        parse(any_event)
