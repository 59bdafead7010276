"""Every event that is not understood gets a 400 with an example, and the function understands the example."""

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_fn.errors import BAD_REQUEST, ServiceError
from lambda_fn.events import parse

JPEG = b"\xff\xd8\xff\xe0 a photo, and more bytes of it than the function looks at to see what it is"
ENCODED = base64.b64encode(JPEG).decode()
HTTP_API = {"version": "2.0", "rawPath": "/predict", "requestContext": {"http": {"method": "POST", "path": "/predict"}}}
REST_API = {"httpMethod": "POST", "path": "/predict", "requestContext": {"httpMethod": "POST", "stage": "prod"}}
BALANCER = {"httpMethod": "POST", "path": "/", "requestContext": {"elb": {"targetGroupArn": "arn"}}}
IMAGE = json.dumps({"image": ENCODED})

SHAPES: dict[str, tuple[object, str]] = {
    # name: the event, and a word of the refusal
    "null": (None, "null"),
    "a string": ("dog.jpg", "text"),
    "a base64 string": (ENCODED, "text"),
    "a number": (7, "a number"),
    "a boolean": (True, "a boolean"),
    "an empty list": ([], "a list"),
    "a list of requests": ([{"image": ENCODED}], "a list"),
    "an empty object": ({}, "no photo"),
    "another name": ({"photo": ENCODED}, '"photo"'),
    "another case": ({"Image": ENCODED}, '"Image"'),
    "a name with a brace": ({"{": ENCODED}, '"{"'),
    "the console's test event": ({"key1": "value1", "key2": "value2", "key3": "value3"}, '"key1", "key2", "key3"'),
    "many long names": ({f"{number}{'x' * 900}": 1 for number in range(900)}, "no photo"),
    "an empty image": ({"image": ""}, "empty"),
    "an image of a number": ({"image": 7}, "a number"),
    "an image of bytes": ({"image": [255, 216]}, "a list"),
    "an image that is cut off": ({"image": ENCODED[:-3]}, "base64"),
    "two sources": ({"image": ENCODED, "s3": {"bucket": "b", "key": "k"}}, "image and s3"),
    "s3 as an address": ({"s3": "s3://photos/dog.jpg"}, "bucket"),
    "s3 without a key": ({"s3": {"bucket": "photos"}}, "key"),
    "s3 of a notification": ({"s3": {"bucket": {"name": "photos"}, "object": {"key": "dog.jpg"}}}, "bucket"),
    "a misspelt option": ({"image": ENCODED, "topK": 3}, '"topK"'),
    "an option of no number": ({"image": ENCODED, "top_k": "all"}, "top_k"),
    "S3": (
        {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]},
        "an S3 notification",
    ),
    "SQS": ({"Records": [{"eventSource": "aws:sqs", "body": IMAGE}]}, "SQS"),
    "SNS": ({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": IMAGE}}]}, "an SNS notification"),
    "Kinesis": ({"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": ENCODED}}]}, "Kinesis"),
    "DynamoDB": ({"Records": [{"eventSource": "aws:dynamodb", "dynamodb": {}}]}, "DynamoDB"),
    "records of another source": ({"Records": [{"eventSource": ["aws:mq"]}]}, "a batch of records"),
    "no records": ({"Records": []}, '"Records"'),
    "EventBridge": (
        {"version": "0", "source": "aws.s3", "detail-type": "Object Created", "detail": {"bucket": {"name": "b"}}},
        "EventBridge",
    ),
    "a schedule": ({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}, "EventBridge"),
    "S3 Batch Operations": ({"invocationId": "1", "tasks": [{"s3Key": "k"}]}, '"invocationId", "tasks"'),
    "a WebSocket": ({"requestContext": {"connectionId": "c", "eventType": "MESSAGE"}, "body": IMAGE}, "WebSocket"),
    "an HTTP API, no body": (HTTP_API, "empty"),
    "an HTTP API, an empty body": ({**HTTP_API, "body": "", "isBase64Encoded": False}, "empty"),
    "an HTTP API, blanks": ({**HTTP_API, "body": " \n"}, "empty"),
    "an HTTP API, an object as the body": ({**HTTP_API, "body": {"image": ENCODED}}, "an object"),
    "an HTTP API, a list in JSON": ({**HTTP_API, "body": "[1]"}, "a list"),
    "an HTTP API, half of the JSON": ({**HTTP_API, "body": IMAGE[:-1]}, "nor JSON"),
    "an HTTP API, base64 that is not flagged": ({**HTTP_API, "body": ENCODED, "isBase64Encoded": False}, "base64"),
    "an HTTP API, base64 twice": (
        {**HTTP_API, "body": base64.b64encode(ENCODED.encode()).decode(), "isBase64Encoded": True},
        "base64",
    ),
    "an HTTP API, JSON that is flagged": ({**HTTP_API, "body": IMAGE, "isBase64Encoded": True}, "isBase64Encoded"),
    "an HTTP API, a flag of text": ({**HTTP_API, "body": ENCODED, "isBase64Encoded": "true"}, "isBase64Encoded"),
    "an HTTP API, a photo as text": ({**HTTP_API, "body": JPEG.decode(errors="replace")}, "binary media type"),
    "an HTTP API, a misspelt option": (
        {**HTTP_API, "queryStringParameters": {"top-k": "3"}, "body": IMAGE},
        '"top-k"',
    ),
    "an HTTP API, the option twice": ({**HTTP_API, "queryStringParameters": {"top_k": "3,5"}, "body": IMAGE}, "top_k"),
    "a REST API, no body": ({**REST_API, "body": None}, "empty"),
    "a REST API, text": ({**REST_API, "body": "a dog"}, "nor JSON"),
    "a load balancer, no body": ({**BALANCER, "body": ""}, "empty"),
    "a load balancer, lists of values": (
        {**BALANCER, "multiValueQueryStringParameters": {"top_k": ["0"]}, "body": IMAGE},
        "top_k",
    ),
}


def examples(sentence: str) -> Iterator[Any]:
    """The JSON objects in a sentence, with a photo for the placeholder."""
    at = sentence.find('{"')
    while at >= 0:
        example, end = json.JSONDecoder().raw_decode(sentence, at)
        if "image" in example or "s3" in example:
            yield json.loads(json.dumps(example).replace("<base64>", ENCODED))
        at = sentence.find('{"', end)


def check(error: ServiceError) -> None:
    found = list(examples(error.message[error.message.index('{"image"') :]))
    assert found
    for example in found:
        assert parse(example)


@pytest.mark.parametrize("name", SHAPES)
def test_an_event_that_is_not_understood_gets_a_400_with_an_example(name: str) -> None:
    event, word = SHAPES[name]

    with pytest.raises(ServiceError) as caught:
        parse(event)

    assert caught.value.fault is BAD_REQUEST
    assert word in caught.value.message
    assert len(caught.value.message) < 500
    check(caught.value)


@pytest.mark.parametrize("as_lists", [False, True])
def test_a_load_balancer_may_send_lists_of_values(as_lists: bool) -> None:
    given_event: dict[str, Any] = {**BALANCER, "body": ENCODED, "isBase64Encoded": True}
    if as_lists:
        given_event |= {"multiValueQueryStringParameters": {"top_k": ["5", "3"]}, "multiValueHeaders": {}}
    else:
        given_event |= {"queryStringParameters": {"top_k": "3"}}

    request = parse(given_event)

    assert (request.image, request.top_k) == (JPEG, 3)


def test_a_form_is_recognised_by_a_header_in_a_list() -> None:
    headers = {"Content-Type": ["multipart/form-data; boundary=x"]}

    with pytest.raises(ServiceError, match="multipart"):
        parse({**BALANCER, "multiValueHeaders": headers, "body": "--x"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "body": JSON | st.sampled_from([IMAGE, ENCODED]),
        "isBase64Encoded": JSON,
        "httpMethod": st.sampled_from(["POST", "PUT", None]) | JSON,
        "requestContext": st.just(HTTP_API["requestContext"]) | JSON,
        "headers": JSON,
        "multiValueHeaders": JSON,
        "queryStringParameters": JSON,
        "multiValueQueryStringParameters": JSON,
        "Records": JSON,
        "image": JSON | st.just(ENCODED),
        "s3": JSON,
        "top_k": JSON,
        "topk": JSON,
    },
)


@settings(deadline=None)
@given(PARTS | JSON)
def test_every_refusal_of_a_shape_has_an_example(event: object) -> None:
    with suppress(ServiceError):
        try:
            parse(event)
        except ServiceError as error:
            if error.fault is BAD_REQUEST:
                check(error)
            raise
