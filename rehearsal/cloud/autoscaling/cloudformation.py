"""AWS::ApplicationAutoScaling::ScalableTarget and ::ScalingPolicy."""

from rehearsal.cloud.api import Created, Json, ResourceType
from rehearsal.cloud.autoscaling.service import ApplicationAutoScaling
from rehearsal.cloud.autoscaling.variants import DIMENSION, NAMESPACE

_TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"
_POLICY = "AWS::ApplicationAutoScaling::ScalingPolicy"
_NAMES = ("ServiceNamespace", "ResourceId", "ScalableDimension")
_INTEGERS = ("MinCapacity", "MaxCapacity", "ScaleOutCooldown", "ScaleInCooldown")
_BOOLEANS = (
    "DisableScaleIn", "DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended",
)  # fmt: skip


def types(service: ApplicationAutoScaling) -> dict[str, ResourceType]:
    """A handler for each type."""
    return {_TARGET: ScalableTargetType(service), _POLICY: ScalingPolicyType(service)}


class ScalableTargetType:
    """A scalable target. Its physical id is what Ref returns: ResourceId|ScalableDimension|ServiceNamespace."""

    def __init__(self, service: ApplicationAutoScaling) -> None:
        self._service = service

    def create(self, _: str, properties: Json, __: str) -> Created:
        """RegisterScalableTarget."""
        given = {name: value for name, value in typed(properties).items() if name != "ScheduledActions"}
        self._service.register(given)
        target_id = "|".join(str(properties[name]) for name in ("ResourceId", "ScalableDimension", "ServiceNamespace"))
        return Created(target_id, {"Id": target_id})

    def update(self, _: str, __: Json, new: Json, stack: str) -> Created:
        """Register it with its new bounds; another resource is another target, and CloudFormation deletes the old."""
        return self.create("", new, stack)

    def delete(self, physical_id: str, _: Json) -> None:
        """DeregisterScalableTarget, unless it is gone, as after its endpoint was deleted."""
        names = _names(physical_id)
        if self._service.describe_targets({**names, "ResourceIds": [names["ResourceId"]]})["ScalableTargets"]:
            self._service.deregister(names)


class ScalingPolicyType:
    """A scaling policy. Its physical id is its ARN."""

    def __init__(self, service: ApplicationAutoScaling) -> None:
        self._service = service

    def create(self, _: str, properties: Json, __: str) -> Created:
        """PutScalingPolicy."""
        given = typed(properties)
        target = given.pop("ScalingTargetId", None)
        if target is not None:
            given |= _names(str(target))
        arn = self._service.put_policy(given)["PolicyARN"]
        return Created(arn, {"Arn": arn, "Id": f"{arn}|{given['ScalableDimension']}"})

    def update(self, physical_id: str, old: Json, new: Json, stack: str) -> Created:
        """Put it with its new configuration. Another name or target is another policy: the old one goes first, because
        a target has one policy for a metric."""
        identity = ("PolicyName", "ScalingTargetId", *_NAMES)
        if any(old.get(name) != new.get(name) for name in identity):
            self.delete(physical_id, old)
        return self.create("", new, stack)

    def delete(self, physical_id: str, _: Json) -> None:
        """DeleteScalingPolicy, unless it is gone, as after its target was deregistered."""
        policies = self._service.describe_policies({"ServiceNamespace": NAMESPACE})["ScalingPolicies"]
        for policy in policies:
            if policy["PolicyARN"] == physical_id:
                self._service.delete_policy({name: policy[name] for name in ("PolicyName", *_NAMES)})


def typed(properties: Json) -> Json:
    """The properties with numbers and truth values as such. A template may give them as strings."""
    found: Json = {}
    for name, value in properties.items():
        if isinstance(value, dict):
            found[name] = typed(value)
        elif name in _INTEGERS:
            found[name] = int(value)
        elif name in _BOOLEANS:
            found[name] = str(value).lower() == "true"
        elif name == "TargetValue":
            found[name] = float(value)
        else:
            found[name] = value
    return found


def _names(target_id: str) -> Json:
    resource_id, dimension, namespace = (*target_id.split("|"), DIMENSION, NAMESPACE)[:3]
    return {"ServiceNamespace": namespace, "ResourceId": resource_id, "ScalableDimension": dimension}
