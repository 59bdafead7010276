"""A question in the terminal, answered with y or n."""

import os
import select
import signal
import sys

from ops.echo import echo


def answered_yes(question: str, *, err: bool = False) -> bool:
    """Print the question and wait for a line. Only y and yes are yes; the end of the input (Ctrl-D) is no.

    err: the question goes to stderr. A signal's handler runs as soon as the signal arrives, and its exception passes
    through.
    """
    echo(question, nl=False, err=err)
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    before = signal.set_wakeup_fd(waker)
    try:
        # input() alone would miss a signal that arrives between its last look and the system's read, and wait for the
        # next one. Here the signal is in the pipe, so select returns.
        while sys.stdin not in select.select([sys.stdin, wake], [], [])[0]:
            os.read(wake, 64)
    finally:
        signal.set_wakeup_fd(before)
        os.close(wake)
        os.close(waker)
    line = sys.stdin.readline()
    if not line:
        echo("", err=err)
    return line.strip().lower() in ("y", "yes")
