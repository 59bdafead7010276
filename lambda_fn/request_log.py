"""One JSON line in the log for each request: sizes, times and causes, never the photo."""

import json
import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import Self

from lambda_fn.deadline import LambdaContext
from lambda_fn.errors import Response
from lambda_fn.photo import Photo

MAX_CAUSE_CHARACTERS = 500
MAX_TRACEBACK_CHARACTERS = 4000


@dataclass(kw_only=True, slots=True)
class RequestLog:
    request_id: str = "none"
    source: str | None = None
    """Where the photo came from: `event` or `s3`."""
    photo_bytes: int | None = None
    content_type: str | None = None
    attempts: int = 0
    """Calls to AWS, retries included."""
    causes: list[str] = field(default_factory=list)
    bug: str | None = None
    started_s: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, context: LambdaContext | None) -> Self:
        return cls(request_id=str(getattr(context, "aws_request_id", "none")))

    def note_photo(self, source: str, photo: Photo) -> None:
        self.source, self.photo_bytes, self.content_type = source, len(photo.data), photo.content_type

    def note_cause(self, error: Exception) -> None:
        """Record AWS's error for the operator. The caller gets the fault's sentence instead."""
        self.causes.append(f"{type(error).__name__}: {error}"[:MAX_CAUSE_CHARACTERS])

    def note_bug(self) -> None:
        """Record the traceback of the exception that is being handled."""
        self.bug = traceback.format_exc()[-MAX_TRACEBACK_CHARACTERS:]

    def write(self, response: Response) -> None:
        line = {
            "request_id": self.request_id,
            "status": response["statusCode"],
            "ms": round((time.monotonic() - self.started_s) * 1000, 1),
            "source": self.source,
            "bytes": self.photo_bytes,
            "content_type": self.content_type,
            "attempts": self.attempts,
            "causes": self.causes,
            "bug": self.bug,
        }
        # one write, because Lambda makes each write a log event
        sys.stdout.write(json.dumps({name: value for name, value in line.items() if value not in (None, [])}) + "\n")
