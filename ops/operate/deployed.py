"""The environment's stacks as they are deployed: states, outputs, resources, events, templates."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from environments.environment import STACKS
from ops.operate.account import Account, asking

ENDPOINT, CONFIG = "AWS::SageMaker::Endpoint", "AWS::SageMaker::EndpointConfig"
ALARM, FUNCTION = "AWS::CloudWatch::Alarm", "AWS::Lambda::Function"
HOST, NOTEBOOK = "AWS::EC2::Instance", "AWS::SageMaker::NotebookInstance"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """A stack as CloudFormation describes it."""

    kind: str
    """Such as `serving`."""
    name: str
    id: str
    status: str
    reason: str
    changed: datetime
    """The start of its last operation."""
    outputs: Mapping[str, str]

    @property
    def failed(self) -> bool:
        """Whether the last operation failed, or is being rolled back."""
        return "ROLLBACK" in self.status or self.status.endswith("_FAILED")

    @property
    def changes(self) -> bool:
        """Whether an operation is in progress."""
        return self.status.endswith("_IN_PROGRESS")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """A resource of a stack."""

    stack: str
    id: str
    """Its logical id."""
    type: str
    physical: str
    """The physical id."""

    @property
    def name(self) -> str:
        """The physical id; of an ARN, its last part."""
        return self.physical.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployed:
    """The stacks that exist, in the order of their deployment."""

    account: Account
    stacks: Mapping[str, Stack]
    _resources: dict[str, Sequence[Resource]] = field(default_factory=dict, repr=False)
    _templates: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, account: Account) -> "Deployed":
        """Raises AccountError."""
        found = {kind: stack for kind in STACKS if (stack := _described(account, kind))}
        return cls(account=account, stacks=found)

    def output(self, kind: str, name: str) -> str:
        """An output of a stack; empty if there is none."""
        stack = self.stacks.get(kind)
        return stack.outputs.get(name, "") if stack else ""

    @property
    def endpoint_name(self) -> str:
        """The output of the Serving stack, or, if the stack was never complete, the name in the settings."""
        return self.output("serving", "EndpointName") or self.account.settings.serving.endpoint_name

    def resources(self, kind: str, type: str = "") -> list[Resource]:
        """The resources of a stack, of one type or of all, without deleted ones. Raises AccountError."""
        if kind not in self.stacks:
            return []
        if kind not in self._resources:
            self._resources[kind] = tuple(_resources(self.account, self.stacks[kind]))
        return [each for each in self._resources[kind] if type in ("", each.type)]

    def events(self, kind: str) -> Iterator[Mapping[str, Any]]:
        """The events of a stack, the newest one first. Raises AccountError."""
        yield from events(self.account, self.stacks[kind])

    def template(self, kind: str) -> Any:
        """The template of a stack, as it was deployed. Raises AccountError."""
        if kind not in self._templates:
            stack = self.stacks[kind].name
            with asking(f"the call that reads the template of {stack}", needs="cloudformation:GetTemplate"):
                body = self.account.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
            self._templates[kind] = json.loads(body) if isinstance(body, str) else body
        return self._templates[kind]


def events(account: Account, stack: Stack) -> Iterator[Mapping[str, Any]]:
    """The events of a stack, the newest one first. Raises AccountError."""
    needs = "cloudformation:DescribeStackEvents"
    with asking(f"the call that reads the events of {stack.name}", needs=needs):
        pages = account.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack.id)
        for page in pages:
            yield from page["StackEvents"]


def _described(account: Account, kind: str) -> Stack | None:
    name = account.environment.stack(kind)
    with asking(f"the call that describes the stack {name}", needs="cloudformation:DescribeStacks"):
        try:
            found = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in error.response["Error"].get("Message", ""):
                return None
            raise
    if found["StackStatus"] == "REVIEW_IN_PROGRESS":  # a first change set that was never executed: no resources
        return None
    return Stack(
        kind=kind,
        name=name,
        id=found["StackId"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        changed=found.get("LastUpdatedTime") or found["CreationTime"],
        outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])},
    )


def _resources(account: Account, stack: Stack) -> Iterator[Resource]:
    with asking(f"the call that lists the resources of {stack.name}", needs="cloudformation:ListStackResources"):
        pages = account.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack.name)
        for page in pages:
            for each in page["StackResourceSummaries"]:
                if each["ResourceStatus"] != "DELETE_COMPLETE" and each.get("PhysicalResourceId"):
                    yield Resource(
                        stack=stack.name,
                        id=each["LogicalResourceId"],
                        type=each["ResourceType"],
                        physical=each["PhysicalResourceId"],
                    )
