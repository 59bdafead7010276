"""DescribeEndpoint and a custom resource's response URL, over HTTP. Moto has no endpoint that is updating, failed or
rolled back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rehearsal.aws.loopback_server import LoopbackHandler, LoopbackServer

Json = dict[str, Any]


class FakeEndpoints:
    """Scripted DescribeEndpoint responses, one per call; the last one repeats. A tuple (code, message) is an error."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.described: list[Json | tuple[str, str]] = [endpoint()]
        self.calls = 0

    def next(self) -> Json | tuple[str, str]:
        self.calls += 1
        return self.described.pop(0) if len(self.described) > 1 else self.described[0]


def endpoint(**changes: str) -> Json:
    """The description of an endpoint that serves what was deployed."""
    return {"EndpointName": "dogs", "EndpointStatus": "InService", "EndpointConfigName": "new", **changes}


@contextmanager
def endpoints() -> Iterator[FakeEndpoints]:
    class Handler(LoopbackHandler):
        def do_POST(self) -> None:  # noqa: N802
            self.read_body()
            scripted = fake.next()
            status, body = 200, scripted
            if isinstance(scripted, tuple):
                code, message = scripted
                status, body = 400, {"__type": code, "message": message}
            headers = {"Content-Type": "application/x-amz-json-1.1"}
            self.answer(status, json.dumps(body).encode(), headers)

    with LoopbackServer(Handler) as server:
        fake = FakeEndpoints(server.url)
        yield fake


class ResponseUrl:
    """Where a custom resource sends its response: on AWS a presigned S3 URL, which accepts one PUT."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.failures = 0
        """How many PUTs get status 500 first."""
        self.puts: list[tuple[dict[str, str], bytes]] = []

    @property
    def response(self) -> Json:
        ((_, body),) = self.puts
        found: Json = json.loads(body)
        return found


@contextmanager
def response_url() -> Iterator[ResponseUrl]:
    class Handler(LoopbackHandler):
        def do_PUT(self) -> None:  # noqa: N802
            body = self.read_body()
            if recorded.failures:
                recorded.failures -= 1
                return self.answer(500)
            recorded.puts.append(({name.lower(): value for name, value in self.headers.items()}, body))
            return self.answer(200)

    with LoopbackServer(Handler) as server:
        recorded = ResponseUrl(server.url)
        yield recorded
