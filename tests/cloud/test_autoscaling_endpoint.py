"""Application Auto Scaling on SageMaker's own endpoints: real servers, real calls, a fast clock."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.autoscaling.scaling import Scaling
from rehearsal.cloud.autoscaling.variants import DIMENSION, NAMESPACE, Variant
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.every_minute import EveryMinute
from tests.cloud.hosted import Hosted, hosted
from tests.patience import wait_until

DOGS = Variant("dogs", "AllTraffic")
NAMES = {"ServiceNamespace": NAMESPACE, "ResourceId": DOGS.resource_id, "ScalableDimension": DIMENSION}
TRACKING = {
    "TargetValue": 5,
    "ScaleOutCooldown": 30,
    "ScaleInCooldown": 30,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
}
SPEED = 200
"""A minute takes 0.3 s."""


class Scaled:
    """An endpoint in service with a registered variant."""

    def __init__(self, cloud: Hosted) -> None:
        self.cloud = cloud
        scaling = Scaling(cloud.world, cloud.clock, cloud.service, cloud.serving)
        self.scaler, self.service = scaling.scaler, scaling.service
        cloud.model("first")
        cloud.model("second", says="second")
        cloud.deployed()
        self.service.register({**NAMES, "MinCapacity": 1, "MaxCapacity": 3})

    @property
    def instances(self) -> tuple[int, int]:
        """Desired, and in service."""
        (variant,) = self.cloud.call("DescribeEndpoint", EndpointName="dogs")["ProductionVariants"]
        return variant["DesiredInstanceCount"], variant["CurrentInstanceCount"]

    def call_until(self, reached: Callable[[], bool], *, calls_per_minute: int) -> list[int]:
        """Call the endpoint at this rate until `reached`, for an hour of the clock at most. Returns the statuses."""
        never, statuses = threading.Event(), []
        end = self.cloud.clock.now() + 3600
        while not reached():
            assert self.cloud.clock.now() < end, f"{self.instances} instances after an hour"
            statuses.append(self.cloud.invoke().status)
            self.cloud.clock.wait(60 / calls_per_minute, never)
        return statuses


@pytest.fixture
def scaled(tmp_path: Path) -> Iterator[Scaled]:
    with hosted(tmp_path, clock=Clock(SPEED)) as cloud:
        yield Scaled(cloud)


def test_real_calls_take_real_servers_from_one_to_three_and_back(scaled: Scaled) -> None:
    scaled.service.put_policy(
        {
            **NAMES,
            "PolicyName": "p",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": TRACKING,
        }
    )
    minutes = EveryMinute(scaled.cloud.clock, scaled.scaler.look)
    minutes.start()

    statuses = scaled.call_until(lambda: scaled.instances == (3, 3), calls_per_minute=60)
    assert len({scaled.cloud.invoke(b"pid").body for _ in range(60)}) == 3
    statuses += scaled.call_until(lambda: scaled.instances == (1, 1), calls_per_minute=1)
    minutes.end()

    assert set(statuses) == {200}
    activities: Any = scaled.service.describe_activities({"ServiceNamespace": NAMESPACE})["ScalingActivities"]
    shown = [(each["Description"], "AlarmHigh" in each["Cause"]) for each in reversed(activities)]
    assert shown[0][1]
    assert shown[-1] == ("Setting desired instance count to 1.", False)


def test_an_update_keeps_the_number_that_scaling_has_chosen(scaled: Scaled) -> None:
    scaled.service.register({**NAMES, "MinCapacity": 2, "MaxCapacity": 3})
    scaled.cloud.settled()
    assert scaled.instances == (2, 2)

    scaled.cloud.updated("second", RetainAllVariantProperties=True)

    assert scaled.cloud.invoke().body == b"second"
    assert scaled.instances == (2, 2)


def test_an_endpoint_that_is_deleted_is_deregistered(scaled: Scaled) -> None:
    scaled.cloud.call("DeleteEndpoint", EndpointName="dogs")
    assert wait_until(lambda: scaled.cloud.serving.endpoints.find("dogs") is None)

    assert not scaled.service.describe_targets({"ServiceNamespace": NAMESPACE})["ScalableTargets"]


def test_the_instance_type_of_a_registered_variant_cannot_be_changed(scaled: Scaled) -> None:
    variant = {"VariantName": "AllTraffic", "ModelName": "second", "InitialInstanceCount": 1}
    scaled.cloud.call(
        "CreateEndpointConfig",
        EndpointConfigName="larger",
        ProductionVariants=[{**variant, "InstanceType": "ml.m5.xlarge"}],
    )

    refusal = scaled.cloud.refusal("UpdateEndpoint", EndpointName="dogs", EndpointConfigName="larger")
    assert "Deregister it first" in refusal

    scaled.service.deregister(NAMES)
    assert scaled.cloud.updated("larger")["EndpointConfigName"] == "larger"
