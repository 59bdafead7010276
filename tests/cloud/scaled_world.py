"""Application Auto Scaling with an endpoint of the tests, minute by minute."""

import json
from functools import cache
from typing import Any

import botocore.session
from botocore.stub import Stubber

from rehearsal.cloud.api import Request
from rehearsal.cloud.autoscaling.scaler import Scaler
from rehearsal.cloud.autoscaling.service import ApplicationAutoScaling
from rehearsal.cloud.autoscaling.variants import DIMENSION, NAMESPACE
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
