"""SageMaker Runtime on one machine: InvokeEndpoint in front of a container's /ping and /invocations.

Set AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME to its URL to use it with boto3. Signatures are not checked. The rest follows
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html and
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import http.client
import json
import re
import time
import uuid
from collections.abc import Mapping
from email.message import Message
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from rehearsal.aws.loopback_server import LoopbackHandler, LoopbackServer

MAX_BODY_BYTES = 6_291_456
"""`BodyBlob` in the service model."""
INVOCATION_TIMEOUT_S = 60.0
"""SageMaker's limit for a container's response; it cannot be changed."""
PING_TIMEOUT_S = 2.0
VARIANT = "AllTraffic"
_ROUTE = re.compile(r"/endpoints/([^/]+)/invocations")
_TIMED_OUT = "Your invocation timed out while waiting for a response from container primary."


def in_service(container_url: str) -> bool:
    """Whether the container answers `/ping` with status 200 within 2 s, SageMaker's condition for InService."""
    address = urlsplit(container_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PING_TIMEOUT_S)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class SageMakerRuntime:
    """The service, at `url`, while the `with` block runs.

    endpoints: endpoint name to the URL of the container behind it, such as http://127.0.0.1:8080.
    """

    def __init__(
        self, endpoints: Mapping[str, str], *, port: int = 0, invocation_timeout_s: float = INVOCATION_TIMEOUT_S
    ) -> None:
        class Handler(_InvokeEndpoint):
            containers = endpoints
            timeout_s = invocation_timeout_s

        self._server = LoopbackServer(Handler, port=port)
        self.url = self._server.url

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, traceback)


class _InvokeEndpoint(LoopbackHandler):
    containers: Mapping[str, str]
    timeout_s: float

    def do_POST(self) -> None:  # noqa: N802
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True  # the body is not read
            return self._error(413, None, f"HTTP content length exceeded {MAX_BODY_BYTES} bytes.")
        body = self.read_body()
        route = _ROUTE.fullmatch(urlsplit(self.path).path)
        if route is None:
            return self._error(404, "UnknownOperationException", "")
        name = unquote(route[1])
        if name not in self.containers:
            return self._error(400, "ValidationError", f"Endpoint {name} of account 000000000000 not found.")
        try:
            status, headers, answer = self._invoke(self.containers[name], body)
        except TimeoutError:
            return self._model_error(0, _TIMED_OUT)
        except (OSError, http.client.HTTPException):
            return self._error(503, "ServiceUnavailable", "The container does not accept connections.")
        if status >= 400:
            return self._model_error(status, answer.decode(errors="replace"))
        return self.answer(200, answer, {**headers, "x-Amzn-Invoked-Production-Variant": VARIANT, **self._request_id()})

    def _invoke(self, container: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Call the container, with the headers that SageMaker passes on in each direction."""
        address = urlsplit(container)
        end = time.monotonic() + self.timeout_s
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=self.timeout_s)
        try:
            connection.request("POST", "/invocations", body, _passed_on(self.headers))
            response = connection.getresponse()
            answer = b""
            while chunk := response.read1(65536):
                answer += chunk
                if time.monotonic() > end:
                    raise TimeoutError
            return response.status, _passed_on(response.headers), answer
        finally:
            connection.close()

    def _model_error(self, status: int, message: str) -> None:
        side = "client" if 400 <= status < 500 else "server"
        text = f'Received {side} error ({status}) from primary with message "{message}". See its logs.'
        self._error(
            424,
            "ModelError",
            text,
            OriginalStatusCode=status,
            OriginalMessage=message,
            LogStreamArn="arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/Endpoints/rehearsal",
        )

    def _error(self, status: int, kind: str | None, message: str, **members: object) -> None:
        error_type = {"x-amzn-ErrorType": kind} if kind else {}
        body = json.dumps({"Message": message, **members}).encode()
        self.answer(status, body, {"Content-Type": "application/json", **error_type, **self._request_id()})

    def _request_id(self) -> dict[str, str]:
        return {"x-amzn-RequestId": str(uuid.uuid4())}


def _passed_on(headers: Message) -> dict[str, str]:
    """The headers that SageMaker passes on; it removes all others."""
    return {
        name: value
        for name, value in headers.items()
        if name.lower() in {"content-type", "accept"} or name.lower().startswith("x-amzn-sagemaker-")
    }
