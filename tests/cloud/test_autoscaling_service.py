"""Application Auto Scaling as its clients see it."""

import json
from typing import Any

import pytest

from rehearsal.cloud.api import Request
from rehearsal.cloud.autoscaling.variants import NAMESPACE, Instances
from tests.cloud.fake_variants import DOGS
from tests.cloud.scaled_world import BOUNDS, NAMES, POLICY, TRACKING, World, registered, scaled


def test_a_registered_target_is_described() -> None:
    world = registered()

    (target,) = world.call("DescribeScalableTargets", ServiceNamespace=NAMESPACE)["ScalableTargets"]

    assert {name: target[name] for name in (*NAMES, *BOUNDS)} == {**NAMES, **BOUNDS}
    assert "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint" in target["RoleARN"]
    assert not world.call("DescribeScalableTargets", ServiceNamespace=NAMESPACE, ResourceIds=["other"])[
        "ScalableTargets"
    ]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"MinCapacity": 4}, "Maximum capacity cannot be less than minimum capacity"),
        ({"MinCapacity": 0}, "at least 1"),
        ({"ResourceId": "endpoint/cats/variant/AllTraffic"}, "does not exist: endpoint/cats/variant/AllTraffic"),
        ({"ResourceId": "endpoint/dogs/variant/Other"}, "does not exist"),
        ({"ResourceId": "dogs"}, "endpoint/NAME/variant/NAME"),
    ],
)
def test_a_target_that_cannot_be_scaled_is_refused(changed: dict[str, Any], word: str) -> None:
    code, message = World().refused("RegisterScalableTarget", **{**NAMES, **BOUNDS, **changed})

    assert code == "ValidationException"
    assert word in message


def test_another_dimension_is_refused_as_not_rehearsed() -> None:
    world = World()
    other = {**NAMES, "ScalableDimension": "ecs:service:DesiredCount"}

    assert world.refused("RegisterScalableTarget", **other, **BOUNDS)[0] == "NotImplemented"


def test_a_new_target_needs_both_bounds_and_a_known_one_keeps_what_is_not_given() -> None:
    assert World().refused("RegisterScalableTarget", **NAMES, MinCapacity=1)[0] == "ValidationException"
    world = registered()

    world.call("RegisterScalableTarget", **NAMES, MaxCapacity=7)

    (target,) = world.call("DescribeScalableTargets", ServiceNamespace=NAMESPACE)["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 7)


def test_new_bounds_change_a_capacity_outside_them_at_once() -> None:
    world = registered(MinCapacity=2)

    assert world.desired == 2
    assert world.activities()[0]["Cause"] == "minimum capacity was set to 2"
    world.variants.finish()
    world.call("RegisterScalableTarget", **NAMES, MinCapacity=1, MaxCapacity=1)
    assert world.desired == 1
    assert world.activities()[0]["Cause"] == "maximum capacity was set to 1"


def test_new_bounds_do_not_change_an_endpoint_that_is_not_in_service() -> None:
    world = World()
    world.variants.known[DOGS] = Instances(1, 1, False)

    world.call("RegisterScalableTarget", **NAMES, MinCapacity=2, MaxCapacity=3)

    assert world.desired == 1


def test_a_policy_needs_a_target() -> None:
    code, message = World().refused("PutScalingPolicy", **NAMES, **POLICY)

    assert code == "ObjectNotFoundException"
    assert message.startswith("No scalable target registered for service namespace: sagemaker, resource ID: endpoint/")


def test_a_policy_has_two_alarms_and_keeps_them_when_it_changes() -> None:
    world = registered()

    first = world.call("PutScalingPolicy", **NAMES, **POLICY)
    again = world.call("PutScalingPolicy", **NAMES, **POLICY)

    high, low = (alarm["AlarmName"] for alarm in first["Alarms"])
    assert high.startswith(f"TargetTracking-{DOGS.resource_id}-AlarmHigh-")
    assert low.startswith(f"TargetTracking-{DOGS.resource_id}-AlarmLow-")
    assert again == first
    (described,) = world.call("DescribeScalingPolicies", ServiceNamespace=NAMESPACE)["ScalingPolicies"]
    assert described["Alarms"] == first["Alarms"]
    assert described["TargetTrackingScalingPolicyConfiguration"] == {**TRACKING, "DisableScaleIn": False}


def test_the_alarms_are_those_of_the_rule() -> None:
    world = scaled()

    def states() -> list[str]:
        return sorted(
            f"{'High' if 'AlarmHigh' in name else 'Low'} {state}" for name, state in world.alarms.states.items()
        )

    world.minutes(3, load=60)
    assert states() == ["High ALARM", "Low OK"]
    world.variants.finish()
    world.minutes(15, load=6)
    assert states() == ["High OK", "Low ALARM"]


@pytest.mark.parametrize("end", ["DeleteScalingPolicy", "DeregisterScalableTarget", "forget", "vanish"])
def test_no_alarm_outlives_its_policy(end: str) -> None:
    world = scaled()
    assert len(world.alarms.states) == 2

    if end == "forget":
        world.scaler.forget("dogs")
    elif end == "vanish":
        del world.variants.known[DOGS]
        world.scaler.look()
    else:
        world.call(end, **NAMES, **({"PolicyName": "p"} if end == "DeleteScalingPolicy" else {}))

    assert not world.alarms.states


def test_a_policy_without_scale_in_has_one_alarm() -> None:
    world = scaled()
    tracking = {**TRACKING, "DisableScaleIn": True}

    response = world.call(
        "PutScalingPolicy", **NAMES, **{**POLICY, "TargetTrackingScalingPolicyConfiguration": tracking}
    )

    assert [each["AlarmName"] for each in response["Alarms"]] == list(world.alarms.states)
    assert len(world.alarms.states) == 1


def test_a_second_policy_for_the_same_metric_is_refused() -> None:
    code, message = scaled().refused("PutScalingPolicy", **NAMES, **{**POLICY, "PolicyName": "other"})

    assert code == "ValidationException"
    assert message == "Only one TargetTrackingScaling policy for a given metric specification is allowed."


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"PolicyType": "StepScaling"}, "NotImplemented"),
        ({"TargetTrackingScalingPolicyConfiguration": {**TRACKING, "TargetValue": 0}}, "ValidationException"),
        ({"TargetTrackingScalingPolicyConfiguration": {**TRACKING, "ScaleInCooldown": -1}}, "ValidationException"),
        ({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 5}}, "NotImplemented"),
        ({"PolicyName": ""}, "ValidationException"),
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused(changed: dict[str, Any], code: str) -> None:
    assert registered().refused("PutScalingPolicy", **NAMES, **{**POLICY, **changed})[0] == code


def test_what_is_not_registered_cannot_be_removed() -> None:
    world = World()

    assert world.refused("DeregisterScalableTarget", **NAMES)[0] == "ObjectNotFoundException"
    assert world.refused("DeleteScalingPolicy", **NAMES, PolicyName="p")[0] == "ObjectNotFoundException"


def test_a_deregistered_target_has_no_policies_left() -> None:
    world = scaled()

    world.call("DeregisterScalableTarget", **NAMES)

    assert not world.call("DescribeScalingPolicies", ServiceNamespace=NAMESPACE)["ScalingPolicies"]
    world.call("RegisterScalableTarget", **NAMES, **BOUNDS)
    assert world.refused("DeleteScalingPolicy", **NAMES, PolicyName="p")[0] == "ObjectNotFoundException"


def test_tags_of_a_target() -> None:
    world = World()
    arn = world.call("RegisterScalableTarget", **NAMES, **BOUNDS, Tags={"a": "1"})["ScalableTargetARN"]
    world.call("TagResource", ResourceARN=arn, Tags={"b": "2"})
    world.call("UntagResource", ResourceARN=arn, TagKeys=["a"])

    assert world.call("ListTagsForResource", ResourceARN=arn) == {"Tags": {"b": "2"}}
    assert world.refused("ListTagsForResource", ResourceARN=arn + "x")[0] == "ResourceNotFoundException"


def test_a_request_is_authorised_on_its_target() -> None:
    world = World()

    def evaluated(**parameters: Any) -> str:
        headers = {"x-amz-target": "AnyScaleFrontendService.RegisterScalableTarget"}
        return world.service.resource(Request("POST", "/", headers, json.dumps(parameters).encode()))

    assert evaluated(**NAMES) == "arn:aws:application-autoscaling:us-east-1:111122223333:scalable-target/*"
    arn = world.call("RegisterScalableTarget", **NAMES, **BOUNDS)["ScalableTargetARN"]
    assert evaluated(**NAMES) == arn


def test_results_come_in_pages() -> None:
    world = scaled()
    for least in (2, 3, 1):
        world.call("RegisterScalableTarget", **NAMES, MinCapacity=least, MaxCapacity=least)
        world.variants.finish()
        world.scaler.look()
    everything = world.activities()

    page = world.call("DescribeScalingActivities", ServiceNamespace=NAMESPACE, MaxResults=2)
    rest = world.call("DescribeScalingActivities", ServiceNamespace=NAMESPACE, NextToken=page["NextToken"])

    assert [*page["ScalingActivities"], *rest["ScalingActivities"]] == everything
    assert len(page["ScalingActivities"]) == 2
    assert "NextToken" not in rest
