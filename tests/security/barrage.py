"""Send thousands of hostile bodies to a real server, and count its responses."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.patience import PATIENCE_S
from tests.security.forge import ANY_PHOTO


@dataclass
class Outcome:
    """The result of a barrage. Times are measured by the caller, in seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    slowest: str = ""
    unanswered: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    """Refusals that are not one sentence in JSON, or that reveal something about the machine."""

    @property
    def sent(self) -> int:
        return self.statuses.total() + len(self.unanswered)

    @property
    def faults(self) -> int:
        return sum(count for status, count in self.statuses.items() if status >= 500)


@dataclass(frozen=True)
class Body:
    name: str
    content: bytes
    content_type: str = ANY_PHOTO


class Caller:
    """One kept-alive connection, opened again after the server has closed it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)

    def send(self, body: Body) -> tuple[int, bytes]:
        """Status and body of the response."""
        try:
            return self._send(body)
        except (http.client.HTTPException, ConnectionError):
            self._connection.close()
            return self._send(body)

    def _send(self, body: Body) -> tuple[int, bytes]:
        self._connection.request("POST", "/invocations", body.content, {"Content-Type": body.content_type})
        response = self._connection.getresponse()
        return response.status, response.read()

    def close(self) -> None:
        self._connection.close()


def fault_of(status: int, answer: bytes) -> str | None:
    """What is wrong with a response's form, or None."""
    try:
        document = json.loads(answer)
        if "results" in document:  # of a batch: the first refusal in it, or the first breed
            document = next((result for result in document["results"] if "error" in result), document["results"][0])
        message = document["error"]["message"] if "error" in document else document["predictions"][0]["breed"] + "."
    except (ValueError, LookupError, TypeError):
        return f"{status} without a sentence: {answer[:80]!r}"
    revealed = [word for word in ("Traceback", "/tmp", ".py", "site-packages", "object at") if word in message]
    if revealed or not message.endswith(".") or "\n" in message:
        return f"{status} with {message!r}"
    return None


def barrage(
    port: int, bodies: Iterable[Body], *, callers: int, progress: Callable[[int], None] | None = None
) -> Outcome:
    """Send every body, over `callers` concurrent connections. `progress` gets the number of bodies sent so far."""
    outcome, lock, source = Outcome(), threading.Lock(), iter(bodies)

    def next_bodies() -> Iterator[Body]:
        while True:
            with lock:
                body = next(source, None)
            if body is None:
                return
            yield body

    def call(_: int) -> None:
        caller = Caller(port)
        for body in next_bodies():
            started = time.perf_counter()
            try:
                status, answer = caller.send(body)
            except (http.client.HTTPException, OSError) as error:
                with lock:
                    outcome.unanswered.append(f"{body.name}: {error!r}")
                continue
            took, fault = time.perf_counter() - started, fault_of(status, answer)
            with lock:
                outcome.statuses[status] += 1
                if took > outcome.slowest_s:
                    outcome.slowest_s, outcome.slowest = took, body.name
                if fault:
                    outcome.unclear.append(f"{body.name}: {fault}")
                if progress:
                    progress(outcome.sent)
        caller.close()

    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(call, range(callers)))
    return outcome
