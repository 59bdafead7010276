"""What each variant of an endpoint was asked, minute by minute of the clock, in memory.

Target tracking reads the last complete minutes, and the metrics come from the same counts:

    usage = usages.of("my-endpoint", "AllTraffic")
    for minute in usage.minutes(3):                  # the last three complete minutes, oldest first
        minute.invocations_per_instance              # SageMakerVariantInvocationsPerInstance
"""

import threading
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from rehearsal.cloud.clock import Clock

MINUTE_S = 60
KEPT_MINUTES = 60


@dataclass(slots=True)
class Minute:
    """One minute. number: minutes of the clock since its start. Latencies are in microseconds, one per invocation."""

    number: int
    instances: int
    """In service when the minute began, or when its first invocation ended."""
    invocations: int = 0
    errors_4xx: int = 0
    errors_5xx: int = 0
    model_errors: int = 0
    """Responses other than 2xx, time-outs and failed connections."""
    model_latency_us: list[float] = field(default_factory=list)
    overhead_latency_us: list[float] = field(default_factory=list)

    @property
    def invocations_per_instance(self) -> float:
        """As CloudWatch shows it: the sum over the minute."""
        return self.invocations / max(self.instances, 1)


class Usage:
    """The counts of one variant. Threads may share it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._first = int(clock.now() // MINUTE_S)
        self._minutes: deque[Minute] = deque(maxlen=KEPT_MINUTES)
        self.instances = 0
        """In service now. The fleet sets it."""

    def record(self, status: int, *, model_s: float, overhead_s: float) -> None:
        """Count one invocation. status: the container's, 0 if it gave none in time."""
        with self._lock:
            minute = self._minute(int(self._clock.now() // MINUTE_S))
            minute.invocations += 1
            minute.errors_4xx += 400 <= status < 500
            minute.errors_5xx += status >= 500
            minute.model_errors += not 200 <= status < 300
            minute.model_latency_us.append(model_s * 1e6)
            minute.overhead_latency_us.append(overhead_s * 1e6)

    def minutes(self, n: int) -> list[Minute]:
        """The last `n` complete minutes, oldest first: fewer if the variant is younger, at most `KEPT_MINUTES`."""
        now = int(self._clock.now() // MINUTE_S)
        with self._lock:
            known = {minute.number: minute for minute in self._minutes}
            first = max(self._first, now - min(n, KEPT_MINUTES))
            return [known.get(number) or Minute(number, self.instances) for number in range(first, now)]

    def _minute(self, number: int) -> Minute:
        if not self._minutes or self._minutes[-1].number != number:
            self._minutes.append(Minute(number, self.instances))
        return self._minutes[-1]


class Usages:
    """The counts of all variants. They stay when a fleet is replaced, and end with the endpoint."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._usages: dict[tuple[str, str], Usage] = {}

    def of(self, endpoint: str, variant: str) -> Usage:
        """The counts of a variant. An endpoint's name is not case-sensitive."""
        with self._lock:
            return self._usages.setdefault((endpoint.lower(), variant), Usage(self._clock))

    def all(self) -> dict[tuple[str, str], Usage]:
        """Every variant's counts, by (endpoint in lower case, variant)."""
        with self._lock:
            return dict(self._usages)

    def keep(self, endpoint: str, variants: Collection[str]) -> None:
        """The endpoint has no other variants any more."""
        name = endpoint.lower()
        with self._lock:
            self._usages = {key: usage for key, usage in self._usages.items() if key[0] != name or key[1] in variants}

    def forget(self, endpoint: str) -> None:
        """The endpoint no longer exists."""
        with self._lock:
            self._usages = {key: usage for key, usage in self._usages.items() if key[0] != endpoint.lower()}
