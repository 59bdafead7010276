"""The load that is simulated: the calls of each minute, drawn for a rate or read from a trace."""

import csv
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from contract.text import printable
from ops.capacity.errors import CapacityError

MINUTE_S = 60
MOST_CALLS = 3_000_000
"""About a minute of simulation."""
MOST_MINUTES = 10_080
"""A week."""


@dataclass(frozen=True, slots=True)
class Load:
    """The calls of each minute, oldest first. name: what the operator asked for."""

    calls: Sequence[int]
    name: str

    @property
    def peak_per_s(self) -> float:
        """Calls in a second of the busiest minute."""
        return max(self.calls, default=0) / MINUTE_S


def constant(rate: float, minutes: int, seed: int) -> Load:
    """Independent callers, `rate` calls a second on average. Raises CapacityError if they are too many."""
    name = f"{rate:,g} calls a second for {_minutes(minutes)}"
    _check(rate * MINUTE_S * minutes, minutes, name, "Simulate fewer minutes with --minutes; 0 prints the needs alone.")
    random_ = random.Random(seed)
    return Load([_poisson(rate * MINUTE_S, random_) for _ in range(minutes)], name)


def trace(path: Path) -> Load:
    """Read a CSV file with one line for each minute: the time and the number of calls in this minute.

    The time is a number of minutes, or a date and time in the form 2026-11-28T09:00; a first line may name the columns.
    Minutes that are left out have no calls. Raises CapacityError for anything else, with the line's number.
    """
    lines = _lines(path)
    if not lines:
        raise CapacityError(f"{printable(path)} has no line with a time and a number of calls, such as 0,120.")
    first = min(minute for minute, _ in lines)
    last = max(minute for minute, _ in lines)
    minutes = last - first + 1
    name = f"the trace {printable(path.name)} of {_minutes(minutes)}"
    _check(sum(calls for _, calls in lines), minutes, name, "Give a shorter part of it.")
    found = [0] * minutes
    for minute, calls in lines:
        found[minute - first] += calls
    return Load(found, name)


def with_canary(load: Load, every_min: int) -> Load:
    """With the canary's call every so many minutes (serving.canary_interval_min); 0: there is no canary."""
    if not every_min:
        return load
    return Load([calls + (number % every_min == 0) for number, calls in enumerate(load.calls)], load.name)


def arrivals(calls: int, random_: random.Random) -> list[float]:
    """The seconds after the minute's start at which its calls arrive, in order."""
    return sorted(random_.random() * MINUTE_S for _ in range(calls))


def _lines(path: Path) -> list[tuple[int, int]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(enumerate(csv.reader(file), start=1))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CapacityError(f"{printable(path)} cannot be read: {printable(error)}. Give a CSV file.") from None
    found: list[tuple[int, int]] = []
    for number, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        line = _line(row)
        names_columns = number == 1 and not any(any(letter.isdigit() for letter in cell) for cell in row)
        if line is None and not names_columns:
            raise CapacityError(
                f"Line {number} of {printable(path)} is {printable(','.join(row))!r}. Write a time and a whole number "
                "of calls, such as 0,120 or 2026-11-28T09:00,120."
            )
        if line is not None:
            found.append(line)
    return found


def _line(row: Sequence[str]) -> tuple[int, int] | None:
    """The minute and its calls; None if the line is something else."""
    if len(row) != 2:
        return None
    time, calls = (cell.strip() for cell in row)
    minute = _minute(time)
    try:
        count = float(calls)
    except ValueError:
        return None
    if minute is None or not math.isfinite(count) or count < 0 or not count.is_integer():
        return None
    return minute, int(count)


def _minute(time: str) -> int | None:
    if time.isascii() and time.isdigit():
        return int(time)
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return None
    since = datetime(1970, 1, 1, tzinfo=moment.tzinfo)  # not timestamp(): the machine's time zone would count
    return int((moment - since).total_seconds() // MINUTE_S)


def _check(calls: float, minutes: int, name: str, remedy: str) -> None:
    if calls > MOST_CALLS or minutes > MOST_MINUTES:
        raise CapacityError(
            f"{name[0].upper()}{name[1:]} have {calls:,.0f} calls. At most {MOST_CALLS:,} calls and {MOST_MINUTES:,} "
            f"minutes are simulated. {remedy}"
        )


def _minutes(count: int) -> str:
    return f"{count:,} {'minute' if count == 1 else 'minutes'}"


def _poisson(mean: float, random_: random.Random) -> int:
    """Calls in a minute: counted for a small mean, from the normal distribution for a large one."""
    if mean > 1000:
        return max(0, round(random_.gauss(mean, math.sqrt(mean))))
    count, time = 0, 0.0
    while mean > 0:
        time += random_.expovariate(mean)
        if time > 1:
            break
        count += 1
    return count
