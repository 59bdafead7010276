"""What `kennel predict` asks on AWS: the function under AWS's runtime client, an endpoint, and the stacks' outputs."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from rehearsal.aws.lambda_runtime import LambdaRuntime
from rehearsal.aws.loopback_server import LoopbackHandler, LoopbackServer
from rehearsal.aws.runtime_api import FunctionError
from rehearsal.aws.sagemaker_runtime import SageMakerRuntime
from tests.rehearsal.container import REPOSITORY, Container, serving

_INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
OUTPUTS = {
    "kennel-api": {"FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:kennel-api:live"},
    "kennel-serving": {"EndpointName": "dogs"},
}
JSON = {"Content-Type": "application/json"}


@dataclass
class Deployed:
    """The container behind the endpoint, and what AWS answers."""

    container: Container
    variables: dict[str, str]
    """With which a program finds this AWS."""
    functions: list[str] = field(default_factory=list)
    """The name in each Invoke."""
    errors: list[tuple[int, dict[str, str], object]] = field(default_factory=list)
    """Status, headers and body that the next calls of Lambda get instead of the function's answer."""
    outputs: dict[str, dict[str, str]] = field(default_factory=lambda: dict(OUTPUTS))
    """Of the stacks that exist."""
    status: str = ""
    """Of the endpoint in DescribeEndpoint; empty if it does not exist."""


@contextmanager
def deployed() -> Iterator[Deployed]:
    class Handler(LoopbackHandler):
        def do_POST(self) -> None:  # noqa: N802
            body = self.read_body()
            invoked = _INVOKE.fullmatch(unquote(self.path))
            if invoked:
                return self._invoke(invoked[1], body)
            if self.headers.get("X-Amz-Target") == "SageMaker.DescribeEndpoint":
                return self._describe_endpoint()
            return self._describe_stacks(parse_qs(body.decode())["StackName"][0])

        def _invoke(self, name: str, event: bytes) -> None:
            aws.functions.append(name)
            if aws.errors:
                status, headers, refusal = aws.errors.pop(0)
                return self.answer(status, json.dumps(refusal).encode(), {**JSON, **headers})
            try:
                return self.answer(200, function.invoke_raw(event), JSON)
            except FunctionError as error:
                body = json.dumps({"errorType": error.kind, "errorMessage": str(error)}).encode()
                return self.answer(200, body, {**JSON, "X-Amz-Function-Error": "Unhandled"})

        def _describe_endpoint(self) -> None:
            if not aws.status:
                return self._refuse("ValidationException", "Could not find endpoint.")
            times = {"CreationTime": 1, "LastModifiedTime": 1}
            found = {"EndpointName": "dogs", "EndpointArn": "arn", "EndpointStatus": aws.status, **times}
            return self.answer(200, json.dumps(found).encode(), JSON)

        def _refuse(self, code: str, message: str) -> None:
            self.answer(400, json.dumps({"__type": code, "message": message}).encode(), JSON)

        def _describe_stacks(self, name: str) -> None:
            if name not in aws.outputs:
                error = f"<Code>ValidationError</Code><Message>Stack with id {name} does not exist</Message>"
                return self.answer(400, f"<ErrorResponse><Error>{error}</Error></ErrorResponse>".encode())
            outputs = "".join(
                f"<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>"
                for key, value in aws.outputs[name].items()
            )
            stack = f"<StackName>{name}</StackName><Outputs>{outputs}</Outputs>"
            result = f"<DescribeStacksResult><Stacks><member>{stack}</member></Stacks></DescribeStacksResult>"
            return self.answer(200, f"<DescribeStacksResponse>{result}</DescribeStacksResponse>".encode())

    with (
        serving() as container,
        SageMakerRuntime({"dogs": container.url}) as runtime,
        LoopbackServer(Handler) as server,
    ):
        environment = {"ENDPOINT_NAME": "dogs", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": runtime.url}
        variables: dict[str, Any] = {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": runtime.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        aws = Deployed(container, variables)
        with LambdaRuntime("lambda_fn.handler.handler", task_root=REPOSITORY, env=environment) as function:
            yield aws
