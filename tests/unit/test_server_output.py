"""Standard streams that never block, on real pipes."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from inference.server.output import Output
from tests.patience import PATIENCE_S

USED = "from inference.server.output import use_for_standard_streams; use_for_standard_streams()\n"


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


@contextmanager
def full_pipe() -> Iterator[tuple[int, int, int]]:
    """Reader, writer, and the bytes in the pipe."""
    with pipe() as (reader, writer):
        os.set_blocking(writer, False)
        size = 0
        try:
            while True:
                size += os.write(writer, bytes(4096))
        except BlockingIOError:
            os.set_blocking(writer, True)
        yield reader, writer, size


def read(reader: int, size: int) -> bytes:
    received = b""
    while len(received) < size:
        received += os.read(reader, size - len(received))
    return received


def test_a_line_is_written_when_it_is_complete() -> None:
    with pipe() as (reader, writer):
        output = Output(writer)
        print("a", 1, end="", file=output)
        os.set_blocking(reader, False)
        with pytest.raises(BlockingIOError):
            os.read(reader, 100)
        print(" b\nc", file=output)
        assert os.read(reader, 100) == b"a 1 b\nc\n"  # at once, without waiting for the thread


def test_the_end_of_the_process_writes_an_incomplete_line() -> None:
    with pipe() as (reader, writer):
        output = Output(writer)
        output.write("the end")
        output.finish(PATIENCE_S)
        assert os.read(reader, 100) == b"the end\n"


def test_lines_wait_in_order_until_they_are_read() -> None:
    with full_pipe() as (reader, writer, size):
        output = Output(writer)
        lines = "".join(f"{number}\n" for number in range(3000))
        for line in lines.splitlines(keepends=True):
            output.write(line)
        assert read(reader, size + len(lines))[size:].decode() == lines
        output.finish(PATIENCE_S)


def test_a_line_longer_than_a_pipe_is_written_in_pieces() -> None:
    with pipe() as (reader, writer):
        line = "x" * 200_000 + "\n"
        Output(writer).write(line)
        assert read(reader, len(line)).decode() == line


def test_lines_beyond_the_limit_are_dropped_and_counted() -> None:
    with full_pipe() as (reader, writer, size):
        output = Output(writer, most_waiting=100)
        for number in range(1000, 1100):
            output.write(f"{number}\n")
        kept = "".join(f"{number}\n" for number in range(1000, 1020))
        expected = (kept + '{"event": "lines_lost", "lines": 80}\n').encode()
        assert read(reader, size + len(expected))[size:] == expected
        output.write("next\n")
        assert read(reader, 5) == b"next\n"


def test_a_reader_that_has_gone_raises_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    output = Output(writer)
    for _ in range(1000):
        output.write("lost\n")
    output.finish(PATIENCE_S)
    os.close(writer)


def test_lines_of_several_threads_are_whole() -> None:
    with full_pipe() as (reader, writer, size):
        output = Output(writer)

        def write_lines(letter: str) -> None:
            for _ in range(500):
                output.write(letter * 50 + "\n")

        threads = [threading.Thread(target=write_lines, args=(letter,)) for letter in "abcd"]
        for thread in threads:
            thread.start()
        received = read(reader, size + 4 * 500 * 51)[size:].decode()
        for thread in threads:
            thread.join()
        assert sorted(set(received.splitlines())) == [letter * 50 for letter in "abcd"]


@pytest.mark.parametrize(
    ("program", "exit_code"),
    [
        ("import warnings\nfor n in range(5000): warnings.warn(f'warning {n}')", 0),
        ("import logging\nfor n in range(5000): logging.getLogger('uvicorn.error').error('e' * 100)", 0),
        (
            "import threading\n"
            "for n in range(200):\n"
            "    t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()",
            0,
        ),
        ("for n in range(5000): print('x' * 100)\nraise ValueError('y' * 100_000)", 1),
        ("import asyncio\nasync def main(): 1 / 0\nfor n in range(9): print('x' * 9000)\nasyncio.run(main())", 1),
    ],
    ids=["warnings", "loggers", "tracebacks of threads", "traceback at the end", "traceback of the loop"],
)
def test_what_python_prints_stops_nothing_although_it_is_not_read(program: str, exit_code: int) -> None:
    with full_pipe() as (_, writer, _):
        ended = subprocess.run(
            [sys.executable, "-c", USED + program], stdout=writer, stderr=writer, timeout=PATIENCE_S, check=False
        )
    assert ended.returncode == exit_code


def test_a_terminal_that_is_stopped_stops_nothing() -> None:
    """As after Ctrl-S. The system says that a terminal is ready, and blocks a write that does not fit."""
    keyboard, terminal = os.openpty()
    try:
        program = USED + "import sys\nfor n in range(500): print('x' * 3000); print('y' * 3000, file=sys.stderr)"
        ended = subprocess.run(
            [sys.executable, "-c", program], stdout=terminal, stderr=terminal, timeout=PATIENCE_S, check=False
        )
    finally:
        os.close(terminal)
        os.close(keyboard)
    assert ended.returncode == 0


def test_a_terminal_gets_every_line_in_order() -> None:
    keyboard, terminal = os.openpty()
    try:
        output = Output(terminal)
        lines = "".join(f"{number}\n" for number in range(3000))
        for line in lines.splitlines(keepends=True):
            output.write(line)
        received = b""
        while received.count(b"\n") < 3000:
            received += os.read(keyboard, 4096)
        assert received.replace(b"\r\n", b"\n").decode() == lines
        output.finish(PATIENCE_S)
    finally:
        os.close(terminal)
        os.close(keyboard)


def test_two_streams_to_one_pipe_that_is_not_read_stop_nothing() -> None:
    program = USED + (
        "import sys, threading\n"
        "def print_lines(stream):\n"
        "    for n in range(5000): print('x' * 100, file=stream)\n"
        "threads = [threading.Thread(target=print_lines, args=(s,)) for s in (sys.stdout, sys.stderr)]\n"
        "sys.setswitchinterval(1e-6)\n"
        "for t in threads: t.start()\n"
        "for t in threads: t.join()"
    )
    with pipe() as (_, writer):
        ended = subprocess.run(
            [sys.executable, "-c", program], stdout=writer, stderr=writer, timeout=PATIENCE_S, check=False
        )
    assert ended.returncode == 0


def test_the_last_line_before_a_crash_is_not_lost() -> None:
    program = USED + "print('the last line')\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=PATIENCE_S, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, b"the last line\n")
