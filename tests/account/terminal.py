"""A command in a pseudo-terminal, with a person who answers each question."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.patience import PATIENCE_S

QUESTION = re.compile(r"\((?:y/n|yes/no)\)|\[y/N\]", re.IGNORECASE)
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
YES, NO, CTRL_C, CTRL_D = "y\n", "n\n", "\x03", "\x04"
ROWS, COLUMNS = 50, 160


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended. output: without colours. questions: how many it asked."""

    status: int
    output: str
    questions: int


def run_in_terminal(command: str, *, cwd: Path, env: Mapping[str, str], answer: str = YES) -> Ended:
    """Run a line of bash, and type the answer to each question.

    Raises TimeoutError if it prints nothing for `PATIENCE_S` seconds.
    """
    screen, keyboard = pty.openpty()
    fcntl.ioctl(keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    child = subprocess.Popen(
        ["bash", "-c", command], cwd=cwd, env=dict(env), stdin=keyboard, stdout=keyboard, stderr=keyboard,
        start_new_session=True, preexec_fn=in_its_terminal,
    )  # fmt: skip
    os.close(keyboard)
    printed, asked = "", 0
    try:
        while True:
            if not select.select([screen], [], [], PATIENCE_S)[0]:
                raise TimeoutError(f"{command!r} printed nothing for {PATIENCE_S:g} s. So far: {printed[-2000:]}")
            try:
                chunk = os.read(screen, 65536)
            except OSError:  # Linux: the last process has closed the terminal
                break
            if not chunk:
                break
            printed += chunk.decode(errors="replace")
            if len(QUESTION.findall(printed)) > asked:
                asked += 1
                os.write(screen, answer.encode())
    finally:
        if child.poll() is None:
            child.wait(PATIENCE_S)
        os.close(screen)
    return Ended(child.returncode, _COLOUR.sub("", printed).replace("\r\n", "\n"), asked)


def in_its_terminal() -> None:
    """Make the terminal that of this session: its Ctrl-C and its end then reach the session's processes."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
