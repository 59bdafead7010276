"""Start and end of the server: one sentence if it cannot start, and a clean shutdown."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from inference.server.admission import ANSWER_WITHIN
from inference.server.lifetime import DRAIN_S
from inference.server.listener import listen
from rehearsal.processes import free_port
from tests.builders import any_photo, network, write_artifact
from tests.contract.server_process import Server, command_line, listening
from tests.patience import PATIENCE_S


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("artifact"))


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command_line(*arguments),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, **env},
    )


def refuses_connections(server: Server) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def has_ended(server: Server) -> bool:
    assert server.child.wait(PATIENCE_S)
    assert "Traceback" not in server.log()
    return server.child.exit_code() == 0


# -- start -----------------------------------------------------------------------------------------------------------


def test_ping_is_503_until_the_first_prediction_and_then_200(model: Path, tmp_path: Path) -> None:
    with listening(model, tmp_path) as server:
        statuses = []

        def ready() -> bool:
            worked = bool(server.events("ready"))
            statuses.append((httpx.get(f"{server.url}/ping").status_code, worked))
            return statuses[-1][0] == 200

        server.group.wait_until(ready, what="/ping", timeout_s=PATIENCE_S)
        assert [status for status, _ in statuses[:-1]] == [503] * (len(statuses) - 1)
        assert server.events("ready")


def test_sagemakers_command_line_and_port_variable_work(model: Path, tmp_path: Path) -> None:
    port = free_port()
    with listening(model, tmp_path, "serve", env={**os.environ, "SAGEMAKER_BIND_TO_PORT": str(port)}) as server:
        assert server.port == port
        server.wait_until_ready()
        assert server.invoke(any_photo()).status_code == 200


def test_the_time_that_callers_wait_can_be_said_by_the_container_s_variable(model: Path, tmp_path: Path) -> None:
    with listening(model, tmp_path, env={**os.environ, ANSWER_WITHIN: "29"}) as server:
        server.wait_until_ready()
        assert server.invoke(any_photo()).status_code == 200


@pytest.mark.parametrize("seconds", ["0", "-1", "61", "nan", "soon"])
def test_a_time_that_no_caller_waits_is_refused(seconds: str) -> None:
    by_option, by_variable = run("--answer-within", seconds), run(**{ANSWER_WITHIN: seconds})

    assert by_option.returncode == by_variable.returncode == 2
    for ended in (by_option, by_variable):
        assert "--answer-within" in ended.stderr
        assert seconds in ended.stderr


def with_another_model(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"other")


def without_labels(folder: Path) -> None:
    (folder / "labels.json").unlink()


def with_nan_outputs(folder: Path) -> None:
    write_artifact(folder, model=network(3, bias=[float("nan")] * 3))


@pytest.mark.parametrize(
    ("damage", "sentence_part"),
    [
        (with_another_model, "model.onnx in"),
        (without_labels, "no regular file labels.json"),
        (with_nan_outputs, "its output is not finite"),
    ],
)
def test_an_invalid_artifact_ends_the_server_with_one_sentence(
    tmp_path: Path, damage: Callable[[Path], None], sentence_part: str
) -> None:
    damage(write_artifact(tmp_path))
    ended = run("--model-dir", str(tmp_path), "--port", "0")

    assert ended.returncode == 1
    (sentence,) = ended.stderr.splitlines()
    assert sentence.startswith("MODEL LOAD FAILED: ")
    assert sentence_part in sentence
    assert "could not be loaded (" not in sentence  # the sentence for unexpected errors
    assert sentence.endswith(".")
    assert '"ready"' not in ended.stdout


def test_a_missing_model_folder_is_named(tmp_path: Path) -> None:
    ended = run("--model-dir", str(tmp_path / "nowhere"), "--port", "0")

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"MODEL LOAD FAILED: There is no model folder {tmp_path / 'nowhere'};")
    assert "Traceback" not in ended.stderr


def test_a_port_in_use_is_named(model: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = run("--model-dir", str(model), "--port", str(port))

    assert ended.returncode == 1
    assert ended.stderr == (
        f"Cannot listen on 127.0.0.1:{port} (Address already in use); "
        "stop the process that uses the port, or give another --port or --host.\n"
    )


def test_the_second_server_on_a_port_gets_an_error() -> None:
    with listen("127.0.0.1", 0) as first, pytest.raises(OSError, match="already in use"):
        listen("127.0.0.1", first.getsockname()[1])


def test_responses_on_a_kept_connection_are_sent_at_once() -> None:
    async def nodelay() -> int:
        accepted: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.set_result(writer.get_extra_info("socket"))
            writer.close()

        with listen("127.0.0.1", 0) as listener:
            async with await asyncio.start_server(connected, sock=listener):
                with socket.create_connection(listener.getsockname()):
                    return (await accepted).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    assert asyncio.run(nodelay())  # else Nagle's algorithm delays each response by 40 ms


@pytest.mark.parametrize("port", ["-1", "65536", "99999999999"])
def test_a_port_that_does_not_exist_is_named(model: Path, port: str) -> None:
    ended = run("--model-dir", str(model), f"--port={port}")
    assert (ended.returncode, ended.stderr) == (1, f"There is no port {port}; give a --port from 0 to 65535.\n")


def test_an_address_of_another_machine_is_named(model: Path) -> None:
    ended = run("--model-dir", str(model), "--host", "192.0.2.1", "--port", "0")
    assert ended.returncode == 1
    assert "Cannot listen on 192.0.2.1:0 (Cannot assign requested address)" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (["--port", "http"], {}),
        ([], {"SAGEMAKER_BIND_TO_PORT": "http"}),
        (["train"], {}),
        (["--gpu"], {}),
        (["--user", "0"], {}),
        (["--user", "kennel"], {}),
    ],
)
def test_invalid_arguments_are_refused(arguments: list[str], env: dict[str, str]) -> None:
    ended = run(*arguments, **env)
    assert ended.returncode == 2
    assert "python -m inference.server: error:" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_shows_an_example() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    assert "example: python -m inference.server --model-dir" in shown.stdout


# -- end -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_cleanly(model: Path, tmp_path: Path, how: signal.Signals) -> None:
    with listening(model, tmp_path) as server:
        server.wait_until_ready()
        idle = httpx.Client()
        idle.get(f"{server.url}/ping")  # an idle connection does not delay the end
        server.child.signal(how)
        assert has_ended(server)
        idle.close()


def test_a_signal_while_the_model_loads_ends_the_server_cleanly(model: Path, tmp_path: Path) -> None:
    with listening(model, tmp_path) as server:
        server.child.signal(signal.SIGTERM)
        assert has_ended(server)


def test_a_signal_while_the_event_loop_is_made_ends_the_server_cleanly(model: Path, tmp_path: Path) -> None:
    early = (
        "import os, signal, sys; from asyncio import unix_events; from inference.server import main\n"
        "make = unix_events._UnixSelectorEventLoop.__init__\n"
        "def interrupted(*arguments):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    make(*arguments)\n"
        "unix_events._UnixSelectorEventLoop.__init__ = interrupted\n"
        "sys.exit(main.main())"
    )
    arguments = [sys.executable, "-c", early, "--model-dir", str(model), "--port", "0"]
    with listening(model, tmp_path, command=arguments) as server:
        assert has_ended(server)


@contextmanager
def in_flight(server: Server, length: int) -> Iterator[socket.socket]:
    """A request whose head the server has, but not its body."""
    head = b"POST /invocations HTTP/1.1\r\nHost: dogs\r\nContent-Type: image/jpeg\r\nExpect: 100-continue\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % length)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        yield connection


def test_a_request_in_flight_is_answered_before_the_end(model: Path, tmp_path: Path) -> None:
    photo = any_photo()
    with listening(model, tmp_path) as server:
        server.wait_until_ready()
        with in_flight(server, len(photo)) as connection:
            server.child.signal(signal.SIGTERM)
            server.group.wait_until(lambda: refuses_connections(server), what="the drain", timeout_s=PATIENCE_S)
            connection.sendall(photo)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))

        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b'"Beagle"' in answer
        assert has_ended(server)


def test_a_request_that_does_not_end_is_aborted(model: Path, tmp_path: Path) -> None:
    assert DRAIN_S < 30  # when SageMaker kills
    short_drain = (
        "import sys; from inference.server import lifetime, main; lifetime.DRAIN_S = 0.5; sys.exit(main.main())"
    )
    arguments = [sys.executable, "-c", short_drain, "--model-dir", str(model), "--port", "0"]
    with listening(model, tmp_path, command=arguments) as server:
        server.wait_until_ready()
        with in_flight(server, 1000):
            server.child.signal(signal.SIGTERM)
            assert server.child.wait(DRAIN_S / 2)
        assert server.child.exit_code() == 0
