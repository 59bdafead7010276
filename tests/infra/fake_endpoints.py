"""SageMaker's DescribeEndpoint and CloudFormation's response address, over HTTP, for what moto lacks: an endpoint that
is being changed, has failed, or was rolled back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rehearsal.hosts.loopback import LoopbackHandler, LoopbackServer

Json = dict[str, Any]


class FakeEndpoints:
    """What is described, one entry a call, the last one for ever. A tuple of code and message is a refusal."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.described: list[Json | tuple[str, str]] = [endpoint()]
        self.calls = 0

    def next(self) -> Json | tuple[str, str]:
        self.calls += 1
        return self.described.pop(0) if len(self.described) > 1 else self.described[0]


def endpoint(**changes: str) -> Json:
    """What DescribeEndpoint says of an endpoint that serves what was deployed."""
    return {"EndpointName": "dogs", "EndpointStatus": "InService", "EndpointConfigName": "new", **changes}


@contextmanager
def endpoints() -> Iterator[FakeEndpoints]:
    class Handler(LoopbackHandler):
        def do_POST(self) -> None:  # noqa: N802
            self.read_body()
            said = fake.next()
            refused = isinstance(said, tuple)
            body = {"__type": said[0], "message": said[1]} if isinstance(said, tuple) else said
            headers = {"Content-Type": "application/x-amz-json-1.1"}
            self.answer(400 if refused else 200, json.dumps(body).encode(), headers)

    with LoopbackServer(Handler) as server:
        fake = FakeEndpoints(server.url)
        yield fake


class ResponseAddress:
    """Where a custom resource answers CloudFormation: a signed S3 address, which takes one PUT."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.refusals = 0
        """Answers with 500 so many times first."""
        self.puts: list[tuple[dict[str, str], bytes]] = []

    @property
    def answer(self) -> Json:
        ((_, body),) = self.puts
        found: Json = json.loads(body)
        return found


@contextmanager
def response_address() -> Iterator[ResponseAddress]:
    class Handler(LoopbackHandler):
        def do_PUT(self) -> None:  # noqa: N802
            body = self.read_body()
            if address.refusals:
                address.refusals -= 1
                return self.answer(500)
            address.puts.append(({name.lower(): value for name, value in self.headers.items()}, body))
            return self.answer(200)

    with LoopbackServer(Handler) as server:
        address = ResponseAddress(server.url)
        yield address
