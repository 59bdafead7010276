"""A service that speaks AWS's JSON protocol: an operation for each X-Amz-Target."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

from rehearsal.cloud.api import JSON_1_1, AwsError, Json, Request, Response
from rehearsal.cloud.shapes import check

Operation = Callable[[Json, Request], Json]


class JsonService:
    """Base of a service. operations: an entry for each operation that is rehearsed."""

    name = ""
    target = ""

    def __init__(self) -> None:
        self.operations: dict[str, Operation] = {}

    def operation(self, request: Request) -> str:
        """The operation's name: "CreateModel"."""
        return request.headers.get("x-amz-target", "").rpartition(".")[2]

    def parameters(self, request: Request) -> Json:
        """The operation's input."""
        found = json.loads(request.body or b"{}")
        return found if isinstance(found, dict) else {}

    def action(self, request: Request) -> str:
        """The IAM action."""
        return f"{self.name}:{self.operation(request)}"

    def resource(self, _: Request) -> str:
        """The ARN. A service overrides it."""
        return "*"

    def answer(self, request: Request) -> Response:
        """Call the operation, unless its input does not have the operation's shape."""
        name = self.operation(request)
        try:
            if name not in self.operations:
                raise AwsError("NotImplemented", f"{self.name}:{name} is not rehearsed (docs/rehearsal.md).", 501)
            parameters = self.parameters(request)
            check(self.name, name, parameters)
            found = self.operations[name](parameters, request)
        except AwsError as error:
            return refusal(error)
        return Response(200, encoded(found), {"Content-Type": JSON_1_1})


def refusal(error: AwsError) -> Response:
    """An error in AWS's JSON protocol."""
    body = encoded({"__type": error.code, "message": str(error), "Message": str(error)})
    return Response(error.status, body, {"Content-Type": JSON_1_1, "x-amzn-ErrorType": error.code})


def encoded(content: Json) -> bytes:
    """JSON as AWS writes it: a time is a number of seconds."""
    return json.dumps(content, default=_seconds).encode()


def _seconds(value: object) -> float:
    if isinstance(value, datetime):
        return value.astimezone(UTC).timestamp()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
