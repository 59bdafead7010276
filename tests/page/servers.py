"""`kennel serve`, and the same server with a model that waits for the test."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rehearsal.processes import ProcessGroup
from tests.page.browser import REPOSITORY
from tests.patience import PATIENCE_S

KENNEL_SERVE = [sys.executable, "-c", "from ops.cli import main; main()", "serve"]
HELD_SERVER = [sys.executable, "-m", "tests.page.held_server"]


@dataclass(frozen=True)
class Servers:
    address: str
    """Of `kennel serve`."""
    held: str
    """Of held_server.py, whose model loads once `hold`/loading is gone."""
    hold: Path


@contextmanager
def serving(model: Path, folder: Path) -> Iterator[Servers]:
    """Both servers, with the same model. folder: for their logs and for the files that hold."""
    (folder / "loading").touch()
    with ProcessGroup(folder) as group:
        server = group.start("server", [*KENNEL_SERVE, str(model)], cwd=REPOSITORY)
        held = group.start("held", [*HELD_SERVER, str(model), str(folder)], cwd=REPOSITORY)
        group.wait_until(
            lambda: '"ready"' in server.log.read_text() and '"listening"' in held.log.read_text(),
            what="the servers to be ready",
            timeout_s=PATIENCE_S,
        )
        try:
            yield Servers(server.log.read_text().split()[2], held.log.read_text().split()[0], folder)
        finally:
            held.signal(signal.SIGKILL)  # its queue is full, and SIGTERM would let it answer that first
