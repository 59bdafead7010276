"""What is scaled: the variants of SageMaker's endpoints."""

import re
from dataclasses import dataclass
from typing import Protocol

from rehearsal.cloud.api import AwsError
from rehearsal.cloud.autoscaling.alarm import Points

NAMESPACE = "sagemaker"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_RESOURCE = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")


@dataclass(frozen=True, order=True, slots=True)
class Variant:
    """A variant of an endpoint."""

    endpoint: str
    name: str

    @property
    def resource_id(self) -> str:
        """As Application Auto Scaling names it."""
        return f"endpoint/{self.endpoint}/variant/{self.name}"

    @staticmethod
    def of(namespace: str, resource_id: str, dimension: str) -> "Variant":
        """The variant that a request means. Raises AwsError for anything else."""
        if (namespace, dimension) != (NAMESPACE, DIMENSION):
            raise AwsError(
                "NotImplemented",
                f"Scaling {dimension or 'no dimension'} of {namespace or 'no namespace'} is not rehearsed; only "
                f"{DIMENSION} is (docs/rehearsal.md).",
                501,
            )
        found = _RESOURCE.fullmatch(resource_id)
        if found is None:
            raise AwsError(
                "ValidationException",
                f"The resource ID {resource_id!r} is not valid for {DIMENSION}; write endpoint/NAME/variant/NAME.",
            )
        return Variant(found[1], found[2])


@dataclass(frozen=True, slots=True)
class Instances:
    """The instances of a variant. in_service: whether the endpoint is, so that their number can be changed."""

    desired: int
    current: int
    in_service: bool


class Variants(Protocol):
    """What Application Auto Scaling reads and changes of SageMaker."""

    def instances(self, variant: Variant) -> Instances | None:
        """The instances now; None if the variant does not exist."""
        ...

    def set_instances(self, variant: Variant, desired: int) -> None:
        """UpdateEndpointWeightsAndCapacities. Raises AwsError."""
        ...

    def minutes(self, variant: Variant, count: int) -> Points:
        """InvocationsPerInstance: the sum of each of the last `count` complete minutes, oldest first."""
        ...
