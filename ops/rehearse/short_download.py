"""A download that soon gives up: of a file that makes a rehearsal better, and that it can do without."""

import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from contract.weights import PublishedWeights
from training.model.download import Progress, downloaded
from training.model.weights_file import WeightsError

ANSWER_S = 4.0
"""How long the first bytes may take: the look-up of the host's name, the connection, and the answer."""
WHOLE_S = 60.0
"""How long the whole file may take. A training that needs no file is faster than a slower download."""
_EVERY_S = 0.1


def download_soon(published: PublishedWeights, progress: Progress) -> Path:
    """The copy of a published file, after one attempt to download it. progress: called in this thread.

    Raises WeightsError if the file cannot be downloaded, is another one, or takes longer.
    """
    attempt = _Attempt(published)
    attempt.start()
    began = time.monotonic()
    while True:
        attempt.join(_EVERY_S)
        running = attempt.is_alive()  # before the look at what it has received, so that its last bytes are seen
        done, total = attempt.received
        if done:
            progress(done, total)
        if not running:
            break
        limit = WHOLE_S if done else ANSWER_S
        if time.monotonic() - began > limit:
            attempt.give_up()
            amount = f"{done / 1e6:.0f} MB" if done else "nothing"
            raise WeightsError(f"{_host(published)} sent {amount} within {limit:.0f} s")
    if attempt.error:
        raise WeightsError(f"{_host(published)}: {_reason(attempt.error)}") from attempt.error
    return attempt.result


def _host(published: PublishedWeights) -> str:
    return urlsplit(published.url).hostname or published.url


def _reason(error: WeightsError) -> str:
    """The system's words for a connection that failed; otherwise the error's own."""
    cause = error.__cause__ or error
    system = getattr(cause, "reason", cause)
    return str(getattr(system, "strerror", None) or cause)


class _Attempt(threading.Thread):
    """One download. A thread, because the look-up of a name has no time limit that a program could set."""

    def __init__(self, published: PublishedWeights) -> None:
        super().__init__(name="download", daemon=True)
        self._published = published
        self._given_up = threading.Event()
        self.received = (0, 0)
        self.error: WeightsError | None = None
        self.result = Path()

    def run(self) -> None:
        try:
            self.result = downloaded(self._published, self._progress, stalled_s=ANSWER_S)
        except WeightsError as error:
            self.error = error

    def give_up(self) -> None:
        """End the download at its next bytes. What it has received is deleted."""
        self._given_up.set()

    def _progress(self, done: int, total: int) -> None:
        if self._given_up.is_set():
            raise WeightsError("the download was given up")
        self.received = (done, total)
