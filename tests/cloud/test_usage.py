"""The counts per minute from which metrics and autoscaling come."""

from rehearsal.cloud.sagemaker.usage import KEPT_MINUTES, Usages
from tests.cloud.time_by_hand import HandClock


def test_only_complete_minutes_are_shown_oldest_first() -> None:
    clock = HandClock()
    usage = Usages(clock).of("dogs", "AllTraffic")
    usage.instances = 2
    for _ in range(3):
        usage.record(200, model_s=0.01, overhead_s=0.001)
    clock.seconds = 61
    usage.record(500, model_s=0.02, overhead_s=0.001)
    assert [minute.invocations for minute in usage.minutes(5)] == [3]

    clock.seconds = 180
    first, second, third = usage.minutes(3)
    # exact: three halves have all their bits
    assert (first.invocations, first.invocations_per_instance, first.errors_5xx) == (3, 1.5, 0)
    assert (second.invocations, second.errors_5xx, second.model_errors) == (1, 1, 1)
    assert second.model_latency_us == [20_000]
    assert (third.invocations, third.instances) == (0, 2)


def test_a_client_error_and_a_time_out_are_model_errors_but_no_server_errors() -> None:
    clock = HandClock()
    usage = Usages(clock).of("dogs", "AllTraffic")
    usage.record(415, model_s=0, overhead_s=0)
    usage.record(0, model_s=60, overhead_s=0)
    clock.seconds = 60

    (minute,) = usage.minutes(1)
    assert (minute.errors_4xx, minute.errors_5xx, minute.model_errors) == (1, 0, 2)


def test_a_young_variant_has_no_minutes_before_its_first() -> None:
    clock = HandClock()
    clock.seconds = 600
    usage = Usages(clock).of("dogs", "AllTraffic")
    clock.seconds = 660

    assert [minute.number for minute in usage.minutes(15)] == [10]


def test_old_minutes_are_forgotten() -> None:
    clock = HandClock()
    usage = Usages(clock).of("dogs", "AllTraffic")
    for minute in range(2 * KEPT_MINUTES):
        clock.seconds = 60.0 * minute
        usage.record(200, model_s=0, overhead_s=0)
    clock.seconds += 60

    assert [minute.invocations for minute in usage.minutes(1000)] == [1] * KEPT_MINUTES


def test_the_counts_outlive_a_fleet_and_end_with_the_endpoint() -> None:
    usages = Usages(HandClock())
    assert usages.of("Dogs", "AllTraffic") is usages.of("dogs", "AllTraffic")

    usages.forget("DOGS")
    assert usages.all() == {}
