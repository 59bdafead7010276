"""Application Auto Scaling as its clients and CloudFormation see it, and its scaler minute by minute."""

import json
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber

from rehearsal.cloud.api import Request
from rehearsal.cloud.autoscaling.cloudformation import types
from rehearsal.cloud.autoscaling.scaler import Scaler
from rehearsal.cloud.autoscaling.service import ApplicationAutoScaling
from rehearsal.cloud.autoscaling.variants import DIMENSION, NAMESPACE, Instances
from tests.cloud.fake_engine import FakeEngine
from tests.cloud.fake_variants import DOGS, FakeAlarms, FakeVariants, ManualClock

NAMES = {"ServiceNamespace": NAMESPACE, "ResourceId": DOGS.resource_id, "ScalableDimension": DIMENSION}
BOUNDS = {"MinCapacity": 1, "MaxCapacity": 3}
TRACKING = {
    "TargetValue": 25.0,
    "ScaleOutCooldown": 30,
    "ScaleInCooldown": 30,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
}
POLICY = {
    "PolicyName": "p",
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": TRACKING,
}


class World:
    """The service over a variant and a clock."""

    def __init__(self) -> None:
        self.variants, self.clock = FakeVariants(), ManualClock()
        self.alarms = FakeAlarms()
        self.scaler = Scaler(self.variants, self.clock, self.alarms)
        self.service = ApplicationAutoScaling(FakeEngine(), self.scaler)

    def call(self, operation: str, **parameters: Any) -> Any:
        """The response, which has to be as botocore's model of the operation describes it."""
        request = Request(
            "POST", "/", {"x-amz-target": f"AnyScaleFrontendService.{operation}"}, json.dumps(parameters).encode()
        )
        response = self.service.answer(request)
        body = json.loads(response.body)
        if response.status == 200:
            check_shape(operation, body)
        return body

    def refused(self, operation: str, **parameters: Any) -> tuple[str, str]:
        body = self.call(operation, **parameters)
        return body.get("__type", ""), body.get("message", "")

    def minutes(self, count: int, load: float) -> None:
        """So many minutes under a load, each with a look of the scaler."""
        self.variants.load = load
        for _ in range(count):
            self.variants.pass_minute()
            self.clock.time += 60
            self.scaler.look()

    @property
    def desired(self) -> int:
        return self.variants.known[DOGS].desired

    def activities(self, **parameters: Any) -> list[Any]:
        found: list[Any] = self.call("DescribeScalingActivities", ServiceNamespace=NAMESPACE, **parameters)[
            "ScalingActivities"
        ]
        return found


@cache
def sdk() -> Any:
    """botocore's client, which makes no call here."""
    return botocore.session.Session().create_client(
        "application-autoscaling", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


def check_shape(operation: str, body: dict[str, Any]) -> None:
    """Raise if botocore would not know a member of this response."""
    client = sdk()
    method = next(name for name, found in client.meta.method_to_api_mapping.items() if found == operation)
    Stubber(client).add_response(method, body)


def registered(**bounds: int) -> World:
    world = World()
    world.call("RegisterScalableTarget", **NAMES, **{**BOUNDS, **bounds})
    return world


def scaled() -> World:
    """A world with a target and a policy."""
    world = registered()
    world.call("PutScalingPolicy", **NAMES, **POLICY)
    return world


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


# -- the scaler


def test_a_load_takes_the_fleet_from_one_instance_to_three_and_back() -> None:
    world = scaled()

    world.minutes(2, load=60)
    assert world.desired == 1
    world.minutes(1, load=60)
    assert world.desired == 3
    world.variants.finish()
    world.minutes(30, load=60)  # 20 for each instance: the low alarm fires, and two instances would be too few
    assert world.desired == 3
    world.minutes(14, load=6)
    assert world.desired == 3
    world.minutes(1, load=6)
    assert world.desired == 1


def test_an_activity_says_what_was_done_and_why() -> None:
    world = scaled()
    world.minutes(3, load=60)

    (activity,) = world.activities()
    assert activity["StatusCode"] == "InProgress"
    assert activity["Description"] == "Setting desired instance count to 3."
    high = world.call("DescribeScalingPolicies", ServiceNamespace=NAMESPACE)["ScalingPolicies"][0]["Alarms"][0]
    assert activity["Cause"] == f"monitor alarm {high['AlarmName']} in state ALARM triggered policy p"
    world.variants.finish()
    world.scaler.look()
    (activity,) = world.activities()
    assert activity["StatusCode"] == "Successful"
    assert activity["StatusMessage"] == (
        "Successfully set desired instance count to 3. Change successfully fulfilled by sagemaker."
    )


def test_an_endpoint_that_is_not_in_service_is_not_scaled() -> None:
    world = scaled()
    world.variants.known[DOGS] = Instances(1, 1, False)

    world.minutes(5, load=60)

    assert world.desired == 1
    assert not world.activities()
    (activity,) = world.activities(IncludeNotScaledActivities=True)
    assert activity["NotScaledReasons"] == [{"Code": "TargetServicePutResourceAsUnscalable"}]
    world.variants.finish()
    world.minutes(1, load=60)
    assert world.desired == 3


def test_a_cooldown_begins_when_the_endpoint_is_in_service() -> None:
    world = registered(MaxCapacity=9)
    tracking = {**TRACKING, "ScaleOutCooldown": 100}
    world.call("PutScalingPolicy", **NAMES, **{**POLICY, "TargetTrackingScalingPolicyConfiguration": tracking})
    world.minutes(3, load=60)
    world.minutes(10, load=60)  # the new instances are being started
    world.variants.finish()

    world.minutes(2, load=60 * 3)  # 60 for each of three
    assert world.desired == 3
    world.minutes(1, load=60 * 3)
    assert world.desired == 8  # 3 x 60 / 25


def test_a_change_that_sagemaker_refuses_is_a_failed_activity_and_is_tried_again() -> None:
    world = scaled()
    world.variants.refusal = "The account's limit is 1 instance."
    world.minutes(3, load=60)

    (activity,) = world.activities()
    assert activity["StatusCode"] == "Failed"
    assert activity["StatusMessage"].endswith("Reason: The account's limit is 1 instance.")
    world.variants.refusal = ""
    world.minutes(1, load=60)
    assert world.desired == 3


def test_a_change_by_someone_else_overrides_the_activity() -> None:
    world = scaled()
    world.minutes(3, load=60)
    world.variants.set_instances(DOGS, 2)
    world.variants.finish()
    world.minutes(1, load=40)

    assert world.activities()[0]["StatusCode"] == "Overridden"


def test_the_variants_of_a_deleted_endpoint_are_deregistered() -> None:
    world = scaled()
    del world.variants.known[DOGS]

    world.scaler.look()

    assert not world.call("DescribeScalableTargets", ServiceNamespace=NAMESPACE)["ScalableTargets"]


def test_sagemaker_can_ask_which_variants_are_registered_and_deregister_them() -> None:
    world = scaled()

    assert list(world.scaler.registered("dogs")) == ["AllTraffic"]
    assert not list(world.scaler.registered("cats"))
    world.scaler.forget("dogs")
    assert not list(world.scaler.registered("dogs"))


def test_suspended_scaling_goes_on_when_it_is_resumed() -> None:
    world = scaled()
    world.call("RegisterScalableTarget", **NAMES, SuspendedState={"DynamicScalingOutSuspended": True})
    world.minutes(5, load=60)
    assert world.desired == 1

    world.call("RegisterScalableTarget", **NAMES, SuspendedState={"DynamicScalingOutSuspended": False})
    world.minutes(1, load=60)
    assert world.desired == 3


# -- CloudFormation

TARGET_PROPERTIES = {**NAMES, "MinCapacity": "1", "MaxCapacity": "3", "RoleARN": "arn:aws:iam::111122223333:role/x"}


def test_the_two_types_as_a_template_declares_them() -> None:
    world = World()
    target_type, policy_type = types(world.service).values()
    target = target_type.create("Target", TARGET_PROPERTIES, "Serving")
    as_text = {**TRACKING, "TargetValue": "25", "ScaleInCooldown": "60", "DisableScaleIn": "false"}
    properties = {
        "PolicyName": "p",
        "PolicyType": "TargetTrackingScaling",
        "ScalingTargetId": target.physical_id,
        "TargetTrackingScalingPolicyConfiguration": as_text,
    }
    policy = policy_type.create("Policy", properties, "Serving")

    assert target.physical_id == f"{DOGS.resource_id}|{DIMENSION}|sagemaker"
    assert policy.attributes["Arn"] == policy.physical_id
    (described,) = world.call("DescribeScalingPolicies", ServiceNamespace=NAMESPACE)["ScalingPolicies"]
    assert described["TargetTrackingScalingPolicyConfiguration"]["ScaleInCooldown"] == 60
    world.minutes(3, load=60)
    assert world.desired == 3

    changed = target_type.update(target.physical_id, TARGET_PROPERTIES, {**TARGET_PROPERTIES, "MaxCapacity": 5}, "S")
    same = policy_type.update(policy.physical_id, properties, properties, "Serving")
    assert (changed.physical_id, same.physical_id) == (target.physical_id, policy.physical_id)
    renamed = policy_type.update(policy.physical_id, properties, {**properties, "PolicyName": "q"}, "Serving")
    assert renamed.physical_id != policy.physical_id

    policy_type.delete(renamed.physical_id, properties)
    assert not world.call("DescribeScalingPolicies", ServiceNamespace=NAMESPACE)["ScalingPolicies"]
    target_type.delete(target.physical_id, TARGET_PROPERTIES)
    assert not world.call("DescribeScalableTargets", ServiceNamespace=NAMESPACE)["ScalableTargets"]


def test_what_went_with_its_endpoint_can_be_deleted() -> None:
    world = World()
    target_type, policy_type = types(world.service).values()
    target = target_type.create("Target", TARGET_PROPERTIES, "Serving")
    del world.variants.known[DOGS]
    world.scaler.look()

    policy_type.delete("arn:gone", {})
    target_type.delete(target.physical_id, TARGET_PROPERTIES)
