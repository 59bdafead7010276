"""The model over HTTP: SageMaker's container contract as an ASGI application.

GET /ping is 200 only once a real prediction has worked, and while predictions work. POST /invocations takes the bytes
of one JPEG, PNG or WebP photo and answers {"predictions": [{"breed": ..., "probability": ...}, ...], "model":
"<manifest id>"}, best first. The header `X-Amzn-SageMaker-Custom-Attributes: top_k=N` asks for N breeds.
A batch, application/json of {"images": ["<base64>", ...]}, is answered {"results": [...], "model": ...}: for each of
its photos, in their order, {"predictions": [...]} or the {"error": ...} that it alone would have got.
What cannot be answered is {"error": {"code": ..., "message": ...}}, and each invocation is one JSON line in the log.
"""

import asyncio
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
from inference.photo.errors import PhotoError
from inference.server import batch
from inference.server.admission import Admission
from inference.server.bodies import Intake
from inference.server.errors import BusyError, RequestError

MAX_BODY_BYTES = 6 * 1024 * 1024
"""SageMaker's own limit on a real-time request."""

BODIES_BYTES = 8 * MAX_BODY_BYTES
"""Of all bodies in memory, arriving or waiting for a core."""

CONTENT_TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "application/x-image", batch.CONTENT_TYPE})
ACCEPTS = frozenset({"*/*", "application/*", "application/json"})

BODY_S = 30
"""A photo that takes longer to arrive is given up: its caller has 60 s in all."""

STUCK_S = 60
"""A prediction that runs longer has no caller left, and the model is taken to have stopped answering."""

FAULT = ("internal", "The model failed on this photo through a fault of its own; the service's log has the cause.")
"""Code and message of what is not the caller's doing."""

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

    def predictions(self, photo: bytes, top_k: int) -> list[dict[str, object]]:
        """The predictions for one photo, best first.

        Raises RequestError where the model is not loaded or the photo cannot be decoded. Any other exception is a bug.
        """
        classifier, call = self.classifier, object()
        self._running[call] = time.monotonic()
        try:
            predictions = classifier.predict(photo, top_k=top_k)
        except PhotoError as error:
            raise RequestError.of_photo(error) from error
        except Exception:
            self._broken = not _answers(classifier)  # one odd photo must not take the service down
            raise
        finally:
            del self._running[call]
        self._broken = False
        return [{"breed": p.breed, "probability": round(p.probability, 6)} for p in predictions]

    @property
    def classifier(self) -> Classifier:
        """Raises RequestError while it is still being loaded."""
        if self._classifier is None:
            raise RequestError(503, "loading", "The model is still being loaded; try again in a second.")
        return self._classifier


def application(service: Service) -> Starlette:
    """The ASGI application over `service`."""
    # One prediction uses every core it can; more at once would only take turns and hold more memory.
    cores = anyio.CapacityLimiter(usable_cores())
    bodies = Intake(largest=MAX_BODY_BYTES, memory=BODIES_BYTES, seconds=BODY_S)
    admission = Admission(usable_cores())

    async def ping(_: Request) -> Response:
        ready = service.ready
        return JSONResponse({"status": "ready" if ready else "not ready"}, status_code=200 if ready else 503)

    async def invocations(request: Request) -> Response:
        started, arrived = time.perf_counter(), time.monotonic()

        async def predicted(photo: bytes) -> list[dict[str, object]]:
            def work() -> list[dict[str, object]]:
                with admission.work(arrived):
                    return service.predictions(photo, top_k)

            return await anyio.to_thread.run_sync(work, limiter=cores)

        async def result(photo: bytes) -> dict[str, object]:
            try:
                return {"predictions": await predicted(photo)}
            except RequestError as error:  # one bad photo does not cost the others their answers
                return _error(error.code, error.message)
            except Exception:
                log("failed", ms=_since(started, 1000), traceback=traceback.format_exc())
                return _error(*FAULT)

        try:
            # the body first: a client that is still sending does not see an answer
            async with bodies.body(request.stream()) as body:
                kind = _content_type(request)
                top_k = _top_k(request)
                model = service.classifier.model_id
                admission.check()  # before a batch is taken apart: who is refused is to know at once
                photos = await anyio.to_thread.run_sync(batch.photos, body) if kind == batch.CONTENT_TYPE else [body]
                with admission.photos(len(photos)):
                    if kind == batch.CONTENT_TYPE:
                        answer: dict[str, object] = {"results": await asyncio.gather(*map(result, photos))}
                    else:
                        answer = {"predictions": await predicted(body)}
        except RequestError as error:
            log("refused", status=error.status, code=error.code, ms=_since(started, 1000))
            wait = {"Retry-After": str(error.retry_after_s)} if isinstance(error, BusyError) else None
            return _refusal(error.status, error.code, error.message, wait)
        except ClientDisconnect:
            log("abandoned", ms=_since(started, 1000))
            return Response(status_code=499)  # nobody reads it
        except Exception:  # a bug, not the caller's fault: the log has the traceback, the caller has a sentence
            log("failed", status=500, ms=_since(started, 1000), traceback=traceback.format_exc())
            return _refusal(500, *FAULT)
        log("answered", status=200, photos=len(photos), bytes=len(body), ms=_since(started, 1000))
        return JSONResponse({**answer, "model": model})

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
    retry = {"Retry-After": "1"} if status == 503 else {}
    return JSONResponse(_error(code, message), status_code=status, headers={**retry, **(headers or {})})


def _error(code: str, message: str) -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


def _answers(classifier: Classifier) -> bool:
    try:
        classifier.check()
    except ArtifactError as error:
        log("broken", cause=str(error))
        return False
    return True


def _content_type(request: Request) -> str:
    """Of the body. Raises RequestError where it is not ours (415), or no answer of ours is wanted (406)."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent not in CONTENT_TYPES:
        raise RequestError(
            415,
            "unsupported_type",
            f"The content type is {sent[:60]!r}; send image/jpeg, image/png or image/webp, or a "
            "batch as application/json.",
        )
    accept = ",".join(request.headers.getlist("accept"))
    accepted = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if accept.strip() and not accepted & ACCEPTS:
        raise RequestError(406, "not_acceptable", "Answers are application/json; ask for that in the Accept header.")
    return sent


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
