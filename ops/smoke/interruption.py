"""Ctrl-C, SIGTERM and a closed terminal, before and during the destroy."""

import signal
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedRunError(BaseException):
    """Not an Exception: no step may take it for its own failure."""


class Interruption:
    """The first signal raises InterruptedRunError, so that the destroy begins. Nothing but a person ends the destroy.

    say: prints a sentence.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._destroying = False
        self._warned = False
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                signal.signal(number, self._received)

    def expect_destroy(self) -> None:
        """From now on a signal does not interrupt at once."""
        self._destroying = True

    def _received(self, number: int, _: FrameType | None) -> None:
        if not self._destroying:
            self._destroying = True
            raise InterruptedRunError
        if number == signal.SIGHUP:
            return  # a closed terminal sends several: the kernel and the shell each send theirs
        if self._warned:
            raise InterruptedRunError
        self._warned = True
        self._say("The stacks are being destroyed. Ctrl-C again leaves them as they are, and they go on billing.")
