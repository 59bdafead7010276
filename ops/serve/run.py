"""Serve an artifact and the page on the loopback interface, in this process."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from inference.artifact import ArtifactError
from inference.server import lifetime
from inference.server.listener import listen
from ops.model.archive import unpacked
from ops.serve.app import with_page

ADDRESS = "127.0.0.1"


class PortError(Exception):
    """The port cannot be used. The message is one sentence for the user."""


def serve(model: Path, port: int, listening: Callable[[str], None]) -> int:
    """Serve until Ctrl-C or SIGTERM. Returns the exit code: 1 if the model cannot be loaded.

    model: the artifact's folder or its model.tar.gz. port: 0 for a free one. listening: gets the page's address.
    Raises ArtifactError and PortError.
    """
    if not model.exists():
        raise ArtifactError(
            f"There is no {model}. Name a job's model.tar.gz, or a training's model folder; `make rehearse` makes one."
        )
    try:
        listener = listen(ADDRESS, port)
    except OSError as error:
        raise PortError(
            f"Port {port} of {ADDRESS} cannot be used ({os.strerror(error.errno or 0)}). End the process that uses it, "
            "or name another --port; without --port a free one is chosen."
        ) from error
    with listener, unpacked(model) if model.is_file() else nullcontext(model) as folder:
        listening(f"http://{ADDRESS}:{listener.getsockname()[1]}/")
        return lifetime.run(folder, listener, application=with_page)
