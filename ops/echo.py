"""What `kennel` prints beside tables and progress (ops/views): plain lines, and the error that ends it."""

import sys

from contract.text import indented, printable_lines


def echo(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Print text of Kennel's own, in which the caller has made names and messages of others `printable`.

    A control character that is left all the same does not reach the terminal. err: to stderr. nl: end the line.
    """
    print(printable_lines(text), file=sys.stderr if err else sys.stdout, end="\n" if nl else "", flush=True)


def echo_error(error: object) -> None:
    """Print the error that ends the command. Lines after its first, such as the end of a log, are indented."""
    print(f"kennel: {indented(error)}", file=sys.stderr, flush=True)
