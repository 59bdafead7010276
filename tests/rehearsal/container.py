"""A small serving container for tests, and an event for the function in front of it."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rehearsal.aws.loopback_server import LoopbackHandler, LoopbackServer

REPOSITORY = Path(__file__).parents[2]
EVENTS = REPOSITORY / "tests" / "events"
EVENTS_WITH_A_PHOTO = (
    "direct_image",
    "rest_api_image",
    "rest_api_json",
    "http_api_image",
    "http_api_json",
    "function_url_image",
    "function_url_json",
    "load_balancer_json",
)
"""Their names in `EVENTS`: each has the photo itself, and gets breeds."""
JPEG = b"\xff\xd8\xff\xe0 a photo"
ANSWER = {"predictions": [{"breed": "Beagle", "probability": 0.97}], "model": "test-model"}


def any_event() -> dict[str, Any]:
    return {"image": base64.b64encode(JPEG).decode()}


class Container:
    """Answers /ping with 200 and /invocations with `status` and `body`, and records the requests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.body = json.dumps(ANSWER).encode()
        self.requests: list[tuple[dict[str, str], bytes]] = []


@contextmanager
def serving() -> Iterator[Container]:
    class Handler(LoopbackHandler):
        def do_GET(self) -> None:  # noqa: N802
            self.answer(200 if self.path == "/ping" else 404)

        def do_POST(self) -> None:  # noqa: N802
            headers = {name.lower(): value for name, value in self.headers.items()}
            container.requests.append((headers, self.read_body()))
            answered = {"Content-Type": "application/json", "Server-Secret": "s3cret"}
            self.answer(container.status, container.body, answered)

    with LoopbackServer(Handler) as server:
        container = Container(server.url)
        yield container
