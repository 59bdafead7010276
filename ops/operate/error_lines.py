"""The lines of a log that say that something failed."""

import json
import re
import time
from collections.abc import Iterable
from typing import Any

from ops.operate.log_lines import Line, LogGroup

WINDOWS_S = (300, 3600)
"""The last five minutes are read first, and the whole hour if they have no error."""
MOST_PAGES = 20
"""Of a window: 200,000 lines."""
CONTAINER_EVENTS = ("failed", "broken")
"""Of the container's log lines, inference/server/log.py."""
TRACEBACK = "Traceback (most recent call last):"
"""A line with this alone says nothing: the error is in another line."""
_TEXT = re.compile(
    r"\bERROR\b|\bFATAL\b|\bFAILED\b|\bTraceback\b|\w(Error|Exception)\b|Task timed out|Runtime exited|OutOfMemory"
    r"|Out of memory|Killed\b|Training failed"
)
_OWN_CAUSE = re.compile(r"AccessDenied|not authorized to perform")


def says_error(message: str) -> bool:
    """Whether a line says that a request or a process failed: not for a caller's mistake."""
    content = _fields(message)
    if content is None:
        return message.strip() != TRACEBACK and bool(_TEXT.search(message))
    status = content.get("status")
    server_error = isinstance(status, int) and status >= 500
    return bool(content.get("event") in CONTAINER_EVENTS or content.get("bug") or server_error)


def is_own(message: str) -> bool:
    """Whether an error of the function has its cause in the function: a bug, a timeout, a right that is missing. The
    other ones are the endpoint's, or a peer's."""
    content = _fields(message)
    if content is None:
        return True
    return bool(content.get("bug") or any(_OWN_CAUSE.search(str(cause)) for cause in content.get("causes", [])))


def summary(message: str) -> str:
    """One line about a line of a log: of a traceback its last line, which is the error; else its causes."""
    content = _fields(message)
    if content is None:
        return " ".join(message.split())
    traceback = str(content.get("traceback") or content.get("bug") or "").strip()
    causes = content.get("causes") or content.get("cause")
    if not traceback and not causes:
        return message
    error = traceback.splitlines()[-1] if traceback else causes
    words = [str(content[name]) for name in ("event", "status") if name in content]
    shown = "; ".join(map(str, error)) if isinstance(error, list) else str(error)
    return f"{' '.join(words)}: {' '.join(shown.split())}".lstrip(": ")


def recent_errors(log: LogGroup, most: int = 3) -> list[Line]:
    """The newest different errors of the last hour, at most so many, the oldest one first. Raises AccountError."""
    for seconds in WINDOWS_S:
        found = _different(line for line in log.lines(time.time() - seconds, MOST_PAGES) if says_error(line.message))
        if found:
            return found[-most:]
    return []


def last_lines(log: LogGroup, since: float, most: int = 12) -> list[Line]:
    """The last lines since a moment, and the last different errors before them. Raises AccountError."""
    lines = list(log.lines(since, MOST_PAGES))
    errors = _different(line for line in lines[:-most] if says_error(line.message))
    return [*errors[-most:], *lines[-most:]]


def errors_since(log: LogGroup, since: float, most: int = 5) -> list[Line]:
    """The last different errors since a moment; without an error, the last lines of another kind than that of a
    request that was answered, which the model of before writes too. Raises AccountError.
    """
    lines = list(log.lines(since, MOST_PAGES))
    errors = _different(line for line in lines if says_error(line.message))
    return errors[-most:] or [line for line in lines if not _is_answer(line.message)][-most:]


def _is_answer(message: str) -> bool:
    content = _fields(message)
    return content is not None and content.get("event") == "answered"


def _different(lines: Iterable[Line]) -> list[Line]:
    """The last one of the lines that differ in numbers alone, in the order of their times."""
    last: dict[str, Line] = {}
    for line in lines:
        shape = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+", "0", summary(line.message))
        last.pop(shape, None)
        last[shape] = line
    return list(last.values())


def _fields(message: str) -> dict[str, Any] | None:
    """The fields of a line of JSON; None for other text."""
    if not message.startswith("{"):
        return None
    try:
        found = json.loads(message)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
