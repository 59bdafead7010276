"""A request's deadline: one clock for all calls that are made for it."""

import time
from dataclasses import dataclass
from typing import Protocol, Self

RESERVE_S = 0.5
"""Reserved for the response, before Lambda ends the function without one."""
WITHOUT_CONTEXT_S = 25.0
"""Below API Gateway's 29 s."""


class LambdaContext(Protocol):
    """The part of Lambda's context object that is used here."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Deadline:
    at_s: float
    """On the clock of `time.monotonic`."""

    @classmethod
    def of(cls, context: LambdaContext | None) -> Self:
        """The function's own time limit, less the reserve."""
        left_s = context.get_remaining_time_in_millis() / 1000 - RESERVE_S if context else WITHOUT_CONTEXT_S
        return cls(time.monotonic() + left_s)

    def left_s(self) -> float:
        return self.at_s - time.monotonic()
