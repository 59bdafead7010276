"""The service application-autoscaling: its operations, with AWS's checks."""

import re
import uuid
from collections.abc import Iterable

from rehearsal.cloud.api import AwsError, Engine, Json, Request
from rehearsal.cloud.autoscaling.scaler import Scaler
from rehearsal.cloud.autoscaling.target import METRIC, Target, new_policy
from rehearsal.cloud.autoscaling.tracking import Bounds
from rehearsal.cloud.autoscaling.variants import DIMENSION, NAMESPACE, Variant
from rehearsal.cloud.json_service import JsonService

_POLICY_NAME = r"[^\x00-\x1f]{1,256}"


class ApplicationAutoScaling(JsonService):
    """The service. Its operations are also what the CloudFormation types call."""

    name = "application-autoscaling"
    target = "AnyScaleFrontendService"

    def __init__(self, engine: Engine, scaler: Scaler) -> None:
        super().__init__()
        self._engine = engine
        self._scaler = scaler
        self._tags: dict[str, dict[str, str]] = {}
        self.operations = {
            "RegisterScalableTarget": lambda parameters, _: self.register(parameters),
            "DescribeScalableTargets": lambda parameters, _: self.describe_targets(parameters),
            "DeregisterScalableTarget": lambda parameters, _: self.deregister(parameters),
            "PutScalingPolicy": lambda parameters, _: self.put_policy(parameters),
            "DescribeScalingPolicies": lambda parameters, _: self.describe_policies(parameters),
            "DeleteScalingPolicy": lambda parameters, _: self.delete_policy(parameters),
            "DescribeScalingActivities": lambda parameters, _: self.describe_activities(parameters),
            "TagResource": lambda parameters, _: self._tag(parameters),
            "UntagResource": lambda parameters, _: self._untag(parameters),
            "ListTagsForResource": lambda parameters, _: {"Tags": dict(self._tags_of(parameters))},
        }

    def resource(self, request: Request) -> str:
        """The ARN of the scalable target; of an unregistered one, AWS asks for any."""
        parameters = self.parameters(request)
        if arn := parameters.get("ResourceARN"):
            return str(arn)
        if self.operation(request).startswith("Describe"):
            return "*"
        found = next(
            (each for each in self._targets() if each.variant.resource_id == parameters.get("ResourceId")), None
        )
        return found.arn if found else self._arn("*")

    def register(self, parameters: Json) -> Json:
        """RegisterScalableTarget: a new target, or other bounds of a known one."""
        variant = _variant(parameters)
        known = self._scaler.targets.get(variant)
        bounds = _bounds(parameters, known.bounds if known else None)
        if known is None:
            if not self._scaler.exists(variant):
                raise AwsError("ValidationException", f"The endpoint variant does not exist: {variant.resource_id}")
            known = Target(variant, self._arn(uuid.uuid4().hex), self._service_linked_role(), bounds)
            with self._scaler.lock:
                known = self._scaler.targets.setdefault(variant, known)
            self._tags[known.arn] = {}
        self._tags[known.arn].update(parameters.get("Tags") or {})
        self._scaler.bring_within(known, bounds)
        return {"ScalableTargetARN": known.arn}

    def describe_targets(self, parameters: Json) -> Json:
        """DescribeScalableTargets."""
        wanted = parameters.get("ResourceIds")
        shown = [
            each.described()
            for each in self._targets(parameters)
            if wanted is None or each.variant.resource_id in wanted
        ]
        return _page("ScalableTargets", shown, parameters)

    def deregister(self, parameters: Json) -> Json:
        """DeregisterScalableTarget: its policies go with it."""
        variant = _variant(parameters)
        removed = self._scaler.remove([variant])
        if not removed:
            raise AwsError("ObjectNotFoundException", f"No scalable target found for {_words(variant)}")
        self._tags.pop(removed[0].arn, None)
        return {}

    def put_policy(self, parameters: Json) -> Json:
        """PutScalingPolicy: a new policy, or another configuration of a known one."""
        variant = _variant(parameters)
        name = str(parameters.get("PolicyName", ""))
        if not re.fullmatch(_POLICY_NAME, name):
            raise AwsError("ValidationException", f"The policy name {name!r} is not valid; write 1 to 256 characters.")
        configuration = _configuration(parameters)
        with self._scaler.lock:
            target = self._scaler.targets.get(variant)
            if target is None:
                raise AwsError("ObjectNotFoundException", f"No scalable target registered for {_words(variant)}")
            if target.policies.keys() - {name}:  # there is one metric, and each policy needs one of its own
                raise AwsError(
                    "ValidationException",
                    "Only one TargetTrackingScaling policy for a given metric specification is allowed.",
                )
            policy = target.policies.get(name)
            if policy is None:
                policy = new_policy(name, variant, configuration, self._engine.account, self._engine.region)
                target.policies[name] = policy
            policy.configuration = configuration
        self._scaler.alarms.put(variant, policy)
        return {"PolicyARN": policy.arn, "Alarms": policy.described_alarms(self._engine.account, self._engine.region)}

    def describe_policies(self, parameters: Json) -> Json:
        """DescribeScalingPolicies."""
        resource_id, names = parameters.get("ResourceId"), parameters.get("PolicyNames")
        shown = [
            policy.described(target.variant, self._engine.account, self._engine.region)
            for target in self._targets(parameters)
            for policy in list(target.policies.values())
            if resource_id in (None, target.variant.resource_id) and (names is None or policy.name in names)
        ]
        return _page("ScalingPolicies", shown, parameters)

    def delete_policy(self, parameters: Json) -> Json:
        """DeleteScalingPolicy."""
        variant, name = _variant(parameters), str(parameters.get("PolicyName", ""))
        with self._scaler.lock:
            target = self._scaler.targets.get(variant)
            policy = target.policies.pop(name, None) if target else None
        if policy is None:
            raise AwsError(
                "ObjectNotFoundException", f"No scaling policy found for {_words(variant)}, policy name: {name}"
            )
        self._scaler.alarms.delete([policy])
        return {}

    def describe_activities(self, parameters: Json) -> Json:
        """DescribeScalingActivities, newest first."""
        _check_namespace(parameters)
        shown = self._scaler.activities.described(
            parameters.get("ResourceId"), bool(parameters.get("IncludeNotScaledActivities"))
        )
        return _page("ScalingActivities", shown, parameters)

    def _targets(self, parameters: Json | None = None) -> Iterable[Target]:
        if parameters is not None:
            _check_namespace(parameters)
        with self._scaler.lock:
            return list(self._scaler.targets.values())

    def _arn(self, target_id: str) -> str:
        return (
            f"arn:aws:application-autoscaling:{self._engine.region}:{self._engine.account}:scalable-target/{target_id}"
        )

    def _service_linked_role(self) -> str:
        """The role that AWS shows, whichever one the request names."""
        return (
            f"arn:aws:iam::{self._engine.account}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
            "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
        )

    # -- tags

    def _tags_of(self, parameters: Json) -> dict[str, str]:
        arn = str(parameters.get("ResourceARN", ""))
        if arn not in self._tags:
            raise AwsError("ResourceNotFoundException", f"The resource {arn} does not exist.")
        return self._tags[arn]

    def _tag(self, parameters: Json) -> Json:
        self._tags_of(parameters).update(parameters["Tags"])
        return {}

    def _untag(self, parameters: Json) -> Json:
        for key in parameters["TagKeys"]:
            self._tags_of(parameters).pop(key, None)
        return {}


def _variant(parameters: Json) -> Variant:
    names = ("ServiceNamespace", "ResourceId", "ScalableDimension")
    return Variant.of(*(str(parameters.get(name, "")) for name in names))


def _check_namespace(parameters: Json) -> None:
    namespace = parameters.get("ServiceNamespace")
    if namespace != NAMESPACE:
        raise AwsError("ValidationException", f"The service namespace {namespace!r} is not rehearsed; use {NAMESPACE}.")


def _words(variant: Variant) -> str:
    return f"service namespace: {NAMESPACE}, resource ID: {variant.resource_id}, scalable dimension: {DIMENSION}"


def _bounds(parameters: Json, known: Bounds | None) -> Bounds:
    least = parameters.get("MinCapacity", known.least if known else None)
    most = parameters.get("MaxCapacity", known.most if known else None)
    if least is None or most is None:
        raise AwsError("ValidationException", "A new scalable target needs MinCapacity and MaxCapacity.")
    least, most = int(least), int(most)
    if least < 1:
        raise AwsError("ValidationException", f"Minimum capacity is {least}; a variant needs at least 1 instance.")
    if most < least:
        raise AwsError("ValidationException", "Maximum capacity cannot be less than minimum capacity")
    suspended = parameters.get("SuspendedState") or {}
    return Bounds(
        least,
        most,
        out_suspended=suspended.get("DynamicScalingOutSuspended", known.out_suspended if known else False),
        in_suspended=suspended.get("DynamicScalingInSuspended", known.in_suspended if known else False),
    )


def _configuration(parameters: Json) -> Json:
    kind = parameters.get("PolicyType")
    configuration = parameters.get("TargetTrackingScalingPolicyConfiguration")
    if kind != "TargetTrackingScaling" or configuration is None:
        raise AwsError(
            "NotImplemented", f"A policy of the type {kind} is not rehearsed; only TargetTrackingScaling is.", 501
        )
    metric = (configuration.get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType")
    if metric != METRIC:
        raise AwsError("NotImplemented", f"The metric {metric or 'of your own'} is not rehearsed; use {METRIC}.", 501)
    if not float(configuration.get("TargetValue", 0)) > 0:
        raise AwsError(
            "ValidationException", f"The target value is {configuration.get('TargetValue')}; use more than 0."
        )
    for name in ("ScaleOutCooldown", "ScaleInCooldown"):
        if int(configuration.get(name, 0)) < 0:
            raise AwsError("ValidationException", f"{name} is {configuration[name]}; use 0 seconds or more.")
    return {"DisableScaleIn": False, "ScaleOutCooldown": 300, "ScaleInCooldown": 300, **configuration}


def _page(name: str, found: list[Json], parameters: Json) -> Json:
    """A page of the results. The token is the place of the next one."""
    start, size = int(parameters.get("NextToken") or 0), int(parameters.get("MaxResults") or 50)
    page: Json = {name: found[start : start + size]}
    if start + size < len(found):
        page["NextToken"] = str(start + size)
    return page
