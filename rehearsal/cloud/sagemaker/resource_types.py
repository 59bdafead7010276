"""CloudFormation's AWS::SageMaker::Model, EndpointConfig and Endpoint.

A model and a config are replaced, never changed; an endpoint is updated. As on AWS, CloudFormation accepts an update
that SageMaker rolled back, because the endpoint is InService again. Sources:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-sagemaker-endpoint.html and the pages of the
other two types.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rehearsal.cloud.api import AwsError, Created, Json, ResourceType
from rehearsal.cloud.sagemaker.endpoint_configs import EndpointConfigs
from rehearsal.cloud.sagemaker.endpoints import Endpoints
from rehearsal.cloud.sagemaker.models import Models
from rehearsal.cloud.sagemaker.tags import Tags
from rehearsal.cloud.shapes import check, typed

LONGEST_NAME = 63


class Store(Protocol):
    """The models, or the endpoint configs."""

    def create(self, parameters: Json) -> str: ...

    def delete(self, name: str) -> None: ...


@dataclass(frozen=True)
class ReplacedType:
    """A type whose resources are replaced when they change. kind: "Model", of which an operation makes one."""

    kind: str
    store: Store

    def create(self, logical_id: str, properties: Json, _: str) -> Created:
        """Create it under the name that the template gives, or under one of its own."""
        name = properties.get(f"{self.kind}Name") or generated_name(logical_id)
        found = self.store.create(_input(f"Create{self.kind}", {**properties, f"{self.kind}Name": name}))
        return Created(found, {f"{self.kind}Name": name, "Id": found})

    def update(self, physical_id: str, _: Json, new: Json, stack: str) -> Created:
        """Create another one; CloudFormation deletes this one in its clean-up."""
        name = physical_id.rpartition("/")[2]
        return self.create(name.rpartition("-")[0] or name, new, stack)

    def delete(self, physical_id: str, _: Json) -> None:
        """Delete it. One that no longer exists is no failure."""
        _ignore_missing(lambda: self.store.delete(physical_id.rpartition("/")[2]))


@dataclass(frozen=True)
class EndpointType:
    """AWS::SageMaker::Endpoint."""

    endpoints: Endpoints
    tags: Tags

    def create(self, logical_id: str, properties: Json, _: str) -> Created:
        """Create it, and return when it is InService."""
        name = properties.get("EndpointName") or generated_name(logical_id)
        given = ("DeploymentConfig", "EndpointConfigName", "Tags")
        wanted = {key: properties[key] for key in given if properties.get(key)}
        endpoint = self.endpoints.create(_input("CreateEndpoint", {**wanted, "EndpointName": name}))
        if endpoint.wait() != "InService":
            reason = endpoint.failure
            # CloudFormation learns no physical id from a create that failed, so nothing else would delete it.
            self.endpoints.delete(name).wait()
            raise AwsError("GeneralServiceException", reason)
        return Created(endpoint.arn, {"EndpointName": name, "Id": endpoint.arn})

    def update(self, physical_id: str, old: Json, new: Json, stack: str) -> Created:
        """Update it, and return when it is InService again: with the new config, or rolled back to the old one."""
        if old.get("EndpointName") != new.get("EndpointName"):
            return self.create(str(new.get("EndpointName") or "Endpoint"), new, stack)
        name = physical_id.rpartition("/")[2]
        endpoint = self.endpoints.get(name)
        self.tags.create(endpoint.arn, new.get("Tags") or [])
        if {**old, "Tags": None} != {**new, "Tags": None}:
            endpoint.wait()  # autoscaling may be changing it
            wanted = {key: value for key, value in new.items() if key != "Tags"}
            self.endpoints.update(_input("UpdateEndpoint", {**wanted, "EndpointName": name}))
        if endpoint.wait() != "InService":
            raise AwsError("GeneralServiceException", endpoint.failure)
        return Created(endpoint.arn, {"EndpointName": endpoint.name, "Id": endpoint.arn})

    def delete(self, physical_id: str, _: Json) -> None:
        """Delete it, and return when it is gone. One that no longer exists is no failure."""
        name = physical_id.rpartition("/")[2]

        def gone() -> None:
            self.endpoints.get(name).wait()
            self.endpoints.delete(name).wait()

        _ignore_missing(gone)


def resource_types(
    models: Models, configs: EndpointConfigs, endpoints: Endpoints, tags: Tags
) -> dict[str, ResourceType]:
    """A handler for each type."""
    return {
        "AWS::SageMaker::Endpoint": EndpointType(endpoints, tags),
        "AWS::SageMaker::EndpointConfig": ReplacedType("EndpointConfig", configs),
        "AWS::SageMaker::Model": ReplacedType("Model", models),
    }


def generated_name(logical_id: str) -> str:
    """A name that is unique, as CloudFormation makes one."""
    return f"{logical_id[: LONGEST_NAME - 13]}-{secrets.token_hex(6)}"


def _input(operation: str, properties: Json) -> Json:
    """The input of the operation that CloudFormation calls. Raises AwsError if SageMaker would refuse it."""
    parameters = typed("sagemaker", operation, properties)
    check("sagemaker", operation, parameters)
    return parameters


def _ignore_missing(delete: Callable[[], None]) -> None:
    try:
        delete()
    except AwsError as error:
        if not str(error).startswith("Could not find"):
            raise
