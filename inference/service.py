"""The model over HTTP: SageMaker's container contract as an ASGI application.

GET /ping is 200 only once a real prediction has worked, and while predictions work. POST /invocations takes the bytes
of one JPEG, PNG or WebP photo and answers {"predictions": [{"breed": ..., "probability": ...}, ...], "model":
"<manifest id>"}, best first. The header `X-Amzn-SageMaker-Custom-Attributes: top_k=N` asks for N breeds.
What cannot be answered is {"error": {"code": ..., "message": ...}}, and each invocation is one JSON line in the log.
"""

import json
import logging
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inference.artifact import ArtifactError
from inference.classifier import DEFAULT_TOP_K, Classifier, usable_cores
from inference.errors import RequestError
from inference.intake import Intake

MAX_BODY_BYTES = 6 * 1024 * 1024
"""SageMaker's own limit on a real-time request."""

BODIES_BYTES = 8 * MAX_BODY_BYTES
"""Of all bodies in memory, arriving or waiting for a core."""

CONTENT_TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "application/x-image"})
ACCEPTS = frozenset({"*/*", "application/*", "application/json"})

BODY_S = 30
"""A photo that takes longer to arrive is given up: its caller has 60 s in all."""

MAX_PENDING = 64
"""Photos in memory, predicted or waiting for a core. One more caller is sent away at once, not kept past his 60 s."""

STUCK_S = 60
"""A prediction that runs longer has no caller left, and the model is taken to have stopped answering."""

logger = logging.getLogger("kennel.serving")


class Service:
    """The model's life in the server: loading, then ready or failed for good; not ready while it does not answer."""

    def __init__(self, model_dir: Path) -> None:
        self._model_dir = model_dir
        self._classifier: Classifier | None = None
        self._broken = False
        self._running: dict[object, float] = {}
        self.failure: str | None = None

    @property
    def ready(self) -> bool:
        stuck = any(time.monotonic() - since > STUCK_S for since in list(self._running.values()))
        return self._classifier is not None and not self._broken and not stuck

    def load(self) -> None:
        """Load the artifact, which makes one real prediction; only then is the service ready.

        Raises ArtifactError where that does not work.
        """
        started = time.perf_counter()
        classifier = Classifier(self._model_dir)
        self._classifier = classifier
        log("ready", model=classifier.model_id, breeds=len(classifier.labels), load_s=_since(started))

    def answer(self, photo: bytes, top_k: int) -> dict[str, object]:
        """The body of the answer to one photo. Raises RequestError, and anything else only through a fault of ours."""
        classifier = self._classifier
        if classifier is None:
            raise RequestError(503, "loading", "The model is still being loaded; try again in a second.")
        call = object()
        self._running[call] = time.monotonic()
        try:
            predictions = classifier.predict(photo, top_k=top_k)
        except RequestError:
            raise
        except Exception:
            self._broken = not _answers(classifier)  # one odd photo must not take the service down
            raise
        finally:
            del self._running[call]
        self._broken = False
        return {
            "predictions": [{"breed": p.breed, "probability": round(p.probability, 6)} for p in predictions],
            "model": classifier.model_id,
        }


def application(service: Service) -> Starlette:
    """The ASGI application over `service`."""
    # One prediction uses every core it can; more at once would only take turns and hold more memory.
    cores = anyio.CapacityLimiter(usable_cores())
    bodies = Intake(largest=MAX_BODY_BYTES, memory=BODIES_BYTES, seconds=BODY_S)
    pending = 0

    async def ping(_: Request) -> Response:
        ready = service.ready
        return JSONResponse({"status": "ready" if ready else "not ready"}, status_code=200 if ready else 503)

    async def invocations(request: Request) -> Response:
        nonlocal pending
        started = time.perf_counter()
        try:
            # the body first: a client that is still sending does not see an answer
            async with bodies.body(request.stream()) as photo:
                _check_types(request)
                top_k = _top_k(request)
                if pending >= MAX_PENDING:
                    raise RequestError(429, "busy", f"{pending} photos are waiting already; try again in a second.")
                pending += 1
                try:
                    answer = JSONResponse(await anyio.to_thread.run_sync(service.answer, photo, top_k, limiter=cores))
                finally:
                    pending -= 1
        except RequestError as error:
            log("refused", status=error.status, code=error.code, ms=_since(started, 1000))
            return _refusal(error.status, error.code, error.message)
        except ClientDisconnect:
            log("abandoned", ms=_since(started, 1000))
            return Response(status_code=499)  # nobody reads it
        except Exception:  # a bug, not the caller's fault: the log has the traceback, the caller has a sentence
            log("failed", status=500, ms=_since(started, 1000), traceback=traceback.format_exc())
            message = "The model failed on this photo through a fault of its own; the service's log has the cause."
            return _refusal(500, "internal", message)
        log("answered", status=200, bytes=len(photo), ms=_since(started, 1000))
        return answer

    async def no_such_route(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - for mypy: Starlette's handlers take any exception
        message = "Ask GET /ping or POST /invocations; there is nothing else here."
        return _refusal(error.status_code, "no_such_route", message, error.headers)

    app = Starlette(
        routes=[Route("/ping", ping), Route("/invocations", invocations, methods=["POST"])],
        exception_handlers={HTTPException: no_such_route},
    )
    app.router.redirect_slashes = False
    return app


def _refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    retry = {"Retry-After": "1"} if status in (429, 503) else {}
    body = {"error": {"code": code, "message": message}}
    return JSONResponse(body, status_code=status, headers={**retry, **(headers or {})})


def _answers(classifier: Classifier) -> bool:
    try:
        classifier.check()
    except ArtifactError as error:
        log("broken", cause=str(error))
        return False
    return True


def _check_types(request: Request) -> None:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent not in CONTENT_TYPES:
        raise RequestError(
            415, "unsupported_type", f"The content type is {sent[:60]!r}; send image/jpeg, image/png or image/webp."
        )
    accept = ",".join(request.headers.getlist("accept"))
    accepted = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if accept.strip() and not accepted & ACCEPTS:
        raise RequestError(406, "not_acceptable", "Answers are application/json; ask for that in the Accept header.")


def _top_k(request: Request) -> int:
    attributes = request.headers.get("x-amzn-sagemaker-custom-attributes", "")
    for attribute in attributes.split(","):
        name, _, value = attribute.partition("=")
        if name.strip() == "top_k":
            digits = value.strip()
            if not (digits.isascii() and digits.isdigit() and len(digits) <= 4 and 1 <= int(digits) <= 1000):
                raise RequestError(400, "bad_top_k", f"top_k is {digits[:20]!r}; give a whole number from 1 to 1000.")
            return int(digits)
    return DEFAULT_TOP_K


def _since(started: float, scale: int = 1) -> float:
    return round((time.perf_counter() - started) * scale, 3)


def log(event: str, **fields: object) -> None:
    logger.info(json.dumps({"event": event, **fields}))
