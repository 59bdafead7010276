"""One instance under load: its queue, and the server's own rule for what it refuses."""

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack

from inference.server.admission import LIMIT_S, Admission
from inference.server.errors import BusyError, RequestError


class Instance:
    """Answers one photo after the other, each in `photo_s` seconds, with all of its cores.

    answer_within_s: how long callers wait. What could not be answered by then is refused.
    """

    def __init__(self, photo_s: float, answer_within_s: float = LIMIT_S) -> None:
        self._photo_s = photo_s
        self._time = self._free_at = 0.0
        self._admission = Admission(1, limit_s=answer_within_s, clock=lambda: self._time)
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()
        """When each photo is answered, and what then takes it out of the queue."""

    def answer(self, arrived: float) -> float | None:
        """The seconds that a call takes, or None if it is refused with status 503. Call it in the order of arrival."""
        while self._waiting and self._waiting[0][0] <= arrived:
            self._waiting.popleft()[1]()
        began = max(arrived, self._free_at)
        with ExitStack() as stack:
            try:
                stack.enter_context(self._admission.photos(1))
                self._time = began
                with self._admission.work(arrived):
                    self._time = self._free_at = began + self._photo_s
            except (BusyError, RequestError):
                return None
            self._waiting.append((self._free_at, stack.pop_all().close))
        return self._free_at - arrived
