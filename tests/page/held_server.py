"""The server of `kennel serve` with a model that waits for the test.

python -m tests.page.held_server MODEL FOLDER

It loads its model once FOLDER/loading is gone, and predicts while there is no FOLDER/predicting. Its queue, its
refusals and the page are the real ones.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from inference.server import lifetime
from inference.server.listener import listen
from inference.server.service import Service
from ops.serve.app import with_page
from ops.serve.run import ADDRESS


def main() -> int:
    model, folder = map(Path, sys.argv[1:])

    def application(service: Service) -> ASGIApp:
        for method, file in (("load", folder / "loading"), ("predictions", folder / "predicting")):
            setattr(service, method, _after(file, getattr(service, method)))
        return with_page(service)

    with listen(ADDRESS, 0) as listener:
        print(f"http://{ADDRESS}:{listener.getsockname()[1]}/", flush=True)
        return lifetime.run(model, listener, application=application)


def _after(file: Path, method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, once there is no such file."""

    def waits(*words: object) -> Any:
        while file.exists():
            time.sleep(0.01)
        return method(*words)

    return waits


if __name__ == "__main__":
    sys.exit(main())
