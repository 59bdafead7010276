"""awslambdaric's module `runtime_client` in Python: get events from the Lambda Runtime API and post the responses.

awslambdaric compiles it from C++ on Linux and installs without it elsewhere. Everything else (loading the handler, its
context, errors and logs) remains AWS's code. As in the compiled module, every function raises RuntimeError if the API
rejects a call, and awslambdaric then ends the process.

The API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import http.client
import os
from collections.abc import Mapping
from email.message import Message

_INVOCATION = "/2018-06-01/runtime/invocation"
_DEADLINE = "Lambda-Runtime-Deadline-Ms"
_user_agent = ""


def initialize_client(user_agent: str) -> None:
    """Set the User-Agent header. awslambdaric calls it once, before all others."""
    global _user_agent
    _user_agent = user_agent


def next() -> tuple[bytes, dict[str, str | int]]:  # noqa: A001 - awslambdaric calls it by this name
    """Wait for an event. Returns its body and the headers of the invocation, with the deadline as an integer."""
    status, headers, body = _call("GET", f"{_INVOCATION}/next")
    if status != 200:
        raise RuntimeError(f"Failed to get the next invocation: HTTP status {status}")
    return body, {**headers, _DEADLINE: int(headers[_DEADLINE])}


def post_invocation_result(
    request_id: str, response: bytes, content_type: str, invocation_id: str | None = None
) -> None:
    """Send the handler's return value, as JSON bytes."""
    _post(f"{_INVOCATION}/{request_id}/response", response, {"Content-Type": content_type}, invocation_id)


def post_error(request_id: str, error: str, xray_cause: str, invocation_id: str | None = None) -> None:
    """Send the handler's exception, as a JSON object."""
    headers = {"Content-Type": "application/json", "Lambda-Runtime-Function-XRay-Error-Cause": xray_cause}
    _post(f"{_INVOCATION}/{request_id}/error", error.encode(), headers, invocation_id)


def _post(path: str, body: bytes, headers: Mapping[str, str], invocation_id: str | None) -> None:
    own = {"Lambda-Runtime-Invocation-Id": invocation_id} if invocation_id else {}
    status, _, _ = _call("POST", path, body, {**headers, **own})
    if status != 202:
        raise RuntimeError(f"Failed to post to {path}: HTTP status {status}")


def _call(
    method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Message, bytes]:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])  # no time limit: events may be rare
    try:
        connection.request(method, path, body, {"User-Agent": _user_agent, **(headers or {})})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise RuntimeError(f"The Lambda Runtime API did not answer {method} {path}: {error}") from error
    finally:
        connection.close()
