"""The metrics that an endpoint emits."""

from collections.abc import Mapping
from datetime import UTC, datetime

from rehearsal.cloud.api import Json
from rehearsal.cloud.sagemaker.metrics import MOST_DATA, MOST_VALUES, Metrics
from rehearsal.cloud.sagemaker.usage import Usages
from tests.cloud.fake_engine import FakeEngine
from tests.cloud.time_by_hand import HandClock


def published(usages: Usages, clock: HandClock) -> list[Json]:
    engine = FakeEngine()
    Metrics(engine, usages, clock).publish({"dogs": "Dogs"})
    assert {namespace for namespace, _ in engine.metrics} <= {"AWS/SageMaker"}
    assert all(len(data) <= MOST_DATA for _, data in engine.metrics)
    return [datum for _, data in engine.metrics for datum in data]


def values(datum: Mapping[str, list[float]]) -> dict[float, float]:
    return dict(zip(datum["Values"], datum["Counts"], strict=True))


def test_each_minute_is_published_once_with_the_time_of_its_middle() -> None:
    clock, engine = HandClock(), FakeEngine()
    usages = Usages(clock)
    metrics = Metrics(engine, usages, clock)
    usages.of("dogs", "AllTraffic").record(200, model_s=0.02, overhead_s=0.001)
    metrics.publish({})
    # exact: counts, and a quarter, which has all its bits
    assert engine.metrics == []

    clock.seconds = 61
    metrics.publish({"dogs": "Dogs"})
    metrics.publish({"dogs": "Dogs"})
    ((_, data),) = engine.metrics
    assert {datum["Timestamp"] for datum in data} == {datetime.fromtimestamp(30, UTC)}
    assert data[0]["Dimensions"] == [
        {"Name": "EndpointName", "Value": "Dogs"},
        {"Name": "VariantName", "Value": "AllTraffic"},
    ]


def test_errors_are_rates_and_sums_at_once() -> None:
    clock = HandClock()
    usages = Usages(clock)
    usage = usages.of("dogs", "AllTraffic")
    usage.instances = 4
    for status in (200, 200, 415, 500, 503, 0):
        usage.record(status, model_s=0.02, overhead_s=0.001)
    clock.seconds = 61

    found = {datum["MetricName"]: values(datum) for datum in published(usages, clock)}
    assert found["Invocations"] == {1: 6}
    # exact: counts, and a quarter, which has all its bits
    assert found["InvocationsPerInstance"] == {0.25: 6}
    assert found["Invocation4XXErrors"] == {1: 1, 0: 5}
    assert found["Invocation5XXErrors"] == {1: 2, 0: 4}
    assert found["InvocationModelErrors"] == {1: 4, 0: 2}
    assert found["ModelLatency"] == {20_000: 6}
    assert found["OverheadLatency"] == {1_000: 6}


def test_a_minute_without_an_invocation_has_zeros() -> None:
    clock = HandClock()
    usages = Usages(clock)
    usages.of("dogs", "AllTraffic")
    clock.seconds = 61

    found = {datum["MetricName"]: datum["Value"] for datum in published(usages, clock)}
    assert found == {"Invocations": 0, "InvocationsPerInstance": 0}


def test_many_latencies_are_published_in_parts() -> None:
    clock = HandClock()
    usages = Usages(clock)
    for microseconds in range(400):
        usages.of("dogs", "AllTraffic").record(200, model_s=microseconds / 1e6, overhead_s=0)
    clock.seconds = 61

    latencies = [datum for datum in published(usages, clock) if datum["MetricName"] == "ModelLatency"]
    assert [len(datum["Values"]) for datum in latencies] == [MOST_VALUES, MOST_VALUES, 100]
