"""Every kind of fault that SageMaker Runtime, a container or the network between them shows, and what a caller gets.

The error codes are those of botocore's model of the service (InvokeEndpoint), with the errors that all services of AWS
have: https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html
"""

import json
from dataclasses import dataclass

from tests.faults.fault_server import (
    SECRET,
    Fault,
    FaultServer,
    busy_model,
    cuts_short,
    ends,
    error,
    floods,
    model_error,
    resets,
    returns,
    speaks_no_http,
    web_page,
)

LEAKS = (
    "secret",
    "Traceback",
    'File "',
    "/opt/",
    "/var/task",
    "arn:",
    "123456789012",
    "http://",
    "https://",
    "127.0.0.1",
    "localhost",
    "amazonaws",
    "x-amz",
    "botocore",
    "urllib3",
    "Message:",
)
"""Parts of texts that no response may contain: ARNs, URLs, account ids, stack traces, paths, names of libraries."""


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    fault: Fault
    status: int
    """Of the function's response."""
    code: str
    hangs: bool = False
    """Whether the fault lasts until the function's deadline."""


def of_the_service() -> list[Kind]:
    """What SageMaker Runtime itself answers."""
    return [
        Kind("throttling", error(400, "ThrottlingException"), 503, "busy"),
        Kind("endpoint missing or not in service", error(400, "ValidationError"), 503, "unavailable"),
        Kind("model not ready", error(429, "ModelNotReadyException"), 503, "busy"),
        Kind("internal failure", error(500, "InternalFailure"), 502, "endpoint_failed"),
        Kind("failure of a dependency", error(530, "InternalDependencyException"), 502, "endpoint_failed"),
        Kind("service unavailable", error(503, "ServiceUnavailable"), 503, "busy"),
        Kind("access denied", error(403, "AccessDeniedException"), 500, "internal"),
        Kind("expired token", error(403, "ExpiredTokenException"), 500, "internal"),
        Kind("wrong signature", error(403, "InvalidSignatureException"), 500, "internal"),
        Kind("request too large", error(413, None), 413, "too_large"),
        Kind("an error that is not in the model", error(400, "SomethingNewException"), 500, "internal"),
        Kind("a redirect", returns(b"", status=307, Location="https://secret.example/"), 500, "internal"),
        Kind("a proxy's web page", web_page, 502, "endpoint_failed"),
    ]


def of_the_model() -> list[Kind]:
    """What a container answers, as SageMaker passes it on."""
    leaking = {"predictions": [{"breed": SECRET, "probability": 2}], "model": SECRET}
    return [
        Kind("model error 400", model_error(400), 400, "bad_request"),
        Kind("model error 415", model_error(415), 415, "unsupported_type"),
        Kind("model error 500", model_error(500), 502, "model_failed"),
        Kind("model did not answer in 60 s", model_error(0), 504, "timed_out"),
        Kind("model's queue is full", busy_model(24), 503, "busy"),
        Kind("body is not JSON", returns(SECRET.encode()), 502, "model_failed"),
        Kind("body has other members", returns(json.dumps({"Message": SECRET}).encode()), 502, "model_failed"),
        Kind("body's predictions are wrong", returns(json.dumps(leaking).encode()), 502, "model_failed"),
        Kind("content type is HTML", returns(SECRET.encode(), "text/html"), 502, "model_failed"),
    ]


def of_the_network(server: FaultServer) -> list[Kind]:
    """What a connection does."""
    return [
        Kind("connection reset", resets, 503, "unreachable"),
        Kind("connection closed without a response", ends, 503, "unreachable"),
        Kind("response is no HTTP", speaks_no_http, 503, "unreachable"),
        Kind("body cut short", cuts_short, 503, "unreachable"),
        Kind("body without an end", floods, 502, "model_failed"),
        Kind("silence", server.hangs, 504, "timed_out", hangs=True),
        Kind("body that stops", server.hangs_in_the_body, 504, "timed_out", hangs=True),
        Kind("a byte at a time", server.drips, 504, "timed_out", hangs=True),
    ]


def all_kinds(server: FaultServer) -> list[Kind]:
    return [*of_the_service(), *of_the_model(), *of_the_network(server)]


def leaks_in(response: object) -> list[str]:
    """The parts of LEAKS in a response of the function, its headers included."""
    text = json.dumps(response)
    return [leak for leak in LEAKS if leak in text or json.dumps(leak)[1:-1] in text]
