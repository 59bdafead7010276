"""UpdateEndpoint and UpdateEndpointWeightsAndCapacities: real servers, while requests go on."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.alarms import Alarms, Sample
from rehearsal.cloud.api import Json
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.every_minute import EveryMinute
from tests.cloud.hosted import ROLE, Hosted, World, hosted
from tests.patience import wait_until

BAKE_S = 300
ALARMS = {"Alarms": [{"AlarmName": "errors"}]}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Hosted]:
    with hosted(tmp_path, clock=Clock(speed=1000)) as found:
        yield found


def policy(bake_s: int = BAKE_S, kind: str = "ALL_AT_ONCE", **routing: Any) -> Json:
    traffic = {"Type": kind, "WaitIntervalInSeconds": bake_s, **routing}
    return {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": traffic},
        "AutoRollbackConfiguration": ALARMS,
    }


@contextmanager
def constant_load(cloud: Hosted) -> Iterator[list[tuple[int, bytes]]]:
    """Requests one after another during the block: status and body of each response."""
    seen: list[tuple[int, bytes]] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            response = cloud.invoke()
            seen.append((response.status, response.body))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def instances(endpoint: Json) -> tuple[int, int]:
    """Current and desired."""
    (variant,) = endpoint["ProductionVariants"]
    return variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]


def test_an_update_loses_no_request(cloud: Hosted) -> None:
    cloud.world.alarms["errors"] = "OK"
    cloud.model("first", says="old")
    cloud.model("second", says="new", instances=2)
    cloud.deployed()

    with constant_load(cloud) as seen:
        endpoint = cloud.updated("second", DeploymentConfig=policy())
        after = len(seen)
        assert wait_until(lambda: len(seen) > after + 5)
    assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", "second")
    assert "FailureReason" not in endpoint
    assert instances(endpoint) == (2, 2)
    bodies = [body for _, body in seen]
    assert {status for status, _ in seen} == {200}
    assert bodies == sorted(bodies, key=lambda body: body == b"new")  # once the new one answers, the old one does not
    assert {*bodies} == {b"old", b"new"}


def test_an_alarm_during_the_bake_brings_the_old_fleet_back(cloud: Hosted) -> None:
    cloud.world.alarms["errors"] = "OK"
    cloud.model("first", says="old")
    cloud.model("second", says="new")
    cloud.deployed()
    cloud.call("UpdateEndpoint", EndpointName="dogs", EndpointConfigName="second", DeploymentConfig=policy(3600))
    assert wait_until(lambda: cloud.invoke().body == b"new")
    updating = cloud.call("DescribeEndpoint", EndpointName="dogs")
    cloud.world.alarms["errors"] = "ALARM"
    endpoint = cloud.settled()

    assert (updating["EndpointStatus"], updating["EndpointConfigName"]) == ("Updating", "first")
    assert updating["PendingDeploymentSummary"]["EndpointConfigName"] == "second"
    assert updating["PendingDeploymentSummary"]["ProductionVariants"][0]["VariantStatus"][0]["Status"] == "Baking"
    assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", "first")
    assert "errors" in endpoint["FailureReason"]
    assert endpoint["LastDeploymentConfig"] == policy(3600)
    assert "PendingDeploymentSummary" not in endpoint
    assert cloud.invoke().body == b"old"
    assert (ROLE, "cloudwatch:DescribeAlarms") in cloud.world.calls

    cloud.world.alarms["errors"] = "OK"
    assert "FailureReason" not in cloud.updated("second")


def statuses(cloud: Hosted, kind: str = "SageMaker Endpoint State Change") -> list[str]:
    """The endpoint's status in each event of this kind."""
    return [detail["EndpointStatus"] for _, found, detail, _ in list(cloud.world.events) if found == kind]


def test_each_change_of_status_is_an_event(cloud: Hosted) -> None:
    cloud.world.alarms["errors"] = "OK"
    cloud.model("first")
    cloud.model("second", exit=1)
    cloud.deployed()
    cloud.updated("first", DeploymentConfig=policy(0))
    cloud.updated("second")

    arn = cloud.serving.endpoints.get("dogs").arn
    assert wait_until(lambda: len(statuses(cloud)) == 7)  # the last one follows the change
    assert {(source, *about) for source, _, _, about in cloud.world.events} == {("aws.sagemaker", arn)}
    assert statuses(cloud) == [
        *("CREATING", "IN_SERVICE"),
        *("UPDATING", "IN_SERVICE"),
        *("UPDATING", "ROLLING_BACK", "IN_SERVICE"),
    ]
    assert statuses(cloud, "SageMaker Endpoint Deployment State Change") == ["UPDATING"]
    assert isinstance(cloud.world.events[0][2]["CreationTime"], int)


def test_a_failure_of_the_local_aws_itself_leaves_no_endpoint_in_transition(
    cloud: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    cloud.model("first", says="old")
    cloud.model("second")
    cloud.deployed()
    monkeypatch.setattr("rehearsal.cloud.sagemaker.containers.artifact.fetch", fails)

    assert "no space left on device" in cloud.updated("second")["FailureReason"]
    assert cloud.invoke().body == b"old"
    failed = cloud.deployed("cats", config="second")
    assert (failed["EndpointStatus"], "no space left" in failed["FailureReason"]) == ("Failed", True)


class Metrics:
    """The metrics that were published, as CloudWatch has them, and one alarm on server errors."""

    def __init__(self, world: World) -> None:
        self._world = world
        world.alarms["errors"] = "INSUFFICIENT_DATA"

    def metric_alarms(self) -> list[Json]:
        return [
            {
                "AlarmName": "errors",
                "StateValue": self._world.alarms["errors"],
                "Namespace": "AWS/SageMaker",
                "MetricName": "Invocation5XXErrors",
                "Dimensions": [
                    {"Name": "EndpointName", "Value": "dogs"},
                    {"Name": "VariantName", "Value": "AllTraffic"},
                ],
                "Statistic": "Sum",
                "EvaluationPeriods": 1,
                "Threshold": 0.0,
                "ComparisonOperator": "GreaterThanThreshold",
                "TreatMissingData": "notBreaching",
            }
        ]

    def samples(self, namespace: str, metric: str, dimensions: Sequence[Json], since: float) -> list[Sample]:
        return [
            Sample(datum["Timestamp"].timestamp(), count, value * count, value, value)
            for published, data in self._world.metrics
            for datum in data
            if (published, datum["MetricName"], datum["Dimensions"]) == (namespace, metric, dimensions)
            if datum["Timestamp"].timestamp() >= since
            for value, count in zip(datum["Values"], datum["Counts"], strict=True)
        ]

    def set_alarm_state(self, name: str, state: str, _: str) -> None:
        self._world.alarms[name] = state


def test_a_model_that_answers_5xx_is_rolled_back_by_the_metrics_of_its_own_fleet(tmp_path: Path) -> None:
    with hosted(tmp_path, clock=Clock(speed=120)) as cloud:
        cloud.model("first", says="old")
        cloud.model("second", status=500, says="bad")
        cloud.deployed()
        minutes = EveryMinute(
            cloud.clock, cloud.serving.publish_metrics, Alarms(Metrics(cloud.world), cloud.clock).evaluate
        )
        minutes.start()
        with constant_load(cloud) as seen:
            endpoint = cloud.updated("second", DeploymentConfig=policy(3600))
        minutes.end()

        assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", "first")
        assert "errors" in endpoint["FailureReason"]
        assert {status for status, _ in seen} == {200, 424}
        assert cloud.invoke().body == b"old"


@pytest.mark.parametrize(
    ("alarm", "denied", "sentence"),
    [
        ("", "", "do not exist: errors"),
        ("OK", "cloudwatch:DescribeAlarms", "could not be read"),
        ("ALARM", "", "errors"),
    ],
    ids=["no-alarm", "no-right", "already-in-alarm"],
)
def test_alarms_that_cannot_protect_an_update_end_it(cloud: Hosted, alarm: str, denied: str, sentence: str) -> None:
    if alarm:
        cloud.world.alarms["errors"] = alarm
    cloud.world.denied.add(denied)
    cloud.model("first", says="old")
    cloud.model("second")
    cloud.deployed()
    endpoint = cloud.updated("second", DeploymentConfig=policy())

    assert sentence in endpoint["FailureReason"]
    assert endpoint["EndpointConfigName"] == "first"
    assert cloud.invoke().body == b"old"


def test_a_new_fleet_that_is_not_healthy_leaves_the_old_one(cloud: Hosted) -> None:
    cloud.model("first", says="old")
    cloud.model("second", exit=1)
    cloud.deployed()

    with constant_load(cloud) as seen:
        endpoint = cloud.updated("second")
    assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", "first")
    assert "did not pass the ping health check" in endpoint["FailureReason"]
    assert set(seen) == {(200, b"old")}


def test_a_canary_gets_its_part_of_the_traffic(cloud: Hosted) -> None:
    cloud.world.alarms["errors"] = "OK"
    cloud.model("first", says="old")
    cloud.model("second", says="new", instances=2)
    cloud.deployed()
    canary = policy(1200, "CANARY", CanarySize={"Type": "CAPACITY_PERCENT", "Value": 50})
    found = cloud.call("UpdateEndpoint", EndpointName="dogs", EndpointConfigName="second", DeploymentConfig=canary)
    assert "EndpointArn" in found
    assert wait_until(lambda: cloud.invoke().body == b"new")

    assert wait_until(lambda: cloud.invoke().body == b"old")  # the step lasts 1.2 s
    assert cloud.settled()["EndpointConfigName"] == "second"
    assert {cloud.invoke().body for _ in range(10)} == {b"new"}


def test_an_endpoint_in_an_update_is_neither_updated_nor_deleted(cloud: Hosted) -> None:
    cloud.world.alarms["errors"] = "OK"
    cloud.model("first")
    cloud.deployed()
    arn = cloud.serving.endpoints.get("dogs").arn
    again = {"EndpointName": "dogs", "EndpointConfigName": "first", "DeploymentConfig": policy(600)}
    cloud.call("UpdateEndpoint", **again)

    in_progress = f'Cannot update in-progress endpoint "{arn}".'
    assert cloud.refusal("UpdateEndpoint", **again) == in_progress
    assert cloud.refusal("DeleteEndpoint", EndpointName="dogs") == in_progress
    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}]
    scaled = cloud.refusal(
        "UpdateEndpointWeightsAndCapacities", EndpointName="dogs", DesiredWeightsAndCapacities=wanted
    )
    assert scaled == in_progress


def resized(cloud: Hosted, count: int, **more: Any) -> Json:
    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": count, **more}]
    found = cloud.call("UpdateEndpointWeightsAndCapacities", EndpointName="dogs", DesiredWeightsAndCapacities=wanted)
    assert "EndpointArn" in found, found
    return cloud.settled()


def test_instances_are_added_and_removed_without_a_lost_request(cloud: Hosted) -> None:
    cloud.model("first", sleep_s=0.01)
    cloud.deployed()
    usage = cloud.serving.usages.of("dogs", "AllTraffic")

    with constant_load(cloud) as seen:
        assert instances(resized(cloud, 3)) == (3, 3)
        assert usage.instances == 3
        assert wait_until(lambda: len({cloud.invoke(b"pid").body for _ in range(30)}) == 3)
        assert instances(resized(cloud, 1)) == (1, 1)
        assert len({cloud.invoke(b"pid").body for _ in range(10)}) == 1
    assert {status for status, _ in seen} == {200}
    assert usage.instances == 1


def test_an_instance_ends_after_the_requests_that_it_is_answering(cloud: Hosted, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    cloud.model("first", instances=2, gate=str(gate), sleep_s=0.2)
    cloud.deployed()
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(cloud.invoke().status)) for _ in range(24)]
    for thread in threads:
        thread.start()
    assert wait_until(lambda: len(list(gate.iterdir())) == len(threads))
    assert len({file.name.partition("-")[0] for file in gate.iterdir()}) == 2  # on both instances

    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 1}]
    cloud.call("UpdateEndpointWeightsAndCapacities", EndpointName="dogs", DesiredWeightsAndCapacities=wanted)
    assert wait_until(lambda: instances(cloud.call("DescribeEndpoint", EndpointName="dogs")) == (1, 1))
    (gate / "open").touch()
    for thread in threads:
        thread.join()
    assert statuses == [200] * len(threads)
    assert instances(cloud.settled()) == (1, 1)


def test_instances_that_do_not_start_are_taken_back(cloud: Hosted) -> None:
    cloud.model("first", says="old")
    cloud.deployed()
    for file in cloud.world.folder.rglob("behaviour.json"):
        file.write_text('{"exit": 1}')
    endpoint = resized(cloud, 2)

    assert (endpoint["EndpointStatus"], instances(endpoint)) == ("InService", (1, 1))
    assert "did not pass the ping health check" in endpoint["FailureReason"]
    assert cloud.invoke().body == b"old"


@pytest.mark.parametrize(
    ("kept", "excluded", "count"),
    [(True, [], 2), (True, ["DataCaptureConfig"], 2), (True, ["DesiredInstanceCount"], 1), (False, [], 1)],
    ids=["kept", "capture-excluded", "count-excluded", "not-kept"],
)
def test_an_update_keeps_the_instance_count_if_it_is_asked_to(
    cloud: Hosted, kept: bool, excluded: list[str], count: int
) -> None:
    cloud.model("first")
    cloud.model("second")
    cloud.deployed()
    resized(cloud, 2)
    endpoint = cloud.updated(
        "second",
        RetainAllVariantProperties=kept,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": each} for each in excluded],
    )

    assert instances(endpoint) == (count, count)


def test_a_variant_that_an_update_removes_has_no_more_metrics(cloud: Hosted) -> None:
    cloud.model("first")
    cloud.deployed()
    variant = {"VariantName": "Other", "ModelName": "first", "InitialInstanceCount": 1}
    cloud.call("CreateEndpointConfig", EndpointConfigName="second", ProductionVariants=[variant])
    cloud.updated("second")

    assert list(cloud.serving.usages.all()) == [("dogs", "Other")]


def test_a_deployment_config_can_be_used_again(cloud: Hosted) -> None:
    cloud.world.alarms["errors"] = "OK"
    cloud.model("first")
    cloud.deployed()
    cloud.updated("first", DeploymentConfig=policy(0))

    assert cloud.updated("first", RetainDeploymentConfig=True)["LastDeploymentConfig"] == policy(0)
    assert "LastDeploymentConfig" not in cloud.updated("first")


def test_a_server_that_ends_is_started_again(cloud: Hosted) -> None:
    cloud.model("first")
    cloud.deployed()
    before = cloud.invoke(b"pid").body
    assert cloud.invoke(b"end").status == 503

    assert wait_until(lambda: cloud.invoke(b"pid").status == 200)
    assert cloud.invoke(b"pid").body != before
