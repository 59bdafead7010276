"""The endpoint: its instances, their volumes, the second fleet of an update, and the data of its calls."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ops.cost.assumptions import Assumptions
from ops.cost.charge import HOURS_A_MONTH, SECONDS_A_MONTH, Charge, Usage, standing
from ops.cost.templates import Resource, Templates

DEFAULT_VOLUME_GB = 30
"""Of an instance without its own disk, if the variant names no size:
https://docs.aws.amazon.com/sagemaker/latest/dg/large-model-inference-hosting.html"""
DEFAULT_TARGET_PER_MIN = 25
"""Predictions per instance and minute in the worst month, if the endpoint is not scaled."""
CANARY_PHOTO_MB = 0.015
"""stacks/serving/probe/dog.jpg"""
_OWN_DISK = re.compile(r"ml\.(\w+d\w*|g[5-9]\w*|p[4-9]\w*|trn\w*)\.")
"""Families with a disk of their own: SageMaker attaches no volume to those, and bills none.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html"""


def volume_gb(instance_type: str, gb: float) -> float:
    """The volume that SageMaker bills with an instance of this type."""
    return 0 if _OWN_DISK.match(instance_type) else gb


def endpoint_config(config: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    for variant in config.properties["ProductionVariants"]:
        low, high = _fleet(variant, app)
        expected = low + (high - low) * given.scaled_out
        ordinary_h, longest_h = _update_h(config, app, given)
        hours = Usage(
            idle=low * HOURS_A_MONTH,
            expected=expected * HOURS_A_MONTH + given.deploys * low * ordinary_h,
            worst=high * HOURS_A_MONTH + given.worst_deploys * high * longest_h,
        )
        kind = variant["InstanceType"]
        yield Charge(what=f"endpoint, {low} to {high} {kind}", price=f"sagemaker.instance.{kind}", usage=hours)
        gb = volume_gb(kind, float(variant.get("VolumeSizeInGB", DEFAULT_VOLUME_GB)))
        if gb:
            yield Charge(
                what=f"endpoint, volume of {gb:g} GB for each instance",
                price="sagemaker.storage",
                usage=hours * (gb / HOURS_A_MONTH),
            )
    yield Charge(what="photos sent to the endpoint", price="sagemaker.data", usage=_photos_gb(app, given))
    capture = config.properties.get("DataCaptureConfig", {})
    if capture.get("EnableCapture"):
        share = float(capture["InitialSamplingPercentage"]) / 100
        # base64 makes a photo a third larger
        yield Charge(
            what="captured calls in the bucket",
            price="s3.storage",
            usage=_photos_gb(app, given) * (share * 4 / 3),
        )


def scaling_policy(policy: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    """Target tracking creates an alarm for more instances and one for fewer.

    https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
    """
    del app, given
    if policy.properties.get("PolicyType") == "TargetTrackingScaling":
        yield Charge(what="alarms that scale the endpoint", price="cloudwatch.alarm", usage=standing(2))


def predictions(app: Templates, given: Assumptions) -> Usage:
    """Predictions in each case.

    The worst month is one in which the largest fleet is always at its scaling target, or an HTTP API that is open to
    everyone always at the rate that it lets through: a photo that the endpoint has no time for is billed all the same.
    """
    worst = max(_most_predictions(app), open_requests_per_s(app) * SECONDS_A_MONTH)
    return Usage(expected=given.predictions, worst=worst, predictions=1000)


def open_requests_per_s(app: Templates) -> float:
    """The rate that the HTTP APIs without authorization let through."""
    return sum(
        float(stage.properties["DefaultRouteSettings"]["ThrottlingRateLimit"])
        for api in app.of_type("AWS::ApiGatewayV2::Api")
        if any(
            route.properties.get("AuthorizationType", "NONE") == "NONE"
            for route in app.referring(api, "AWS::ApiGatewayV2::Route")
        )
        for stage in app.referring(api, "AWS::ApiGatewayV2::Stage")
    )


def canary_calls(app: Templates) -> float:
    """Calls that the canary makes in a month: the one schedule that is a rate."""
    schedules = app.of_type("AWS::Scheduler::Schedule")
    return sum(calls_a_month(each) for each in schedules if each.properties["ScheduleExpression"].startswith("rate("))


def calls_a_month(schedule: Resource) -> float:
    """From rate(5 minutes), or a cron expression of a time of each day."""
    expression = schedule.properties["ScheduleExpression"]
    if re.fullmatch(r"cron\(\d+ \d+ \* \* \? \*\)", expression):
        return SECONDS_A_MONTH / 86_400
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if found is None:
        raise ValueError(f"the schedule {expression!r} of {schedule.id} is neither a rate nor a time of each day")
    return SECONDS_A_MONTH / (int(found[1]) * {"minute": 60, "hour": 3600, "day": 86_400}[found[2]])


def _fleet(variant: Mapping[str, Any], app: Templates) -> tuple[int, int]:
    """Least and most instances of a variant."""
    for target in app.of_type("AWS::ApplicationAutoScaling::ScalableTarget"):
        if str(target.properties["ResourceId"]).endswith(f"/variant/{variant['VariantName']}"):
            return int(target.number("MinCapacity")), int(target.number("MaxCapacity"))
    count = int(variant["InitialInstanceCount"])
    return count, count


def _update_h(config: Resource, app: Templates, given: Assumptions) -> tuple[float, float]:
    """Hours for which an update runs two fleets: ordinarily, and until SageMaker gives up."""
    for endpoint in app.referring(config, "AWS::SageMaker::Endpoint"):
        policy = endpoint.properties.get("DeploymentConfig", {}).get("BlueGreenUpdatePolicy", {})
        routing = policy.get("TrafficRoutingConfiguration", {})
        seconds = float(routing.get("WaitIntervalInSeconds", 0)) + float(policy.get("TerminationWaitInSeconds", 0))
        ordinary = given.new_fleet_min / 60 + seconds / 3600
        return ordinary, max(ordinary, float(policy.get("MaximumExecutionTimeoutInSeconds", 0)) / 3600)
    return 0, 0


def _most_predictions(app: Templates) -> float:
    targets = [
        float(policy.properties["TargetTrackingScalingPolicyConfiguration"]["TargetValue"])
        for policy in app.of_type("AWS::ApplicationAutoScaling::ScalingPolicy")
    ]
    most = sum(
        _fleet(variant, app)[1]
        for config in app.of_type("AWS::SageMaker::EndpointConfig")
        for variant in config.properties["ProductionVariants"]
    )
    return most * max(targets, default=DEFAULT_TARGET_PER_MIN) * 60 * HOURS_A_MONTH


def _photos_gb(app: Templates, given: Assumptions) -> Usage:
    canary = standing(canary_calls(app)) * (CANARY_PHOTO_MB / 1000)
    return predictions(app, given) * (given.photo_mb / 1000) + canary
