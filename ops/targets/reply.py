"""What a target answers for one photo: a status and a body, and what both mean for the user."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Never

from inference.prediction import Prediction

Ask = Callable[[bytes], list[Prediction]]
"""From the bytes of a photo to its breeds, best first. Raises TargetError, BusyError and RefusedError."""

BUSY = frozenset({429, 503})
"""The target may answer the same request later. https://www.rfc-editor.org/rfc/rfc9110#name-retry-after"""
LONGEST_SENTENCE = 400
"""Characters of another program's sentence that are passed on."""
LONGEST_WAIT_S = 3600.0


class TargetError(Exception):
    """The target can be asked for no photo at all. The message says why, and what to do."""


class RefusedError(Exception):
    """The target has no prediction for one photo. The message says why."""


class BusyError(RefusedError):
    """The same request may succeed after `wait_s` seconds; None if the target does not say when."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An answer over HTTP, or the proxy response of a function."""

    status: int
    body: bytes
    retry_after: str = ""
    """The header Retry-After."""


def predictions_of(reply: Reply) -> list[Prediction]:
    """The breeds in an answer with status 200. Raises BusyError for 429 and 503, and RefusedError for any other."""
    found = _object(reply.body)
    if reply.status == 200:
        return _predictions(found, reply.body)
    error = found.get("error")
    details = error if isinstance(error, dict) else found  # API Gateway writes {"message": "..."}
    message = details.get("message")
    if not isinstance(message, str) or not message:
        message = shortened(reply.body) or "The answer has no text."
    code = details.get("code")
    sentence = f"{message[:LONGEST_SENTENCE]} ({reply.status}{f' {code}' if isinstance(code, str) else ''})"
    if reply.status in BUSY:
        raise BusyError(sentence, seconds(reply.retry_after) or seconds(details.get("retry_after_s")))
    raise RefusedError(sentence)


def seconds(value: object) -> float | None:
    """The wait that a target advises, as a header or a number; None if it is none, such as a date."""
    try:
        found = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return found if 0 < found <= LONGEST_WAIT_S else None


def shortened(body: bytes) -> str:
    """The beginning of a body, for a sentence."""
    return " ".join(body[:LONGEST_SENTENCE].decode(errors="replace").split())


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


def _predictions(found: dict[str, Any], body: bytes) -> list[Prediction]:
    rows = found.get("predictions")
    if not isinstance(rows, list) or not rows or not all(map(_is_prediction, rows)):
        raise RefusedError(
            f"The answer has no predictions, so this is no model of Kennel. It begins: {shortened(body)[:80]}"
        )
    return [Prediction(row["breed"], float(row["probability"])) for row in rows]


def _is_prediction(row: object) -> bool:
    if not isinstance(row, dict):
        return False
    breed, probability = row.get("breed"), row.get("probability")
    if not isinstance(breed, str) or isinstance(probability, bool) or not isinstance(probability, int | float):
        return False
    return 0 <= probability <= 1
