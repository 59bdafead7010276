"""SageMaker as one service: its parts, the IAM action and the ARN of each request, and tags."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from rehearsal.cloud.api import AwsError, Credentials, Engine, Json, Request, Response
from rehearsal.cloud.json_service import JsonService, Operation, refusal
from rehearsal.cloud.sagemaker.tags import Tags

Invoke = Callable[[str, Request], Response]
"""The response of the endpoint with this name to a request of SageMaker Runtime."""

PRINCIPAL = "sagemaker.amazonaws.com"
SESSION = "SageMaker"
"""Who assumes a role, and the name of the session."""

_KINDS = {
    "EndpointConfig": "endpoint-config",
    "Endpoint": "endpoint",
    "Model": "model",
    "ModelPackageGroup": "model-package-group",
    "NotebookInstance": "notebook-instance",
    "ProcessingJob": "processing-job",
    "TrainingJob": "training-job",
}
"""What an operation's name ends in, and its ARN's resource type."""
_ABOUT_ONE = re.compile(r"(?:Create|Delete|Describe|Start|Stop|Update)([A-Za-z]+?)(?:WeightsAndCapacities)?")
_ABOUT_VERSIONS = re.compile(r"(?:Create|Delete|Describe|Update)ModelPackage|ListModelPackages")
_INVOCATION = re.compile(r"/endpoints/([^/]+)/invocations")
_RUNTIME = "/endpoints/"


class Part(Protocol):
    """A part of SageMaker, such as its training jobs."""

    def operations(self) -> Mapping[str, Operation]:
        """An entry for each operation: "CreateTrainingJob"."""
        ...


def arn(engine: Engine, kind: str, name: str) -> str:
    """The ARN of a resource: of an endpoint, with the name in lower case, as SageMaker writes it."""
    shown = name.lower() if kind == "endpoint" else name
    return f"arn:aws:sagemaker:{engine.region}:{engine.account}:{kind}/{shown}"


class SageMaker(JsonService):
    """The service. invoke: responds to InvokeEndpoint; without it, there are no endpoints."""

    name = "sagemaker"
    target = "SageMaker"

    def __init__(self, engine: Engine, parts: Sequence[Part], tags: Tags, invoke: Invoke | None = None) -> None:
        super().__init__()
        self._engine = engine
        self._invoke = invoke
        for part in (tags, *parts):
            for name, operation in part.operations().items():
                self.operations[name] = self._tagging(operation) if name.startswith("Create") else operation

    def action(self, request: Request) -> str:
        """The IAM action."""
        if request.path.startswith(_RUNTIME):
            return "sagemaker:InvokeEndpoint"
        return super().action(request)

    def resource(self, request: Request) -> str:
        """The ARN of the resource that a request names, or "*" for a list."""
        if found := _INVOCATION.fullmatch(request.path):
            return arn(self._engine, "endpoint", found[1])
        parameters = self.parameters(request)
        about = _ABOUT_ONE.fullmatch(self.operation(request))
        if about and about[1] in _KINDS:
            name = str(parameters.get(f"{about[1]}Name", ""))
            return name if name.startswith("arn:") else arn(self._engine, _KINDS[about[1]], name)
        if _ABOUT_VERSIONS.fullmatch(self.operation(request)):
            return self._versions(parameters)
        return str(parameters.get("ResourceArn", "*"))

    def _versions(self, parameters: Json) -> str:
        """The ARN of the version that a request names by its ARN or by GROUP/VERSION, or of every version of a group.

        https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-version-xaccount.html
        """
        named = str(parameters.get("ModelPackageArn") or parameters.get("ModelPackageName") or "")
        if named.startswith("arn:"):
            return named
        group = str(parameters.get("ModelPackageGroupName") or "").rpartition("/")[2]
        return arn(self._engine, "model-package", named or f"{group or '*'}/*")

    def _tagging(self, create: Operation) -> Operation:
        """An operation that creates a resource needs the right to tag it, if the request has tags.

        https://docs.aws.amazon.com/sagemaker/latest/dg/security_iam_id-based-policy-examples.html
        """

        def call(parameters: Json, request: Request) -> Json:
            if parameters.get("Tags"):
                self._engine.check(Credentials(request.key, "", ""), "sagemaker:AddTags", self.resource(request))
            return create(parameters, request)

        return call

    def answer(self, request: Request) -> Response:
        """The response: of an endpoint to a request of SageMaker Runtime, of an operation otherwise."""
        if not request.path.startswith(_RUNTIME):
            return super().answer(request)
        found = _INVOCATION.fullmatch(request.path)
        if found is None or self._invoke is None:
            return refusal(AwsError("NotImplemented", f"{request.path} is not rehearsed (docs/rehearsal.md).", 501))
        try:
            return self._invoke(found[1], request)
        except AwsError as error:
            return refusal(error)
