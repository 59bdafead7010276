"""The serving container starts as root, as SageMaker expects, and gives root up before it reads anything."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rehearsal.processes import ProcessGroup, free_port
from tests.builders import LABELS, any_photo, write_artifact
from tests.contract.server_process import Server, listening
from tests.patience import PATIENCE_S
from tests.security.container_root import LAUNCHER, REPOSITORY, missing

USER = 10001
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
DOCKERFILE = (REPOSITORY / "inference" / "Dockerfile").read_text()
_, OPTION, MODULE, *ARGUMENTS = json.loads(re.findall(r"^ENTRYPOINT (.+)$", DOCKERFILE, re.MULTILINE)[0])

REASON = missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=f"no process can be started as a container's root: {REASON}")

ATTEMPTS = """
import ctypes, json, os, struct, subprocess, sys
program, secret = sys.argv.pop(1), sys.argv.pop(1)
libc = ctypes.CDLL(None, use_errno=True)
def attempt(action):
    try:
        return str(action())
    except OSError as error:
        return type(error).__name__
def capset():
    if libc.capset(struct.pack("Ii", 0x20080522, 0), struct.pack("6I", 1, 1, 0, 0, 0, 0)) < 0:
        raise OSError(ctypes.get_errno(), "capset")
def attempts():
    return {
        "setuid": attempt(lambda: os.setuid(0)),
        "setresuid": attempt(lambda: os.setresuid(0, 0, 0)),
        "setgid": attempt(lambda: os.setgid(0)),
        "setgroups": attempt(lambda: os.setgroups([0])),
        "a capability": attempt(capset),
        "root's file": attempt(lambda: open(secret)),
        "a setuid program's user": attempt(lambda: subprocess.check_output([program, "-u"]).decode().strip()),
    }
"""

WHILE_LOADING = (
    ATTEMPTS
    + """
def on(event, arguments, done=[]):
    if event == "open" and str(arguments[0]).endswith("manifest.json") and not done:  # the first file of the model
        done.append(True)
        print(json.dumps({"event": "attempts", **attempts()}), flush=True)
sys.addaudithook(on)
from inference.server.main import main
sys.exit(main())
"""
)

PAUSED = """
import os, pathlib, sys, time
folder, become = pathlib.Path(sys.argv.pop(1)), os.setresuid
def wait(*user):
    (folder / "paused").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    become(*user)
os.setresuid = wait
from inference.server.main import main
sys.exit(main())
"""


def arguments(model: Path, port: int = 0) -> list[str]:
    """The arguments of the image's command, as SageMaker completes them, for another address and another folder."""
    return [*ARGUMENTS, "serve", "--host", "127.0.0.1", "--port", str(port), "--model-dir", str(model)]


def server_command(model: Path) -> list[str]:
    return [sys.executable, OPTION, MODULE, *arguments(model)]


def threads(pid: int) -> list[dict[str, str]]:
    """The status of each thread of the process: what /proc says of its users, its groups and its privileges."""
    texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return [dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line) for text in texts]


def users(pid: int) -> set[str]:
    """The real, effective, saved and file system users of all threads."""
    return {user for thread in threads(pid) for user in thread["Uid"].split()}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that every user may enter, as a container's are. pytest's own are closed to other users."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return write_artifact(folder / "model", size=64)


@pytest.fixture(scope="module")
def server(model: Path, folder: Path) -> Iterator[Server]:
    with listening(model, folder / "logs", command=[*LAUNCHER, *server_command(model)]) as server:
        server.wait_until_ready()
        yield server


def test_a_server_that_root_starts_predicts(server: Server) -> None:
    answer = server.invoke(any_photo())
    assert answer.status_code == 200
    assert {prediction["breed"] for prediction in answer.json()["predictions"]} <= set(LABELS)
    assert [line["user"] for line in server.events("listening")] == [USER]


def check_every_thread(server: Server) -> None:
    found = threads(server.child.pid)
    user = namespace_user(server.child.pid, USER)
    assert len(found) > 1
    for thread in found:
        assert thread["Uid"].split() == thread["Gid"].split() == [user] * 4
        assert thread["Groups"].split() == []
        assert {name: int(thread[name], 16) for name in SETS} == dict.fromkeys(SETS, 0)
        assert thread["NoNewPrivs"] == "1"


def test_none_of_its_threads_keeps_a_user_a_group_or_a_capability_of_root(server: Server) -> None:
    server.invoke(any_photo())
    check_every_thread(server)


def test_capabilities_that_a_change_of_the_user_would_leave_are_given_up_too(model: Path, folder: Path) -> None:
    command = [*LAUNCHER, "--capabilities", "kept", *server_command(model)]
    with listening(model, folder / "kept", command=command) as server:
        server.wait_until_ready()
        check_every_thread(server)


@pytest.fixture
def setuid_program(folder: Path) -> Path:
    """A copy of `id` that becomes root for any user who starts it."""
    if os.statvfs(folder).f_flag & os.ST_NOSUID:
        pytest.skip(f"{folder} is on a file system where no program becomes another user (nosuid)")
    program = folder / "id"
    shutil.copy(shutil.which("id") or "/usr/bin/id", program)
    program.chmod(0o4755)
    return program


@pytest.fixture
def secret(folder: Path) -> Path:
    path = folder / "secret"
    path.write_text("root's")
    path.chmod(0o600)
    return path


def test_nothing_leads_back_to_root_once_the_model_is_read(
    model: Path, folder: Path, setuid_program: Path, secret: Path
) -> None:
    program = [sys.executable, "-c", WHILE_LOADING, str(setuid_program), str(secret)]
    command = [*LAUNCHER, *program, *arguments(model)]
    with listening(model, folder / "attempts", command=command) as server:
        server.wait_until_ready()
        (found,) = server.events("attempts")
    assert found == {
        "event": "attempts",
        "setuid": "PermissionError",
        "setresuid": "PermissionError",
        "setgid": "PermissionError",
        "setgroups": "PermissionError",
        "a capability": "PermissionError",
        "root's file": "PermissionError",
        "a setuid program's user": str(USER),
    }


def test_without_the_drop_each_of_these_leads_to_root(setuid_program: Path, secret: Path) -> None:
    """The control for the test above. A program that is setuid root works for a user as for root."""
    show = ATTEMPTS + "print(json.dumps(attempts()))"
    command = [sys.executable, "-c", show, str(setuid_program), str(secret)]
    root = json.loads(subprocess.run([*LAUNCHER, *command], capture_output=True, check=True).stdout)
    assert "PermissionError" not in root.values()
    user = json.loads(
        subprocess.run([*LAUNCHER, "--user", str(USER), *command], capture_output=True, check=True).stdout
    )
    assert user["setuid"] == "PermissionError"
    assert user["a setuid program's user"] == "0"


def test_a_request_that_arrives_while_the_server_is_root_is_read_after_root_is_given_up(
    model: Path, folder: Path
) -> None:
    request = b"GET /ping HTTP/1.1\r\nHost: dogs\r\nConnection: close\r\n\r\n"
    port = free_port()
    command = [*LAUNCHER, sys.executable, "-c", PAUSED, str(folder), *arguments(model, port)]
    with ProcessGroup(folder / "paused-logs") as group:
        child = group.start("server", command)
        group.wait_until((folder / "paused").exists, what="the drop", timeout_s=PATIENCE_S)
        with closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)) as connection:
            connection.sendall(request)
            unread = f"{port:04X} {connection.getsockname()[1]:04X}"
            group.wait_until(lambda: received(unread) == len(request), what="the request", timeout_s=PATIENCE_S)
            assert users(child.pid) == {namespace_user(child.pid, 0)}

            (folder / "go").touch()
            answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 ")
        assert users(child.pid) == {namespace_user(child.pid, USER)}


def received(ports: str) -> int:
    """Bytes that wait in the kernel on the server's side of the connection between two ports, in hex."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if " ".join(address.partition(":")[2] for address in fields[1:3]) == ports:
            return int(fields[4].partition(":")[2], 16)
    return 0


def namespace_user(pid: int, user: int) -> str:
    """What this process sees as the user `user` of the process, which may be in another user namespace."""
    if Path(f"/proc/{pid}/ns/user").readlink() == Path("/proc/self/ns/user").readlink():
        return str(user)
    for line in Path(f"/proc/{pid}/uid_map").read_text().splitlines():
        inner, outer, count = map(int, line.split())
        if inner <= user < inner + count:
            return str(outer + user - inner)
    raise ValueError(f"the namespace of process {pid} has no user {user}")


def ended(*command: str) -> tuple[int, str]:
    """The exit code and the errors of a command that must end by itself."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert "Traceback" not in ran.stderr
    return ran.returncode, ran.stderr


@pytest.mark.parametrize("closed", ["", "manifest.json", "model.onnx", "notes"])
def test_a_model_that_only_root_may_read_ends_the_server_with_the_remedy(folder: Path, closed: str) -> None:
    model = write_artifact(folder / f"closed-{closed}", size=64)
    (model / "notes").mkdir()
    (model / closed).chmod(0o700)
    code, errors = ended(*LAUNCHER, *server_command(model))
    assert code == 1
    assert errors == (
        f"MODEL LOAD FAILED: {model / closed / ('manifest.json' if not closed else '')} cannot be read by user {USER} "
        "(Permission denied); let every user read the artifact (chmod -R a+rX on its folder), and pack it again.\n"
    )


def test_a_model_below_a_folder_that_only_root_may_enter_is_not_called_missing(folder: Path) -> None:
    model = write_artifact(folder / "private" / "model", size=64)
    model.parent.chmod(0o700)
    assert f"{model} cannot be read by user {USER} (Permission denied)" in ended(*LAUNCHER, *server_command(model))[1]


def test_a_root_that_cannot_change_its_user_does_not_serve(model: Path) -> None:
    code, errors = ended(*LAUNCHER, "--capabilities", "none", *server_command(model))
    assert code == 1
    assert errors == (
        f"Cannot become user {USER} (Operation not permitted); start the server as an ordinary user, in Docker with "
        f"--user {USER}.\n"
    )


def test_a_system_that_lets_the_server_become_root_again_is_refused(model: Path) -> None:
    lenient = "import os, sys; os.setresuid = lambda *_: None; from inference.server.main import main; sys.exit(main())"
    code, errors = ended(*LAUNCHER, sys.executable, "-c", lenient, *arguments(model))
    assert code == 1
    assert errors.startswith(f"Cannot become user {USER} (the process could still become root again); ")


def test_an_ordinary_user_just_serves_as_that_user(model: Path, folder: Path) -> None:
    command = [*LAUNCHER, "--user", "1000", *server_command(model)]
    with listening(model, folder / "ordinary", command=command) as server:
        server.wait_until_ready()
        assert server.invoke(any_photo()).status_code == 200
        assert users(server.child.pid) == {namespace_user(server.child.pid, 1000)}
        assert {thread["NoNewPrivs"] for thread in threads(server.child.pid)} == {"1"}
