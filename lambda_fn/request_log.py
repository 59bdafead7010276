"""What is recorded of each request: a JSON line in the log, with its metrics, and a trace. Never the photo."""

import json
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from lambda_fn import metrics, trace
from lambda_fn.deadline import LambdaContext
from lambda_fn.errors import Response
from lambda_fn.photo import Photo

MAX_CAUSE_CHARACTERS = 500
MAX_TRACEBACK_CHARACTERS = 4000


@dataclass(kw_only=True, slots=True)
class RequestLog:
    request_id: str = "none"
    source: str | None = None
    """Where the photo came from: `event`, `s3` or `url`."""
    photo_bytes: int | None = None
    content_type: str | None = None
    attempts: int = 0
    """Calls to AWS, retries included."""
    causes: list[str] = field(default_factory=list)
    bug: str | None = None
    model: str | None = None
    """The id of the model that answered."""
    top_probability: float | None = None
    """Of the likeliest breed."""
    is_page: bool = False
    """Whether the page was asked for, which is no request for a prediction and has no metrics."""
    stages: list[trace.Stage] = field(default_factory=list)
    began_at: float = field(default_factory=time.time)
    """Seconds since 1970. Times are measured on the other clock, which no one sets."""
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

    def note_answer(self, answer: Mapping[str, object]) -> None:
        """Record the endpoint's answer, as far as it has the expected form."""
        predictions, model = answer.get("predictions"), answer.get("model")
        likeliest = predictions[0] if isinstance(predictions, list) and predictions else None
        probability = likeliest.get("probability") if isinstance(likeliest, dict) else None
        if isinstance(probability, float | int) and 0 <= probability <= 1:
            self.top_probability = float(probability)
        self.model = model if isinstance(model, str) else None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Record how long the block takes: `fetch` or `endpoint`."""
        after_s, failed = time.monotonic() - self.started_s, True
        try:
            yield
            failed = False
        finally:
            seconds = time.monotonic() - self.started_s - after_s
            self.stages.append(trace.Stage(name, after_s, seconds, failed))

    def write(self, response: Response, code: str) -> None:
        """Write the line, and send the trace. code: `ok` or the fault's code."""
        seconds, status = time.monotonic() - self.started_s, response["statusCode"]
        ms = {stage.name: stage.seconds * 1000 for stage in self.stages}
        line = {
            "request_id": self.request_id,
            "status": status,
            "code": code,
            "ms": round(seconds * 1000, 1),
            "source": self.source,
            "bytes": self.photo_bytes,
            "content_type": self.content_type,
            "attempts": self.attempts,
            "model": self.model,
            "causes": self.causes,
            "bug": self.bug,
        }
        line = {name: value for name, value in line.items() if value not in (None, [])}
        if not self.is_page:
            values = {
                "FetchTime": ms.get("fetch"),
                "EndpointTime": ms.get("endpoint"),
                "OwnTime": seconds * 1000 - sum(ms.values()),
                "TopProbability": self.top_probability,
                metrics.outcome(status): 1,
            }
            line |= metrics.embedded({name: round(value, 4) for name, value in values.items() if value is not None})
        # one write, because Lambda makes each write a log event
        sys.stdout.write(json.dumps(line) + "\n")
        trace.send(self.stages, began_at=self.began_at, seconds=seconds, status=status, code=code)
