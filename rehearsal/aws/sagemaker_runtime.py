"""SageMaker Runtime on one machine: InvokeEndpoint in front of a container's /ping and /invocations.

Set AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME to its URL to use it with boto3. Signatures are not checked. The rest follows
invocation.py.
"""

import http.client
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from rehearsal.aws.invocation import (
    INVOCATION_TIMEOUT_S,
    MAX_BODY_BYTES,
    Answer,
    Container,
    Endpoint,
    too_large,
    unavailable,
    unknown_operation,
)
from rehearsal.aws.loopback_server import LoopbackHandler, LoopbackServer

VARIANT = "AllTraffic"
_ROUTE = re.compile(r"/endpoints/([^/]+)/invocations")


def in_service(container_url: str) -> bool:
    """Whether the container answers `/ping` with status 200 within 2 s, SageMaker's condition for InService."""
    return Container(container_url).ping()


class SageMakerRuntime:
    """The service, at `url`, while the `with` block runs.

    endpoints: endpoint name to the URL of the container behind it, such as http://127.0.0.1:8080.
    """

    def __init__(
        self, endpoints: Mapping[str, str], *, port: int = 0, invocation_timeout_s: float = INVOCATION_TIMEOUT_S
    ) -> None:
        self._containers = {name: Container(url, timeout_s=invocation_timeout_s) for name, url in endpoints.items()}

        class Handler(_InvokeEndpoint):
            containers = self._containers

        self._server = LoopbackServer(Handler, port=port)
        self.url = self._server.url

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, traceback)
        for container in self._containers.values():
            container.close()


class _InvokeEndpoint(LoopbackHandler):
    containers: Mapping[str, Container]

    def do_POST(self) -> None:  # noqa: N802
        if int(self.headers.get("Content-Length") or 0) > MAX_BODY_BYTES:
            self.close_connection = True  # the body is not read
            return self._send(too_large())
        body = self.read_body()
        route = _ROUTE.fullmatch(urlsplit(self.path).path)
        if route is None:
            return self._send(unknown_operation())
        return self._send(self._invoke(unquote(route[1]), body))

    def _invoke(self, name: str, body: bytes) -> Answer:
        endpoint = Endpoint(name)
        if name not in self.containers:
            return endpoint.not_found()
        try:
            return endpoint.answer(self.containers[name].invoke(self.headers.items(), body), variant=VARIANT)
        except TimeoutError:
            return endpoint.timed_out()
        except (OSError, http.client.HTTPException):
            return unavailable()

    def _send(self, answer: Answer) -> None:
        self.answer(answer.status, answer.body, answer.headers)
