"""CloudFormation's AWS::SageMaker::Model, EndpointConfig and Endpoint.

A model and a config are replaced, never changed; an endpoint is updated. As on AWS, CloudFormation accepts an update
that SageMaker rolled back, because the endpoint is InService again. Sources:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-sagemaker-endpoint.html and the pages of the
other two types.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from rehearsal.cloud.api import AwsError, Created, Json, ResourceType
from rehearsal.cloud.sagemaker.endpoint_configs import EndpointConfigs
from rehearsal.cloud.sagemaker.endpoints import Endpoints
from rehearsal.cloud.sagemaker.models import Models
from rehearsal.cloud.sagemaker.tags import Tags

INTEGERS = {
    "ContainerStartupHealthCheckTimeoutInSeconds",
    "InitialInstanceCount",
    "InitialSamplingPercentage",
    "MaximumExecutionTimeoutInSeconds",
    "ModelDataDownloadTimeoutInSeconds",
    "TerminationWaitInSeconds",
    "Value",
    "VolumeSizeInGB",
    "WaitIntervalInSeconds",
}
FLOATS = {"InitialVariantWeight"}
BOOLEANS = {"EnableCapture", "EnableNetworkIsolation", "RetainAllVariantProperties", "RetainDeploymentConfig"}
TEXT = {"Environment", "Tags"}
"""Below these, every value is a string."""
LONGEST_NAME = 63


def typed(properties: Any, key: str = "") -> Any:
    """The properties with the types of SageMaker's API: a template may pass a number or a boolean as a string."""
    if isinstance(properties, dict):
        if key == "Environment":
            return {name: str(value) for name, value in properties.items()}
        return {name: value if name == "Tags" else typed(value, name) for name, value in properties.items()}
    if isinstance(properties, list):
        return [typed(each, key) for each in properties]
    if key in INTEGERS:
        return int(properties)
    if key in FLOATS:
        return float(properties)
    if key in BOOLEANS:
        return str(properties).lower() == "true"
    return properties


class Store(Protocol):
    """The models, or the endpoint configs."""

    def create(self, parameters: Json) -> str: ...

    def delete(self, name: str) -> None: ...


@dataclass(frozen=True)
class ReplacedType:
    """A type whose resources are replaced when they change. name: the property with the resource's name."""

    name: str
    store: Store

    def create(self, logical_id: str, properties: Json, _: str) -> Created:
        """Create it under the name that the template gives, or under one of its own."""
        name = properties.get(self.name) or generated_name(logical_id)
        found = self.store.create({**typed(properties), self.name: name})
        return Created(found, {self.name: name, "Id": found})

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
        wanted = typed(properties)
        parameters = {key: wanted[key] for key in ("DeploymentConfig", "EndpointConfigName", "Tags") if wanted.get(key)}
        endpoint = self.endpoints.create({**parameters, "EndpointName": name})
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
        wanted = typed(new)
        self.tags.create(endpoint.arn, wanted.get("Tags") or [])
        if {**old, "Tags": None} != {**new, "Tags": None}:
            endpoint.wait()  # autoscaling may be changing it
            parameters = {key: value for key, value in wanted.items() if key != "Tags"}
            self.endpoints.update({**parameters, "EndpointName": name})
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
        "AWS::SageMaker::EndpointConfig": ReplacedType("EndpointConfigName", configs),
        "AWS::SageMaker::Model": ReplacedType("ModelName", models),
    }


def generated_name(logical_id: str) -> str:
    """A name that is unique, as CloudFormation makes one."""
    return f"{logical_id[: LONGEST_NAME - 13]}-{secrets.token_hex(6)}"


def _ignore_missing(delete: Callable[[], None]) -> None:
    try:
        delete()
    except AwsError as error:
        if not str(error).startswith("Could not find"):
            raise
