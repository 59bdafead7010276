"""A question in the terminal: what counts as yes, and a signal at any moment."""

import os
import subprocess
import sys

import pytest

from tests.patience import PATIENCE_S

ASK = """
from ops.question import answered_yes
print(answered_yes("Deploy? "))
"""

SIGNAL_BESIDE_THE_READ = """
import signal, sys, threading, time
from ops.question import answered_yes

signal.signal(signal.SIGINT, lambda number, _: sys.exit(128 + number))
asked, print_it = threading.Event(), sys.stdout.write

class Screen:
    def write(self, text): asked.set(); return print_it(text)
    def flush(self): sys.__stdout__.flush()

def person():
    asked.wait()
    time.sleep(0.3)  # by now the main thread waits for a line; if it does not yet, the test is only easier
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)  # no system call of the main thread is interrupted

sys.stdout = Screen()
threading.Thread(target=person, daemon=True).start()
answered_yes("Deploy? ")
"""


def ask(program: str, line: str | None) -> "subprocess.CompletedProcess[str]":
    """Run a program whose standard input has one line, or stays open without any (None)."""
    reader, writer = os.pipe()
    try:
        os.write(writer, (line or "").encode())
        if line is not None:
            os.close(writer)
        return subprocess.run(
            [sys.executable, "-c", program],
            stdin=reader,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    finally:
        os.close(reader)
        if line is None:
            os.close(writer)


@pytest.mark.parametrize(
    ("line", "yes"),
    [("y\n", True), ("YES \n", True), ("y", True), ("n\n", False), ("\n", False), ("yesterday\n", False), ("", False)],
)
def test_only_y_and_yes_are_yes(line: str, yes: bool) -> None:
    assert ask(ASK, line).stdout.split()[-1] == str(yes)


def test_a_signal_that_interrupts_no_read_ends_the_question_all_the_same() -> None:
    """As does one that arrives just before the read. input() would wait for a second Ctrl-C."""
    assert ask(SIGNAL_BESIDE_THE_READ, None).returncode == 130
