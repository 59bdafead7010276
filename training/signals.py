"""SIGTERM and Ctrl-C: they end the run at once if nothing would be lost, otherwise at the end of the current step."""

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn


class Stop:
    """Whether a signal to stop was received. False until `listen` is called."""

    def __init__(self) -> None:
        self._signal: int | None = None
        self._deferred = False

    def listen(self) -> None:
        """Handle SIGTERM and SIGINT from now on. Only the main thread can call this."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    @property
    def requested(self) -> bool:
        """Whether a signal has arrived."""
        return self._signal is not None

    @property
    def number(self) -> int:
        """The signal that has arrived; SIGTERM if another process received it."""
        return self._signal or signal.SIGTERM

    def defer(self) -> None:
        """From now on a signal only sets `requested`; a second Ctrl-C still ends the run at once."""
        self._deferred = True

    def release(self) -> None:
        """From now on a signal ends the run at once, and so does this call if one has arrived."""
        self._deferred = False
        if self.requested:
            self.interrupt()

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Suspend `defer`: a signal ends the run at once inside this context."""
        try:
            self.release()
            yield
        finally:
            self.defer()

    def interrupt(self) -> NoReturn:
        """Raise KeyboardInterrupt with the number of the signal."""
        raise KeyboardInterrupt(self.number)

    def _handle(self, number: int, _: FrameType | None) -> None:
        # On Ctrl-C the terminal sends SIGINT and torchrun sends SIGTERM: the two count as one request.
        second_ctrl_c = number == signal.SIGINT == self._signal
        self._signal = number
        if not self._deferred or second_ctrl_c:
            self.interrupt()
        os.write(2, b"Stopping at the end of this step.\n")  # print may be what the signal has interrupted
