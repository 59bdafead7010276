"""The scaler of Application Auto Scaling minute by minute, and its two types of CloudFormation."""

from rehearsal.cloud.autoscaling.cloudformation import types
from rehearsal.cloud.autoscaling.variants import DIMENSION, NAMESPACE, Instances
from tests.cloud.fake_variants import DOGS
from tests.cloud.scaled_world import NAMES, POLICY, TRACKING, World, registered, scaled


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
