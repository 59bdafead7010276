"""iam:PassRole for the roles that calls give to services. The engine itself never asks for it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ministack import app
from ministack.core import router

from rehearsal.cloud.api import AwsError


class _Engine(Protocol):
    def check_key(self, key: str, action: str, resource: str, context: Mapping[str, str]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that passes a role. operation: the method and path, or the last part of X-Amz-Target. role: its place."""

    service: str
    operation: str
    role: tuple[str, ...]
    to: str


CALLS = (
    _Call("codebuild", r"CreateProject|UpdateProject", ("serviceRole",), "codebuild.amazonaws.com"),
    _Call("lambda", r"POST /2015-03-31/functions/?", ("Role",), "lambda.amazonaws.com"),
    _Call("lambda", r"PUT /2015-03-31/functions/[^/]+/configuration", ("Role",), "lambda.amazonaws.com"),
    _Call("scheduler", r"(POST|PUT) /schedules/[^/]+", ("Target", "RoleArn"), "scheduler.amazonaws.com"),
    _Call("states", r"CreateStateMachine|UpdateStateMachine", ("roleArn",), "states.amazonaws.com"),
)


def decide_passed_roles(engine: _Engine) -> None:
    """Refuse a call whose caller may not pass the role in it."""
    for service in {call.service for call in CALLS}:
        _decide(engine, service)


def _decide(engine: _Engine, service: str) -> None:
    handle = app.SERVICE_HANDLERS[service]

    async def decided(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        operation = headers.get("x-amz-target", "").rpartition(".")[2] or f"{method} {path}"
        for call in CALLS:
            if call.service == service and re.fullmatch(call.operation, operation):
                try:
                    _check(engine, call, router.extract_access_key_id(headers, query) or "", body)
                except AwsError as error:
                    return 403, {"Content-Type": "application/json", "x-amzn-ErrorType": error.code}, _refusal(error)
        return await handle(method, path, headers, body, query)

    app.SERVICE_HANDLERS[service] = decided


def _check(engine: _Engine, call: _Call, key: str, body: bytes) -> None:
    role: Any = json.loads(body or b"{}")
    for name in call.role:
        role = role.get(name) or {}
    if role:
        engine.check_key(key, "iam:PassRole", role, {"iam:PassedToService": call.to})


def _refusal(error: AwsError) -> bytes:
    return json.dumps({"__type": error.code, "message": str(error), "Message": str(error)}).encode()
