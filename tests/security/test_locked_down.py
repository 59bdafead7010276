"""The server needs no network, no writable folder and no permissions: without them it responds as usual."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.processes import Child, ProcessGroup
from tests.builders import LABELS, write_artifact
from tests.contract.server_process import Server, command_line, listening
from tests.patience import PATIENCE_S
from tests.security.send_all import responses

LAUNCHER = [sys.executable, str(Path(__file__).with_name("locked_down.py"))]

ATTEMPTS = """
import json, os, socket, sys, tempfile
def attempt(action):
    try:
        action()
        return "done"
    except OSError as error:
        return error.strerror or "failed"
print(json.dumps({
    "user": os.getuid(),
    "write here": attempt(lambda: open("written", "w")),
    "write to /tmp": attempt(lambda: open("/tmp/written", "w")),
    "write to the model": attempt(lambda: open(sys.argv[1] + "/written", "w")),
    "reach a network": attempt(lambda: socket.create_connection(("192.0.2.1", 80), timeout=5)),
    "become root": attempt(lambda: os.setuid(0)),
}))
"""


def namespaces_are_allowed() -> bool:
    ran = subprocess.run([*LAUNCHER, "true"], capture_output=True, check=False)
    return ran.returncode == 0


pytestmark = pytest.mark.skipif(
    not namespaces_are_allowed(),
    reason="this system does not allow user namespaces (kernel.unprivileged_userns_clone)",
)


def inside(confined: Child, *command: str) -> str:
    """The output of a command in the network namespace of this process."""
    enter = ["nsenter", "--target", str(confined.pid), "--user", "--net", "--preserve-credentials", "--"]
    return subprocess.run([*enter, *command], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("model"), size=64)


@pytest.fixture(scope="module")
def confined(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    command = [*LAUNCHER, *command_line("--model-dir", str(model), "--port", "8080")]
    with ProcessGroup(tmp_path_factory.mktemp("confined")) as group:
        server = group.start("server", command)
        group.wait_until(lambda: '"ready"' in server.log.read_text(), what="the model", timeout_s=PATIENCE_S)
        yield server
        assert server.exit_code() is None


@pytest.fixture(scope="module")
def free(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with listening(model, tmp_path_factory.mktemp("free")) as server:
        server.wait_until_ready()
        yield server


def test_a_locked_down_process_can_neither_write_nor_connect(model: Path) -> None:
    """The control for the next test: the launcher really locks down."""
    command = [*LAUNCHER, sys.executable, "-c", ATTEMPTS, str(model)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    read_only = "Read-only file system"
    assert found == {
        "user": 10001,
        "write here": read_only,
        "write to /tmp": read_only,
        "write to the model": read_only,
        "reach a network": "Network is unreachable",
        "become root": "Invalid argument",
    }


def test_a_locked_down_server_responds_as_any_other(confined: Child, free: Server) -> None:
    found = json.loads(inside(confined, sys.executable, "-m", "tests.security.send_all", "8080", "8"))
    expected = json.loads(json.dumps(responses(free.port, 8)))

    assert found["ping"][0] == 200
    assert [found[f"{breed}.JPEG"][1]["predictions"][0]["breed"] for breed in LABELS] == list(LABELS)
    assert found == expected
