"""Progress of long work for the operator: one line for each step, and a bar while it runs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from contract.text import printable
from ops.views.console import PrintableConsole

WIDTH_WITHOUT_TERMINAL = 160
"""Columns if the output goes to a file or a CI log, which have no width."""

Report = Callable[[int, int, str], None]
"""(done, total, note): moves the bar."""


def terminal(*, stderr: bool = False) -> Console:
    """The console for the operator, on stdout or on stderr."""
    console = PrintableConsole(highlight=False, stderr=stderr)
    if console.is_terminal:
        return console
    return PrintableConsole(highlight=False, stderr=stderr, width=WIDTH_WITHOUT_TERMINAL)


class Steps:
    """Numbered steps. On a terminal each has a bar; elsewhere each has a line when it starts and one when it ends."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._number = 0

    @contextmanager
    def step(self, what: str, *, in_bytes: bool = False, time_left: bool = False) -> Iterator[Report]:
        """Announce a step, yield the function that moves its bar, and say how long it took.

        With `in_bytes`, done and total are bytes, and the bar also shows the remaining time, as with `time_left`.
        A step that raises prints no `ok`. The caller's error says why.
        """
        self._number += 1
        label = f"[bold]{self._number}/{self._total}[/bold]  {escape(printable(what))}"
        started = time.monotonic()
        if not self._console.is_terminal:
            self._console.print(f"{label} ...")
        columns: list[ProgressColumn] = [BarColumn(bar_width=24), TaskProgressColumn(), TimeElapsedColumn()]
        if time_left:
            columns += [TimeRemainingColumn(), TextColumn("left")]
        if in_bytes:  # fits in 80 columns
            columns = [BarColumn(bar_width=8), DownloadColumn(), TimeRemainingColumn(), TextColumn("left")]
        progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            *columns,
            TextColumn("[dim]{task.fields[note]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        last_note = ""
        with progress:
            bar = progress.add_task(label, total=None, note="")

            def report(done: int, total: int, note: str = "") -> None:
                nonlocal last_note
                note = printable(note)
                if note and note != last_note and not self._console.is_terminal:
                    self._console.print(f"     {escape(note)}")
                last_note = note or last_note
                progress.update(bar, completed=done, total=total, note=escape(last_note))

            yield report
        seconds = time.monotonic() - started
        ending = f"  [dim]{escape(last_note)}" if last_note and self._console.is_terminal else ""
        self._console.print(f"[green]ok[/green] {label}  [dim]{seconds:.0f} s{ending}")
