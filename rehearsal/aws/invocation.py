"""What SageMaker Runtime does between a caller and one container: limits, headers, time-out and errors.

Sources: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html and
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

MAX_BODY_BYTES = 6_291_456
"""`BodyBlob` in the service model."""
INVOCATION_TIMEOUT_S = 60.0
"""SageMaker's limit for a container's response; it cannot be changed."""
PING_TIMEOUT_S = 2.0
_READ_BYTES = 65536
_TIMED_OUT = "Your invocation timed out while waiting for a response from container primary."


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: of a container, or of SageMaker Runtime to its caller."""

    status: int
    body: bytes
    headers: dict[str, str]


class Container:
    """The container at `url`, over connections that are kept open between calls. Threads may share it."""

    def __init__(self, url: str, *, timeout_s: float = INVOCATION_TIMEOUT_S) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port
        self._timeout_s = timeout_s
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def ping(self) -> bool:
        """Whether it answers `/ping` with status 200 within 2 s, SageMaker's condition for InService."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=PING_TIMEOUT_S)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def invoke(self, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
        """Its response to `/invocations`, with the headers that SageMaker passes on in each direction.

        Raises TimeoutError after the time-out, and OSError or HTTPException if it does not respond.
        """
        end = time.monotonic() + self._timeout_s
        passed = _passed_on(headers)
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        if kept is not None:
            try:
                return self._exchange(kept, passed, body, end)
            except (ConnectionError, http.client.RemoteDisconnected):
                kept.close()  # the container had closed it; a new connection shows whether the container still runs
        return self._exchange(http.client.HTTPConnection(self._host, self._port), passed, body, end)

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _exchange(
        self, connection: http.client.HTTPConnection, headers: dict[str, str], body: bytes, end: float
    ) -> Answer:
        complete = False
        try:
            connection.timeout = _left(end)
            if connection.sock is None:
                connection.connect()
            connection.sock.settimeout(_left(end))
            connection.request("POST", "/invocations", body, headers)
            response = connection.getresponse()
            answer = b""
            while chunk := response.read1(_READ_BYTES):
                answer += chunk
                if connection.sock is not None:
                    connection.sock.settimeout(_left(end))
                else:
                    _left(end)
            complete = not response.will_close
            response.close()  # `read1` leaves it open at its end, and then the connection cannot be used again
            return Answer(response.status, answer, _passed_on(response.headers.items()))
        finally:
            if complete:
                with self._lock:
                    self._idle.append(connection)
            else:
                connection.close()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What SageMaker Runtime's responses say of an endpoint."""

    name: str
    region: str = "us-east-1"
    account: str = "000000000000"

    def answer(self, answer: Answer, *, variant: str) -> Answer:
        """The response to the caller for the response of a container: a ModelError for every status from 400 on."""
        if answer.status >= 400:
            return self.model_error(answer.status, answer.body.decode(errors="replace"))
        return Answer(200, answer.body, {**answer.headers, "x-Amzn-Invoked-Production-Variant": variant, **_id()})

    def timed_out(self) -> Answer:
        """The response to the caller if the container gave none in time."""
        return self.model_error(0, _TIMED_OUT)

    def model_error(self, status: int, message: str) -> Answer:
        """The response to the caller for the error of a container."""
        side = "client" if 400 <= status < 500 else "server"
        group = f"/aws/sagemaker/Endpoints/{self.name}"
        return _error(
            424,
            "ModelError",
            f'Received {side} error ({status}) from primary with message "{message}". See log group {group} in account '
            f"{self.account} for more information.",
            OriginalStatusCode=status,
            OriginalMessage=message,
            LogStreamArn=f"arn:aws:logs:{self.region}:{self.account}:log-group:{group}",
        )

    def not_found(self) -> Answer:
        """The response to the caller if the endpoint does not exist or is not in service."""
        return _error(400, "ValidationError", f"Endpoint {self.name} of account {self.account} not found.")


def invalid(message: str) -> Answer:
    """The response to a request with a wrong parameter."""
    return _error(400, "ValidationError", message)


def too_large() -> Answer:
    """The response to a body over `MAX_BODY_BYTES`."""
    return _error(413, None, f"HTTP content length exceeded {MAX_BODY_BYTES} bytes.")


def unavailable() -> Answer:
    """The response to the caller if no container accepts a connection."""
    return _error(503, "ServiceUnavailable", "The container does not accept connections.")


def unknown_operation() -> Answer:
    """The response to a path that is no operation."""
    return _error(404, "UnknownOperationException", "")


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _error(status: int, kind: str | None, message: str, **members: object) -> Answer:
    error_type = {"x-amzn-ErrorType": kind} if kind else {}
    body = json.dumps({"Message": message, **members}).encode()
    return Answer(status, body, {"Content-Type": "application/json", **error_type, **_id()})


def _id() -> dict[str, str]:
    return {"x-amzn-RequestId": str(uuid.uuid4())}


def _passed_on(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers that SageMaker passes on; it removes all others."""
    return {
        name: value
        for name, value in headers
        if name.lower() in {"content-type", "accept"} or name.lower().startswith("x-amzn-sagemaker-")
    }
