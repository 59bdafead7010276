"""The real server, as a process that listens on a loopback port."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from rehearsal.aws.sagemaker_runtime import in_service
from rehearsal.processes import Child, ProcessGroup
from tests.patience import PATIENCE_S


@dataclass(frozen=True)
class Server:
    """A server that listens. It chooses its own port, so that tests do not compete for one."""

    group: ProcessGroup
    child: Child
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def invoke(self, photo: bytes, content_type: str = "image/jpeg", **headers: str) -> httpx.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{self.url}/invocations", content=photo, headers={"content-type": content_type, **names})

    def wait_until_ready(self) -> None:
        self.group.wait_until(lambda: in_service(self.url), what="/ping to answer 200", timeout_s=PATIENCE_S)

    def log(self) -> str:
        return self.child.log.read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        """The fields of each line of the log that has this event name."""
        return [line for line in map(json.loads, self.log().splitlines()) if line["event"] == name]


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "inference.server", *arguments]


@contextmanager
def listening(
    model: Path, logs: Path, *arguments: str, command: Sequence[str] | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server that listens. Its model may not be loaded yet."""
    with ProcessGroup(logs) as group:
        usual = command_line("--model-dir", str(model), *(arguments or ("--port", "0")))
        child = group.start("server", command or usual, env=env)
        group.wait_until(lambda: "\n" in child.log.read_text(), what="the server to listen", timeout_s=PATIENCE_S)
        first = json.loads(child.log.read_text().splitlines()[0])
        yield Server(group, child, first["port"])
