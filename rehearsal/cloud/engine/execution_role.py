"""CloudFormation's calls, decided as the role that it was given for the stack: CDK passes that of its bootstrap.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from ministack import app
from ministack.core import router
from ministack.services.cloudformation import stacks

from rehearsal.cloud.api import AwsError, Credentials, Json
from rehearsal.cloud.engine.resource_actions import CREATE, DELETE, UPDATE, action

PRINCIPAL = "cloudformation.amazonaws.com"
_ROLE = re.compile(r"arn:[\w-]+:iam::\d{12}:role/\S+")
_PASSED = {
    "AWS::CodeBuild::Project": ("ServiceRole", "codebuild.amazonaws.com"),
    "AWS::EC2::FlowLog": ("DeliverLogsPermissionArn", "vpc-flow-logs.amazonaws.com"),
    "AWS::Lambda::Function": ("Role", "lambda.amazonaws.com"),
    "AWS::SageMaker::Model": ("ExecutionRoleArn", "sagemaker.amazonaws.com"),
    "AWS::SageMaker::NotebookInstance": ("RoleArn", "sagemaker.amazonaws.com"),
    "AWS::Scheduler::Schedule": ("RoleArn", "scheduler.amazonaws.com"),
    "AWS::StepFunctions::StateMachine": ("RoleArn", "states.amazonaws.com"),
}
"""Which property of a type is a role that is passed, and to which service."""


class _Engine(Protocol):
    def credentials(self, role_arn: str, session: str, service: str, *, source: str = "") -> Credentials: ...
    def check_key(self, key: str, action: str, resource: str, context: Mapping[str, str]) -> None: ...
    def check_any(self, credentials: Credentials, action: str) -> None: ...
    def check(self, credentials: Credentials, action: str, resource: str, **context: str) -> None: ...


def decide_stack_calls(engine: _Engine) -> None:
    """Remember which role a stack was given, and decide with it what CloudFormation does for its resources."""
    roles: dict[str, str] = {}
    _remember_roles(engine, roles)
    provision, update, delete = stacks._provision_resource, stacks._update_resource, stacks._delete_resource

    def check(step: int, resource_type: str, properties: Json, stack: str | None) -> None:
        if role := roles.get(stack or ""):
            _check(engine, engine.credentials(role, "AWSCloudFormation", PRINCIPAL), step, resource_type, properties)

    def decided_provision(resource_type: str, logical_id: str, properties: Json, stack: str) -> Any:
        check(CREATE, resource_type, properties, stack)
        return provision(resource_type, logical_id, properties, stack)

    def decided_update(resource_type: str, physical_id: str, old: Json, new: Json, stack: str, *rest: Any) -> Any:
        if old != new:
            check(UPDATE, resource_type, new, stack)
        return update(resource_type, physical_id, old, new, stack, *rest)

    def decided_delete(
        resource_type: str, physical_id: str, properties: Json, stack: str | None = None, logical_id: str | None = None
    ) -> None:
        check(DELETE, resource_type, properties, stack)
        delete(resource_type, physical_id, properties, stack, logical_id)

    stacks._provision_resource, stacks._update_resource = decided_provision, decided_update
    stacks._delete_resource = decided_delete


def _remember_roles(engine: _Engine, roles: dict[str, str]) -> None:
    handle = app.SERVICE_HANDLERS["cloudformation"]

    async def handled(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        given = {**query, **parse_qs(body.decode(errors="replace"))}
        if role := (given.get("RoleARN") or [""])[0]:
            key = router.extract_access_key_id(headers, query) or ""
            try:
                engine.check_key(key, "iam:PassRole", role, {"iam:PassedToService": PRINCIPAL})
                engine.credentials(role, "AWSCloudFormation", PRINCIPAL)
            except AwsError as error:
                return 403, {"Content-Type": "text/xml"}, _refusal(error)
            roles[_stack(given)] = role
        return await handle(method, path, headers, body, query)

    app.SERVICE_HANDLERS["cloudformation"] = handled


def _stack(given: Mapping[str, list[str]]) -> str:
    name = (given.get("StackName") or [""])[0]
    return name.split("/")[1] if name.startswith("arn:") else name


def _refusal(error: AwsError) -> bytes:
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{escape(str(error))}</Message>"
        "</Error></ErrorResponse>"
    ).encode()


def _check(engine: _Engine, credentials: Credentials, step: int, resource_type: str, properties: Json) -> None:
    """The resource of a call is not compared: its ARN is known only once it exists. Raises AwsError."""
    needed = action(resource_type, step)
    if needed == "lambda:InvokeFunction":
        engine.check(credentials, needed, properties["ServiceToken"])
    elif needed:
        engine.check_any(credentials, needed)
    if step != DELETE:
        for role, service in _passed(resource_type, properties):
            engine.check(credentials, "iam:PassRole", role, **{"iam:PassedToService": service})


def _passed(resource_type: str, properties: Json) -> Iterator[tuple[str, str]]:
    if resource_type not in _PASSED:
        return
    name, service = _PASSED[resource_type]
    role = properties.get(name) or properties.get("Target", {}).get(name)  # a schedule's role is its target's
    if isinstance(role, str) and _ROLE.fullmatch(role):
        yield role, service
