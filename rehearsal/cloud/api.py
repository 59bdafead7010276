"""What the engine and the services beside it know of each other.

A service (SageMaker, say) gets requests that are already authenticated and authorised. It runs in a worker thread, so
it may wait. It reaches the other services over HTTP, as a role.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

Json = dict[str, Any]
JSON_1_1 = "application/x-amz-json-1.1"


class AwsError(Exception):
    """A refusal, with AWS's code and sentence."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """A call over HTTP. headers: names in lower case. key: the caller's access key."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    key: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a call."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A session of a role."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)

    def variables(self) -> dict[str, str]:
        """The environment variables by which an SDK finds them."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_SESSION_TOKEN": self.token,
        }


@dataclass(frozen=True, slots=True)
class Build:
    """A build of a CodeBuild project. variables: its environment variables, those of StartBuild included."""

    id: str
    project_arn: str
    role_arn: str
    buildspec: str
    variables: Mapping[str, str]
    log_group: str
    log_stream: str


class Engine(Protocol):
    """What a service may ask of the engine."""

    account: str
    region: str
    url: str
    """Where the engine listens."""
    folder: Path
    """The folder of this local AWS: logs, models, records."""

    def credentials(self, role_arn: str, session: str, service: str, *, source: str = "") -> Credentials:
        """A session of a role, as `service` (such as "sagemaker.amazonaws.com") gets one.

        source: the ARN of what the service acts for, such as a training job: `aws:SourceArn` in the trust policy.
        Raises AwsError if the role does not exist or its trust policy does not let the service assume it.
        """
        ...

    def check(self, credentials: Credentials, action: str, resource: str, **context: str) -> None:
        """Decide a call that AWS would make with these credentials, of a service that is not emulated.

        action: "xray:PutTraceSegments". context: condition keys and their values. Raises AwsError if it is denied.
        """
        ...

    def client(self, service: str, credentials: Credentials) -> Any:
        """A botocore client of another service, which calls the engine with these credentials. It does not retry."""
        ...

    def check_pass_role(self, request: Request, role_arn: str, service: str) -> None:
        """Raises AwsError if the caller may not pass this role to `service`."""
        ...

    def service_client(self, service: str) -> Any:
        """A botocore client as AWS's own services use it for what they manage: no role decides its calls."""
        ...

    def put_metrics(self, namespace: str, metrics: list[Json]) -> None:
        """Write CloudWatch metrics as AWS itself does, without a role. metrics: as in PutMetricData."""
        ...

    def put_event(self, source: str, kind: str, detail: Json, resources: list[str]) -> None:
        """Send an event of an AWS service to the default event bus. source: "aws.sagemaker". kind: its detail-type."""
        ...


class Service(Protocol):
    """A service that the engine lacks."""

    name: str
    """As the engine names it, and as the client's signature does: "sagemaker"."""
    target: str
    """What X-Amz-Target begins with, before the dot: "SageMaker"."""

    def action(self, request: Request) -> str:
        """The IAM action of a request: "sagemaker:CreateModel"."""
        ...

    def resource(self, request: Request) -> str:
        """The ARN of what a request is about, or "*"."""
        ...

    def answer(self, request: Request) -> Response:
        """The response. It runs in a worker thread."""
        ...


@dataclass(frozen=True, slots=True)
class Created:
    """A resource that exists. attributes: what Fn::GetAtt returns."""

    physical_id: str
    attributes: Json


class ResourceType(Protocol):
    """What CloudFormation does for one type of resource. Every method may wait, and raises AwsError to fail."""

    def create(self, logical_id: str, properties: Json, stack: str) -> Created: ...

    def update(self, physical_id: str, old: Json, new: Json, stack: str) -> Created:
        """Change it, or replace it: another physical id makes CloudFormation delete the old one in the clean-up."""
        ...

    def delete(self, physical_id: str, properties: Json) -> None: ...
