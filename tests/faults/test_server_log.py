"""The server answers and ends although its log is not read, its reader has gone, or the disk is full."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from benchmarks.http_load import Response, drive, invocation
from tests.builders import any_photo, write_artifact
from tests.contract.server_process import command_line
from tests.patience import PATIENCE_S, wait_until

REQUESTS = 2000
"""Each has a line in the log. A pipe of 64 kB is full after 902 of them."""

SMALL_LIMIT = """
import sys
from inference.server import output
from inference.server import main as server
output.Output.__init__.__defaults__ = (10_000,)
sys.exit(server.main())
"""


@dataclass(frozen=True)
class LoggingServer:
    process: subprocess.Popen[bytes]
    port: int
    first: bytes
    """The line that has been read already."""


@contextlib.contextmanager
def serving(
    folder: Path, *, stderr: int | IO[bytes] = subprocess.DEVNULL, small: bool = False
) -> Iterator[LoggingServer]:
    """A server whose standard output is a pipe. Only its first line has been read."""
    arguments = ["--model-dir", str(write_artifact(folder / "model")), "--port", "0"]
    command = [sys.executable, "-c", SMALL_LIMIT, *arguments] if small else command_line(*arguments)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, bufsize=0)
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        yield LoggingServer(process, json.loads(first)["port"], first)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def assert_answers(server: LoggingServer, count: int = REQUESTS) -> None:
    answers = drive(server.port, [invocation(b"")] * count, concurrency=4)
    assert {answer.status for answer in answers if isinstance(answer, Response)} <= {400, 503}
    assert all(isinstance(answer, Response) for answer in answers)


def assert_ends(server: LoggingServer) -> None:
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("stderr", [subprocess.DEVNULL, subprocess.STDOUT], ids=["stdout", "both"])
def test_a_log_that_is_not_read_stops_no_response_and_no_end(tmp_path: Path, stderr: int) -> None:
    with serving(tmp_path, stderr=stderr) as server:
        assert_answers(server)
        assert_ends(server)


def test_lines_that_did_not_fit_are_counted_in_a_later_line(tmp_path: Path) -> None:
    with serving(tmp_path, small=True) as server:
        assert_answers(server)
        assert server.process.stdout is not None
        lines: list[bytes] = []
        while not lines or b"lines_lost" not in lines[-1]:
            lines.append(server.process.stdout.readline())
        assert_answers(server, 1)
        after = server.process.stdout.readline()

        events = [json.loads(line) for line in lines]
        answered = [event for event in events if event["event"] == "refused"]
        others = [event for event in events if event["event"] == "ready"]
        assert events[-1]["lines"] + len(answered) == REQUESTS + 1 - len(others)
        assert len(answered) > 900
        assert json.loads(after)["event"] == "refused"
        assert_ends(server)


def test_a_log_whose_reader_has_gone_stops_no_response_and_no_end(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.process.stdout is not None
        server.process.stdout.close()
        assert_answers(server)
        assert_ends(server)


def test_a_full_disk_stops_no_response_and_no_end(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("wb") as errors, serving(tmp_path, stderr=errors) as server:
        # the log of a running server cannot be moved to /dev/full, so the second server has it from the start
        port = str(server.port)
        assert_ends(server)
        with Path("/dev/full").open("wb") as full:
            process = subprocess.Popen(
                command_line("--model-dir", str(tmp_path / "model"), "--port", port), stdout=full, stderr=errors
            )
        try:
            second = LoggingServer(process, server.port, b"")
            assert wait_until(lambda: isinstance(drive(second.port, [invocation(b"")], concurrency=1)[0], Response))
            assert_answers(second)
            assert_ends(second)
        finally:
            process.kill()
            process.wait()
    assert (tmp_path / "errors").read_bytes() == b""


def test_a_log_that_is_read_has_every_line_in_order(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        photo = any_photo()
        assert server.process.stdout is not None
        assert wait_until(lambda: b"ready" in server.process.stdout.readline())  # type: ignore[union-attr]
        sizes = []
        for number in range(50):
            (answer,) = drive(server.port, [invocation(photo + bytes(number))], concurrency=1)
            assert isinstance(answer, Response)
            sizes.append(json.loads(server.process.stdout.readline())["bytes"])
        assert sizes == [len(photo) + number for number in range(50)]
        assert_ends(server)


def test_the_model_that_cannot_be_loaded_ends_the_server_although_no_stream_is_read(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    try:
        arguments = command_line("--model-dir", str(tmp_path / "model"), "--port", "0")
        ended = subprocess.run(arguments, stdout=writer, stderr=writer, timeout=PATIENCE_S, check=False)
    finally:
        os.close(reader)
        os.close(writer)
    assert ended.returncode == 1
