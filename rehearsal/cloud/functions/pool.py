"""The execution environments of one version of a function: those that are provisioned, and those of cold starts."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from contract.text import printable
from rehearsal.cloud.functions.deployed import DeployedFunction
from rehearsal.cloud.functions.environment import FunctionEnvironment

Make = Callable[[DeployedFunction, bool], FunctionEnvironment]
"""An environment that is not initialised yet. The second argument: whether it is provisioned."""


class Pool:
    """function: the version. make: see `Make`. now: seconds of the clock on which idle environments end."""

    def __init__(self, function: DeployedFunction, make: Make, now: Callable[[], float]) -> None:
        self.function = function
        self.busy: set[FunctionEnvironment] = set()
        self.provisioned = 0
        """How many environments are kept warm."""
        self._make, self._now = make, now
        self._idle: list[FunctionEnvironment] = []
        self._ended = False
        self._lock = threading.Lock()
        self._warming = threading.Lock()

    def take(self) -> FunctionEnvironment | None:
        """An idle environment for one call, the provisioned ones first; None if there is none."""
        while True:
            with self._lock:
                found = max(self._idle, key=lambda each: (each.provisioned, each.idle_since), default=None)
                if found:
                    self._idle.remove(found)
                    self.busy.add(found)
            if found is None or found.is_ready():
                return found
            self.release(found)

    def start(self) -> FunctionEnvironment:
        """A new environment for one call. Raises FunctionError if it cannot start."""
        made = self._make(self.function, False)
        made.initialise()
        with self._lock:
            self.busy.add(made)
        return made

    def release(self, environment: FunctionEnvironment) -> None:
        """Give an environment back after its call."""
        with self._lock:
            self.busy.discard(environment)
            surplus = environment.provisioned and self._count() >= self.provisioned
            kept = environment.usable and not self._ended and not surplus
            if kept:
                environment.idle_since = self._now()
                self._idle.append(environment)
            missing = self._missing()
        if not kept:
            in_background(environment.end)
        if missing:
            in_background(self._refill)

    def warm(self, count: int) -> None:
        """Keep at least so many environments, and wait for them. Raises FunctionError if one cannot start."""
        with self._lock:
            self.provisioned = max(self.provisioned, count)
        self._start_missing()

    def keep(self, count: int) -> None:
        """Keep no more than so many provisioned environments. A busy one ends after its call."""
        with self._lock:
            self.provisioned = count
            surplus = [each for each in self._idle if each.provisioned][: max(0, self._count() - count)]
            self._idle = [each for each in self._idle if each not in surplus]
        for each in surplus:
            in_background(each.end)

    def end_idle(self, before: float) -> None:
        """End the environments of cold starts that have been idle since then."""
        with self._lock:
            old = [each for each in self._idle if not each.provisioned and each.idle_since < before]
            self._idle = [each for each in self._idle if each not in old]
        for each in old:
            each.end()

    def end(self) -> None:
        """End the idle environments now and each busy one after its call. No call comes any more."""
        with self._lock:
            self._ended, self.provisioned = True, 0
            idle, self._idle = self._idle, []
        for each in idle:
            in_background(each.end)  # the engine's event loop calls this

    def ready(self) -> int:
        """How many provisioned environments there are."""
        with self._lock:
            return self._count()

    def busy_provisioned(self) -> int:
        """How many provisioned environments serve a call."""
        with self._lock:
            return sum(each.provisioned for each in self.busy)

    def _count(self) -> int:
        return sum(each.provisioned and each.usable for each in [*self._idle, *self.busy])

    def _missing(self) -> int:
        return 0 if self._ended else max(0, self.provisioned - self._count())

    def _start_missing(self) -> None:
        with self._warming:
            with self._lock:
                missing = self._missing()
            made = [self._make(self.function, True) for _ in range(missing)]
            with ThreadPoolExecutor(max(1, missing)) as threads:
                starts = [threads.submit(each.initialise) for each in made]
            failures = [error for start in starts if (error := start.exception())]
            with self._lock:
                started = [each for each, start in zip(made, starts, strict=True) if not start.exception()]
                for each in started:
                    each.idle_since = self._now()
                unused = started if self._ended else []
                self._idle += [] if self._ended else started
        for each in unused:
            each.end()
        if failures:
            raise failures[0]

    def _refill(self) -> None:
        try:
            self._start_missing()
        except Exception as error:
            print(f"A warm process of {self.function.name} did not start: {printable(error)}", flush=True)


def in_background(work: Callable[[], None]) -> None:
    """Run it in a thread."""
    threading.Thread(target=work, daemon=True).start()
