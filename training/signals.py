"""SIGTERM and Ctrl-C: at once where nothing would be lost, else at the end of the step under way."""

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn


class Stop:
    """What the process has been asked for. Until `listen` is called it never is."""

    def __init__(self) -> None:
        self._signal: int | None = None
        self._deferred = False

    def listen(self) -> None:
        """From now on, SIGTERM and SIGINT come here. Only the main thread can call this."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked)

    @property
    def requested(self) -> bool:
        """Whether a signal waits to be obeyed."""
        return self._signal is not None

    def defer(self) -> None:
        """From here on a signal waits until it is asked for; only a second Ctrl-C does not."""
        self._deferred = True

    def obey(self) -> None:
        """From here on a signal ends the run at once, and one that waits does so now."""
        self._deferred = False
        if self.requested:
            self.now()

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Where `defer` holds, a stretch that may be ended at any moment."""
        try:
            self.obey()
            yield
        finally:
            self.defer()

    def now(self) -> NoReturn:
        """Raise KeyboardInterrupt with the number of the signal; SIGTERM where it was another process that got one."""
        raise KeyboardInterrupt(self._signal or signal.SIGTERM)

    def _asked(self, number: int, _: FrameType | None) -> None:
        # torchrun hands Ctrl-C on as SIGTERM while the terminal sends it as SIGINT: those two are one wish.
        impatient = number == signal.SIGINT == self._signal
        self._signal = number
        if not self._deferred or impatient:
            self.now()
        os.write(2, b"Stopping at the end of this step.\n")  # print may be what the signal has interrupted
