"""An AWS account behind a real HTTP server: moto, and scripted answers where moto is silent or never refuses.

The answers are serialised as the service's own protocol has them, from botocore's model of the service.
"""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import Client, EnvironBuilder

from rehearsal.aws.loopback_server import LoopbackHandler, LoopbackServer

ACCOUNT = "123456789012"
"""The account number of moto."""
SERVICES = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi", "servicequotas": "service-quotas"}
"""Names in a signature that differ from botocore's names of the services."""

Json = dict[str, Any]
Answer = Callable[[Json], Mapping[str, Any] | None]
"""From the parameters of a call to its answer; None passes the call on to moto."""


class RefusedCallError(Exception):
    """AWS's answer to a call that it refuses."""

    def __init__(self, code: str, message: str = "No.", status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def denied(action: str) -> RefusedCallError:
    """What AWS says if a permission is missing."""
    return RefusedCallError(
        "AccessDeniedException",
        f"User: arn:aws:iam::{ACCOUNT}:user/dev is not authorized to perform: {action} because no identity-based "
        f"policy allows the {action} action",
        403,
    )


class Account:
    """The scripted part of an account. `calls` counts the calls of each operation, such as `sts.GetCallerIdentity`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: dict[str, int] = {}
        self._answers: dict[str, Answer] = {}
        self._broken: set[str] = set()
        self._paths: dict[str, Json] = {}

    def break_answers(self, service: str) -> None:
        """Answer every call of a service with a web page, as a proxy does."""
        self._broken.add(service)

    def answer_path(self, path: str, answer: Json) -> None:
        """Answer calls that are not signed, by their path."""
        self._paths[path] = answer

    def reset(self) -> None:
        """Empty the account."""
        self.calls.clear()
        self._answers.clear()
        self._broken.clear()
        self._paths.clear()
        _moto().post("/moto-api/reset")

    def answer(self, operation: str, answer: Mapping[str, Any] | Answer) -> None:
        """Script an operation, such as `sagemaker.DescribeEndpoint`."""
        self._answers[operation] = answer if callable(answer) else lambda _: answer

    def refuse(self, operation: str, refusal: RefusedCallError) -> None:
        def raises(_: Json) -> None:
            raise refusal

        self._answers[operation] = raises

    def respond(self, request: Request) -> tuple[int, Mapping[str, str], bytes] | None:
        """The scripted response to a request; None if moto is to answer it."""
        scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", request.headers.get("Authorization", ""))
        if not scope:
            unsigned = self._paths.get(request.path)
            return (200, {"Content-Type": "application/json"}, json.dumps(unsigned).encode()) if unsigned else None
        service = SERVICES.get(scope[1], scope[1])
        if service in self._broken:
            return 200, {"Content-Type": "text/html"}, b"<html>Welcome"
        operation, path_parameters = get_service_router(service).match(request)
        name = f"{service}.{operation.name}"
        self.calls[name] = self.calls.get(name, 0) + 1
        if name not in self._answers:
            return None
        serializer = get_serializer_class(service, get_service_model(service).resolved_protocol)(operation)
        body = request.get_json(silent=True, force=True) or dict(request.form)
        try:
            result = self._answers[name]({**path_parameters, **body})
        except RefusedCallError as refusal:
            found = serializer.serialize(refusal)
            found["status_code"] = refusal.status
        else:
            if result is None:
                return None
            found = serializer.serialize(result)
        text = found["body"]
        return found["status_code"], found["headers"], text.encode() if isinstance(text, str) else text


@functools.cache
def _moto() -> Client:
    return Client(DomainDispatcherApplication(create_backend_app))


@contextmanager
def an_account() -> Iterator[Account]:
    """An account without anything in it."""

    class Handler(LoopbackHandler):
        def _answer(self) -> None:
            body = self.read_body()
            headers = [(name, value) for name, value in self.headers.items() if name.lower() != "content-length"]
            sent_request = functools.partial(
                EnvironBuilder, path=self.path, method=self.command, headers=headers, data=body, base_url=account.url
            )
            scripted = account.respond(Request(sent_request().get_environ()))
            if scripted is None:
                passed = _moto().open(sent_request())
                scripted = passed.status_code, dict(passed.headers), passed.data
            status, sent, content = scripted
            if self.command == "HEAD":
                self.send_response(status)
                for name, value in sent.items():
                    self.send_header(name, value)
                self.end_headers()
                return
            self.answer(status, content, {k: v for k, v in sent.items() if k.lower() != "content-length"})

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _answer  # noqa: N815 - http.server's names

    with LoopbackServer(Handler) as server:
        account = Account(server.url)
        yield account
