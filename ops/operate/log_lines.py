"""Lines of a log, read again and again without a line that is lost or printed twice."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from botocore.exceptions import ClientError

from ops.operate.account import Account, AccountError, asking, is_missing

OVERLAP_S = 120
"""A look begins so long before the newest line of the last one: CloudWatch Logs shows a line some seconds after it was
written, and one of another host may be shown earlier. Lines that were passed before are left out by their ids."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A line of a log, or an event of a stack."""

    at: float
    """Seconds since 1970."""
    source: str
    """Such as `training`."""
    stream: str
    """The log stream, or the name of the stack."""
    message: str
    id: str
    """AWS's own id of the event."""

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


class Source(Protocol):
    """Something that is followed."""

    @property
    def name(self) -> str: ...

    def read(self, since: float) -> list[Line]:
        """The lines since a moment, in seconds since 1970. None are there yet if it does not exist.

        Raises AccountError.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class LogGroup:
    """A log group of CloudWatch Logs, or those of its streams whose names start with a prefix."""

    account: Account
    name: str
    group: str
    prefix: str = ""

    def read(self, since: float) -> list[Line]:
        """The lines since a moment, the oldest one first. Raises AccountError."""
        return list(self.lines(since))

    def lines(self, since: float, most_pages: int = 0) -> Iterator[Line]:
        """The same, at most so many pages of 10,000 lines; 0: all. Raises AccountError."""
        streams = {"logStreamNamePrefix": self.prefix} if self.prefix else {}
        call = {"logGroupName": self.group, "startTime": max(0, int(since * 1000)), **streams}
        with asking(f"the call that reads the log group {self.group}", needs=f"logs:FilterLogEvents on {self.group}"):
            try:
                pages = self.account.client("logs").get_paginator("filter_log_events").paginate(**call)
                for number, page in enumerate(pages, start=1):
                    for event in page["events"]:
                        if event["logStreamName"].startswith(self.prefix):
                            yield self._line(event)
                    if number == most_pages:
                        return
            except ClientError as error:
                if not is_missing(error):  # a group that was not created yet has no lines
                    raise

    def _line(self, event: dict[str, Any]) -> Line:
        return Line(
            at=event["timestamp"] / 1000,
            source=self.name,
            stream=event["logStreamName"],
            message=event["message"].rstrip("\r\n"),
            id=event["eventId"],
        )


class Follower:
    """Reads sources from a moment on. Each line is passed once."""

    def __init__(self, sources: list[tuple[Source, float]]) -> None:
        """sources: each with the moment of its first line, in seconds since 1970."""
        self._looks = [_Look(source, since) for source, since in sources]

    def new(self) -> list[Line]:
        """The lines since the last look, in the order of their times. Raises AccountError; no line is lost by that."""
        found = [(look, look.read()) for look in self._looks]  # all are read before one is noted as passed
        for look, lines in found:
            look.note(lines)
        return sorted((line for _, lines in found for line in lines), key=lambda line: line.at)


class _Look:
    def __init__(self, source: Source, since: float) -> None:
        self._source = source
        self._since = since
        self._passed: dict[str, float] = {}

    def read(self) -> list[Line]:
        return [line for line in self._source.read(self._since) if line.id not in self._passed]

    def note(self, lines: list[Line]) -> None:
        self._passed |= {line.id: line.at for line in lines}
        if self._passed:
            self._since = max(self._since, max(self._passed.values()) - OVERLAP_S)
        self._passed = {known: at for known, at in self._passed.items() if at >= self._since}


def follow(
    follower: Follower,
    show: Callable[[Line], None],
    warn: Callable[[str], None],
    *,
    interval_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show each new line, until the process gets a signal. After a call that failed in passing, the next look has its
    lines.

    Raises AccountError for an error that stays, such as a missing permission.
    """
    interrupted = False
    while True:
        try:
            for line in follower.new():
                show(line)
            interrupted = False
        except AccountError as error:
            if not error.passing:
                raise
            if not interrupted:
                warn(f"{error} The next look has what was missed.")
            interrupted = True
        sleep(interval_s)
