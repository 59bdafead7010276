"""A load on the deployed endpoint that rises and falls, so that autoscaling adds instances and removes them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ops.rehearse.errors import RehearsalError
from ops.views.load_plot import FleetLook, LoadMinute, LoadRun
from ops.views.steps import Report
from rehearsal.cloud.clock import Clock

MINUTE_S = 60
LOOKS = 6
"""How often in a minute the instances are counted."""
QUIET_MINUTES = 2
BUSY_MINUTES = 4
"""Minutes of the high load after the last instance is in service."""
MOST_MINUTES_OUT, MOST_MINUTES_IN = 20, 30
"""An endpoint that has not scaled by then does not. The alarms need 3 and 15 minutes."""
THREADS = 24
NEARLY = 0.4
"""How much less than a whole instance's calls the fleet has to spare under the high load."""

Call = Callable[[], bool]
"""Makes one call. Returns whether it was answered well."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The instances of the endpoint now."""

    desired: int
    in_service: int


def fleet_of(sagemaker: Any, endpoint: str) -> Fleet:
    """The instances of an endpoint's one variant. sagemaker: a boto3 client."""
    (variant,) = sagemaker.describe_endpoint(EndpointName=endpoint)["ProductionVariants"]
    return Fleet(variant["DesiredInstanceCount"], variant["CurrentInstanceCount"])


def low_rate(target: float) -> int:
    """Calls in a minute that one instance answers with room to spare."""
    return max(1, round((1 - NEARLY) * target))


def high_rate(target: float, instances: int) -> int:
    """Calls in a minute that need so many instances, and not one more."""
    return round((instances - NEARLY) * target)


class Load:
    """Calls at a constant rate, minute by minute, and what became of them. fleet: returns the instances now."""

    def __init__(self, call: Call, fleet: Callable[[], Fleet], *, target: float, clock: Clock, report: Report) -> None:
        self._call, self._fleet = call, fleet
        self._target, self._clock, self._report = target, clock, report
        self._minutes: list[LoadMinute] = []
        self._looks: list[FleetLook] = []
        self._counts = [0, 0]
        self._lock = threading.Lock()
        self._never = threading.Event()
        self._start = clock.now()
        self._expected = 0

    def run(self, *, least: int, most: int) -> LoadRun:
        """Take the fleet from `least` instances to `most` and back. Raises RehearsalError if it does not follow."""
        low, high = low_rate(self._target), high_rate(self._target, most)
        self._expected = QUIET_MINUTES + 4 + BUSY_MINUTES + 17
        self._start = self._clock.now()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="load")
        try:
            for _ in range(QUIET_MINUTES):
                self._minute(low)
            self._until(most, high, MOST_MINUTES_OUT)
            for _ in range(BUSY_MINUTES):
                self._minute(high)
            self._until(least, low, MOST_MINUTES_IN)
        except BaseException:
            self._threads.shutdown(cancel_futures=True)
            raise
        self._threads.shutdown()
        self._count_the_last_calls()
        minute_s = MINUTE_S / self._clock.speed
        return LoadRun(
            minutes=self._minutes,
            looks=self._looks,
            target=self._target,
            kind="real",
            axis=f"Minutes of the rehearsal's clock (each took {minute_s:.3g} s)",
        )

    def _until(self, count: int, rate: int, limit: int) -> None:
        for _ in range(limit):
            self._minute(rate)
            if self._looks[-1].in_service == count:
                return
        recent = ", ".join(str(each.answered) for each in self._minutes[-5:])
        raise RehearsalError(
            f"After {limit} minutes of {rate} calls each, {self._looks[-1].in_service} instances are in service "
            f"instead of {count}. The last minutes had {recent} answered calls. If this machine cannot answer "
            "more, lower the target: -c serving.scaling.target_invocations_per_min=5."
        )

    def _minute(self, rate: int) -> None:
        """One minute of the clock with `rate` calls at equal distances."""
        begin = self._start + MINUTE_S * len(self._minutes)
        looks = [(begin + MINUTE_S * number / LOOKS, self._look) for number in range(LOOKS)]
        calls = [(begin + MINUTE_S * (number + 0.5) / rate, self._submit) for number in range(rate)]
        for moment, act in sorted(looks + calls, key=lambda each: each[0]):
            self._wait_until(moment)
            act()
        self._wait_until(begin + MINUTE_S)
        with self._lock:
            answered, failed = self._counts
            self._counts = [0, 0]
        self._minutes.append(LoadMinute(answered, failed))
        last = self._looks[-1]
        done = len(self._minutes)
        instances = "1 instance" if last.in_service == 1 else f"{last.in_service} instances"
        note = f"minute {done}: {answered} calls answered, {failed} failed; {instances} in service"
        if last.desired != last.in_service:
            note += f", {last.desired} desired"
        self._report(done, max(self._expected, done + 1), note)

    def _count_the_last_calls(self) -> None:
        """Those that ended after the last minute belong to it."""
        answered, failed = self._counts
        last = self._minutes.pop()
        self._minutes.append(LoadMinute(last.answered + answered, last.failed + failed))

    def _wait_until(self, moment: float) -> None:
        self._clock.wait(max(0.0, moment - self._clock.now()), self._never)

    def _look(self) -> None:
        fleet = self._fleet()
        minute = (self._clock.now() - self._start) / MINUTE_S
        self._looks.append(FleetLook(minute, fleet.desired, fleet.in_service))

    def _submit(self) -> None:
        self._threads.submit(self._count)

    def _count(self) -> None:
        try:
            answered = self._call()
        except Exception:  # any of it is a call that failed for the caller
            answered = False
        with self._lock:
            self._counts[0 if answered else 1] += 1
