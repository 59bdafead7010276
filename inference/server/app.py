"""The model over HTTP: SageMaker's container contract as an ASGI application.

GET /ping is 200 after the first successful prediction, and for as long as predictions succeed. POST /invocations takes
the bytes of one JPEG, PNG or WebP photo and returns {"predictions": [{"breed": ..., "probability": ...}, ...],
"model": "<manifest id>"}, best first. The header `X-Amzn-SageMaker-Custom-Attributes: top_k=N` asks for N breeds.
A batch, JSON of {"images": ["<base64>", ...]}, returns {"results": [...], "model": ...}. Each photo has, in the order
of the request, {"predictions": [...]} or the {"error": ...} that it would have got alone. The bytes of the body decide
which of the two it is, and not the content type.
A refused request returns {"error": {"code": ..., "message": ...}}. Each invocation is one JSON line in the log.
"""

import asyncio
import math
import time
import traceback
from collections.abc import Mapping

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inference.cores import usable_cores
from inference.server import batch, content, headers
from inference.server.admission import LIMIT_S, Admission
from inference.server.batch import EncodedPhoto
from inference.server.bodies import BodyBuffer
from inference.server.errors import REFUSED, BusyError, RequestError
from inference.server.log import elapsed_ms, log
from inference.server.service import Service

MAX_BODY_BYTES = 6 * 1024 * 1024
"""SageMaker's own limit on a real-time request."""

BODIES_BYTES = 10 * MAX_BODY_BYTES
"""Bytes of all bodies in memory, arriving or waiting for a core, and of the photos that are decoded from base64.

Eight of the largest batches fit while two cores work on their photos."""

BODY_TIMEOUT_S = 30
"""A body that takes longer to arrive is refused: its caller has 60 s in all."""

INTERNAL_ERROR = (
    "internal",
    "The service failed on this photo, which is not the caller's mistake; its log has the cause.",
)
"""Code and message of an error that the caller did not cause."""


def application(service: Service, *, answer_within_s: float = LIMIT_S) -> Starlette:
    """The ASGI application over `service`. answer_within_s: how long its callers wait."""
    # One prediction uses every core; more at the same time would not be faster and would use more memory.
    at_once = usable_cores()
    cores = anyio.CapacityLimiter(at_once)
    threads = anyio.CapacityLimiter(math.inf)  # `cores` limits them
    scans = anyio.CapacityLimiter(1)
    bodies = BodyBuffer(max_bytes=MAX_BODY_BYTES, memory=BODIES_BYTES, timeout_s=BODY_TIMEOUT_S)
    admission = Admission(at_once, limit_s=answer_within_s)

    async def ping(_: Request) -> Response:
        ready = service.ready
        return JSONResponse({"status": "ready" if ready else "not ready"}, status_code=200 if ready else 503)

    async def invocations(request: Request) -> Response:
        started, arrived = time.perf_counter(), time.monotonic()

        async def predicted(photo: bytes | EncodedPhoto) -> list[dict[str, object]]:
            def work() -> list[dict[str, object]]:
                with admission.work(arrived):
                    return service.predictions(photo if isinstance(photo, bytes) else photo.decode(), top_k)

            async with cores, bodies.hold(0 if isinstance(photo, bytes) else photo.decoding_bytes):
                return await anyio.to_thread.run_sync(work, limiter=threads)

        async def result(photo: EncodedPhoto) -> dict[str, object]:
            try:
                return {"predictions": await predicted(photo)}
            except RequestError as error:  # the other photos of a batch are still answered
                _release_frames(error)
                return _error(error.code, error.message)
            except Exception as error:
                log("failed", ms=elapsed_ms(started), traceback=traceback.format_exc())
                _release_frames(error)
                return _error(*INTERNAL_ERROR)

        async def results(photos: list[EncodedPhoto]) -> list[dict[str, object]]:
            found: list[dict[str, object]] = [{}] * len(photos)
            waiting = iter(enumerate(photos))

            async def work() -> None:
                for index, photo in waiting:
                    found[index] = await result(photo)

            # one task for each core and not for each photo: a thousand small batches would be 32,000 tasks
            await asyncio.gather(*(work() for _ in range(min(at_once, len(photos)))))
            return found

        try:
            # the body first: a client that is still sending would not see the response
            async with bodies.body(request.stream()) as body:
                headers.check_query(request.scope["query_string"])
                headers.check_accept(request.headers)
                top_k = headers.top_k(request.headers)
                of_batch = content.is_batch(body, headers.content_type(request.headers))
                model = service.classifier.model_id
                admission.check()  # before a batch is scanned, so that a refusal comes at once
                if of_batch:
                    photos = await anyio.to_thread.run_sync(batch.photos, body, limiter=scans)
                    count = len(photos)
                    with admission.photos(count):
                        answer: dict[str, object] = {"results": await results(photos)}
                else:
                    count = 1
                    with admission.photos(count):
                        answer = {"predictions": await predicted(body)}
        except RequestError as error:
            _release_frames(error)
            log("refused", status=error.status, code=error.code, ms=elapsed_ms(started))
            wait = {"Retry-After": str(error.retry_after_s)} if isinstance(error, BusyError) else None
            return _refusal(error.status, error.code, error.message, wait)
        except ClientDisconnect:
            if code := request.scope.get("state", {}).get(REFUSED):
                log("refused", status=400, code=code, ms=elapsed_ms(started))
            else:
                log("abandoned", ms=elapsed_ms(started))
            return Response(status_code=499)  # reaches no caller: it is gone, or has its response
        except Exception as error:  # a bug: the log gets the traceback, the caller a sentence
            log("failed", status=500, ms=elapsed_ms(started), traceback=traceback.format_exc())
            _release_frames(error)
            return _refusal(500, *INTERNAL_ERROR)
        log("answered", status=200, photos=count, bytes=len(body), ms=elapsed_ms(started))
        return JSONResponse({**answer, "model": model})

    async def no_such_route(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - for mypy: Starlette's handlers take any exception
        message = "There are two routes: GET /ping and POST /invocations."
        return _refusal(error.status_code, "no_such_route", message, error.headers)

    app = Starlette(
        routes=[Route("/ping", ping), Route("/invocations", invocations, methods=["POST"])],
        exception_handlers={HTTPException: no_such_route},
    )
    app.router.redirect_slashes = False
    return app


def _release_frames(error: Exception) -> None:
    """Release the frames that an error went through, which refer to the request's body.

    The future of the thread that raised it refers to the error, and one of these frames to the future. So they would
    stay in memory, in no budget, until the garbage collector's next full run.
    """
    error.__traceback__ = None


def _refusal(status: int, code: str, message: str, extra: Mapping[str, str] | None = None) -> Response:
    headers = {**({"Retry-After": "1"} if status == 503 else {}), **(extra or {})}
    # also in the body, because SageMaker passes on a container's body and none of its headers
    wait = {"retry_after_s": int(headers["Retry-After"])} if "Retry-After" in headers else {}
    return JSONResponse(_error(code, message, **wait), status_code=status, headers=headers)


def _error(code: str, message: str, **more: object) -> dict[str, object]:
    return {"error": {"code": code, "message": message, **more}}
