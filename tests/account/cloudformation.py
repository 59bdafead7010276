"""A CloudFormation of change sets, for the CDK command line. What a resource is, is in resources.py.

It has no drift, no nested stacks, no imports, no stack policies.
"""

import itertools
import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import Any
from urllib.parse import urlsplit

from tests.account.resources import REPLACED, Json, RefusedError, Resource, Resources
from tests.account.template import UnknownValueError, Values, needed, parsed


class BadRequestError(Exception):
    """CloudFormation refuses a request, with a ValidationError or another code."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(message)
        self.code = code


@dataclass
class ChangeSet:
    name: str
    id: str
    template: str
    parameters: dict[str, str]
    type: str
    has_changes: bool


@dataclass
class Stack:
    name: str
    id: str
    status: str = "REVIEW_IN_PROGRESS"
    template: str = "{}"
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)
    tags: list[Json] = field(default_factory=list)
    protected: bool = False
    created: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set by CancelUpdateStack."""

    def event(self, status: str, resource: Resource | None = None, reason: str = "") -> None:
        if resource:
            resource.status = status
        else:
            self.status = status
        self.events.append(
            {
                "StackId": self.id,
                "StackName": self.name,
                "EventId": str(uuid.uuid4()),
                "LogicalResourceId": resource.logical_id if resource else self.name,
                "PhysicalResourceId": resource.physical_id if resource else self.id,
                "ResourceType": resource.type if resource else "AWS::CloudFormation::Stack",
                "Timestamp": now(),
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
            }
        )


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class CloudFormation:
    """The service. `answer` maps an action and its parameters to the members of its result."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.stacks: dict[str, Stack] = {}
        self.deleted: list[Stack] = []
        self._numbers = itertools.count()

    def answer(self, action: str, parameters: Mapping[str, str]) -> Json:
        method = getattr(self, "_" + re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower(), None)
        if method is None:
            raise BadRequestError(f"The stand-in's CloudFormation has no {action}")
        found: Json = method(parameters)
        return found

    # -- stacks

    def _stack(self, name: str) -> Stack:
        for stack in (*self.stacks.values(), *reversed(self.deleted)):
            if stack.id == name or (stack.name == name and stack.status != "DELETE_COMPLETE"):
                return stack
        raise BadRequestError(f"Stack with id {name} does not exist")

    def _describe_stacks(self, parameters: Mapping[str, str]) -> Json:
        name = parameters.get("StackName")
        return {"Stacks": [_described(stack) for stack in ([self._stack(name)] if name else self.stacks.values())]}

    def _list_stacks(self, _: Mapping[str, str]) -> Json:
        every = [*self.stacks.values(), *self.deleted]
        return {"StackSummaries": [_described(stack) for stack in every]}

    def _get_template(self, parameters: Mapping[str, str]) -> Json:
        return {"TemplateBody": self._stack(parameters["StackName"]).template}

    def _describe_stack_events(self, parameters: Mapping[str, str]) -> Json:
        return {"StackEvents": list(reversed(self._stack(parameters["StackName"]).events))}

    def _describe_stack_resources(self, parameters: Mapping[str, str]) -> Json:
        return {"StackResources": _resources(self._stack(parameters["StackName"]))}

    def _list_stack_resources(self, parameters: Mapping[str, str]) -> Json:
        return {"StackResourceSummaries": _resources(self._stack(parameters["StackName"]))}

    def _update_termination_protection(self, parameters: Mapping[str, str]) -> Json:
        stack = self._stack(parameters["StackName"])
        stack.protected = parameters["EnableTerminationProtection"] == "true"
        return {"StackId": stack.id}

    def _cancel_update_stack(self, parameters: Mapping[str, str]) -> Json:
        stack = self._stack(parameters["StackName"])
        if stack.status != "UPDATE_IN_PROGRESS":
            raise BadRequestError(f"CancelUpdateStack cannot be called from current stack status {stack.status}")
        stack.cancelled.set()
        return {}

    def _delete_stack(self, parameters: Mapping[str, str]) -> Json:
        try:
            stack = self._stack(parameters["StackName"])
        except BadRequestError:
            return {}
        if stack.protected:
            raise BadRequestError(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        if stack.status.startswith("UPDATE") and stack.status.endswith("IN_PROGRESS"):
            raise BadRequestError(f"Stack [{stack.id}] cannot be deleted while in status {stack.status}")
        stack.event("DELETE_IN_PROGRESS")
        if self._deleted(stack, reversed(list(stack.resources.values()))):
            stack.event("DELETE_COMPLETE")
            self.deleted.append(self.stacks.pop(stack.name))
        else:
            stack.event("DELETE_FAILED", reason="The following resource(s) failed to delete: see their events.")
        return {}

    def _deleted(self, stack: Stack, resources: Any) -> bool:
        complete = True
        for resource in list(resources):
            if not resource.physical_id or resource.status == "DELETE_COMPLETE" or resource.keep:
                continue
            stack.event("DELETE_IN_PROGRESS", resource)
            try:
                self.resources.act("delete", resource, resource.properties)
            except RefusedError as refused:
                stack.event("DELETE_FAILED", resource, str(refused))
                complete = False
            else:
                stack.event("DELETE_COMPLETE", resource)
        return complete

    # -- change sets

    def _create_change_set(self, parameters: Mapping[str, str]) -> Json:
        name, kind = parameters["StackName"], parameters.get("ChangeSetType", "UPDATE")
        template = self._template(parameters)
        for resource in parsed(template)["Resources"].values():
            assert "Type" in resource
        stack = self.stacks.get(name)
        if stack is None:
            if kind != "CREATE":
                raise BadRequestError(f"Stack [{name}] does not exist")
            number = uuid.UUID(int=next(self._numbers) + 1)
            arn = f"arn:aws:cloudformation:{self.resources.region}:{self.resources.account}:stack/{name}/{number}"
            stack = self.stacks[name] = Stack(name=name, id=arn, created=now())
        stack.tags = _members(parameters, "Tags")
        given = {
            one["ParameterKey"]: one["ParameterValue"]
            if "ParameterValue" in one
            else stack.parameters.get(one["ParameterKey"], "")
            for one in _members(parameters, "Parameters")
        }
        change_set = ChangeSet(
            name=parameters["ChangeSetName"],
            id=f"{stack.id.replace(':stack/', ':changeSet/')}/{parameters['ChangeSetName']}",
            template=template,
            parameters=given,
            type=kind,
            has_changes=(parsed(template), given) != (parsed(stack.template), stack.parameters),
        )
        stack.change_sets[change_set.name] = change_set
        return {"Id": change_set.id, "StackId": stack.id}

    def _template(self, parameters: Mapping[str, str]) -> str:
        if "TemplateBody" in parameters:
            return parameters["TemplateBody"]
        address = urlsplit(parameters["TemplateURL"])
        host, path = address.hostname or "", address.path.lstrip("/")
        bucket, key = (host.split(".s3.")[0], path) if ".s3." in host else path.split("/", 1)
        body = self.resources.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return str(body.decode())

    def _change_set(self, parameters: Mapping[str, str]) -> tuple[Stack, ChangeSet]:
        name = parameters["ChangeSetName"]
        for stack in self.stacks.values():
            for change_set in stack.change_sets.values():
                if name == change_set.id or (
                    name == change_set.name and parameters.get("StackName") in (stack.name, stack.id)
                ):
                    return stack, change_set
        raise BadRequestError(f"ChangeSet [{name}] does not exist", "ChangeSetNotFound")

    def _describe_change_set(self, parameters: Mapping[str, str]) -> Json:
        stack, change_set = self._change_set(parameters)
        changed = change_set.has_changes
        return {
            "ChangeSetName": change_set.name,
            "ChangeSetId": change_set.id,
            "StackId": stack.id,
            "StackName": stack.name,
            "CreationTime": now(),
            "Status": "CREATE_COMPLETE" if changed else "FAILED",
            "ExecutionStatus": "AVAILABLE" if changed else "UNAVAILABLE",
            **({} if changed else {"StatusReason": "The submitted information didn't contain changes."}),
            "Changes": [
                {
                    "Type": "Resource",
                    "ResourceChange": {
                        "Action": "Modify" if logical_id in stack.resources else "Add",
                        "LogicalResourceId": logical_id,
                        "ResourceType": declared["Type"],
                    },
                }
                for logical_id, declared in parsed(change_set.template)["Resources"].items()
            ],
        }

    def _delete_change_set(self, parameters: Mapping[str, str]) -> Json:
        try:
            stack, change_set = self._change_set(parameters)
        except BadRequestError:
            return {}
        del stack.change_sets[change_set.name]
        return {}

    def _execute_change_set(self, parameters: Mapping[str, str]) -> Json:
        stack, change_set = self._change_set(parameters)
        stack.change_sets.clear()
        action = "CREATE" if change_set.type == "CREATE" else "UPDATE"
        stack.event(f"{action}_IN_PROGRESS", reason="User Initiated")
        threading.Thread(target=self._execute, args=(stack, change_set, action), daemon=True).start()
        return {}

    def _execute(self, stack: Stack, change_set: ChangeSet, action: str) -> None:
        before = {logical_id: replace(resource) for logical_id, resource in stack.resources.items()}
        try:
            outputs = self._apply(stack, change_set, before)
        except (RefusedError, UnknownValueError, RuntimeError) as refused:
            self._roll_back(stack, action, before, str(refused))
            return
        except BaseException as error:
            self._roll_back(stack, action, before, f"The stand-in failed: {error!r}")
            raise
        stack.template, stack.parameters, stack.outputs = change_set.template, change_set.parameters, outputs
        stack.event(f"{action}_COMPLETE")

    def _apply(self, stack: Stack, change_set: ChangeSet, before: Mapping[str, Resource]) -> dict[str, str]:
        template = parsed(change_set.template)
        values = self._values(stack, template, change_set.parameters)
        wanted = {
            logical_id: declared
            for logical_id, declared in template["Resources"].items()
            if "Condition" not in declared or values.condition(declared["Condition"])
        }
        for logical_id in _ordered(wanted):
            self._create_or_update(stack, logical_id, wanted[logical_id], values)
        gone = [stack.resources.pop(name) for name in list(stack.resources) if name not in wanted]
        self._deleted(stack, reversed([*gone, *self._replaced(before, stack.resources)]))
        return {
            name: str(values.of(output["Value"]))
            for name, output in template.get("Outputs", {}).items()
            if "Condition" not in output or values.condition(output["Condition"])
        }

    def _create_or_update(self, stack: Stack, logical_id: str, declared: Json, values: Values) -> None:
        properties = values.of(declared.get("Properties", {}))
        resource = stack.resources.get(logical_id)
        keep = declared.get("DeletionPolicy") == "Retain"
        if resource and resource.type == declared["Type"] and resource.physical_id:
            if resource.properties == properties:
                return
            action, verb = "update", "UPDATE"
            if resource.type in REPLACED:
                action, generation = "create", resource.generation + 1
                resource = stack.resources[logical_id] = replace(
                    resource, properties=properties, physical_id="", generation=generation
                )
        else:
            resource = stack.resources[logical_id] = Resource(
                stack=stack.name, logical_id=logical_id, type=declared["Type"], properties=properties, keep=keep
            )
            action, verb = "create", "CREATE"
        stack.event(f"{verb}_IN_PROGRESS", resource)
        try:
            self.resources.act(action, resource, properties)
        except RefusedError as refused:
            stack.event(f"{verb}_FAILED", resource, str(refused))
            raise
        resource.properties = properties
        stack.event(f"{verb}_COMPLETE", resource)

    def _values(self, stack: Stack, template: Json, parameters: dict[str, str]) -> Values:
        def found(name: str) -> Resource:
            if name not in stack.resources:
                raise UnknownValueError(f"Template error: instance of Ref/GetAtt references undefined resource {name}")
            return stack.resources[name]

        def output(name: str, key: str) -> str:
            if name not in self.stacks or key not in self.stacks[name].outputs:
                raise UnknownValueError(f"Fn::GetStackOutput: stack {name} has no output {key}")
            return self.stacks[name].outputs[key]

        pseudo = {
            "AWS::AccountId": self.resources.account,
            "AWS::Region": self.resources.region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack.name,
            "AWS::StackId": stack.id,
        }
        return Values(
            template=template,
            parameters=parameters,
            pseudo=pseudo,
            ref=lambda name: self.resources.ref(found(name)),
            attribute=lambda name, attribute: self.resources.attribute(found(name), attribute),
            stack_output=output,
        )

    @staticmethod
    def _replaced(old: Mapping[str, Resource], new: Mapping[str, Resource]) -> list[Resource]:
        """The resources of `old` in whose place `new` has another one."""
        return [one for name, one in old.items() if name in new and new[name].generation != one.generation]

    def _roll_back(self, stack: Stack, action: str, before: Mapping[str, Resource], reason: str) -> None:
        prefix = "ROLLBACK" if action == "CREATE" else "UPDATE_ROLLBACK"
        stack.event(f"{prefix}_IN_PROGRESS", reason=reason)
        new = [one for name, one in stack.resources.items() if name not in before]
        self._deleted(stack, reversed([*new, *self._replaced(stack.resources, before)]))
        stack.resources = dict(before)
        stack.event(f"{prefix}_COMPLETE")


def _ordered(resources: Mapping[str, Json]) -> list[str]:
    edges = {}
    for name, declared in resources.items():
        after = declared.get("DependsOn", [])
        wanted = needed(declared.get("Properties", {})) | set([after] if isinstance(after, str) else after)
        edges[name] = [other for other in sorted(wanted) if other in resources and other != name]
    return list(TopologicalSorter(edges).static_order())


def _described(stack: Stack) -> Json:
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": stack.created,
        "StackStatus": stack.status,
        "EnableTerminationProtection": stack.protected,
        "Capabilities": ["CAPABILITY_IAM"],
        "Tags": stack.tags,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in stack.parameters.items()],
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in stack.outputs.items()],
    }


def _resources(stack: Stack) -> list[Json]:
    return [
        {
            "LogicalResourceId": one.logical_id,
            "PhysicalResourceId": one.physical_id,
            "ResourceType": one.type,
            "ResourceStatus": one.status,
            "StackName": stack.name,
            "Timestamp": now(),
            "LastUpdatedTimestamp": now(),
        }
        for one in stack.resources.values()
    ]


def _members(parameters: Mapping[str, str], name: str) -> list[Json]:
    """A list of structures of AWS's query protocol: Tags.member.1.Key=..."""
    found: dict[int, Json] = {}
    for key, value in parameters.items():
        parts = key.split(".")
        if parts[:2] == [name, "member"] and len(parts) == 4:
            found.setdefault(int(parts[2]), {})[parts[3]] = value
    return [found[number] for number in sorted(found)]
