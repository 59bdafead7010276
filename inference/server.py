"""The serving container's web server, to SageMaker's contract.

    python -m inference.server --model-dir DIR --port 8080
    curl --data-binary @dog.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8080/invocations

GET /ping is 200 only once a real prediction has worked. POST /invocations takes the bytes of one JPEG, PNG or WebP
photo and answers {"predictions": [{"breed": ..., "probability": ...}, ...], "model": "<manifest id>"}, best first.
The header `X-Amzn-SageMaker-Custom-Attributes: top_k=N` asks for N breeds.
"""

import argparse
import asyncio
import contextlib
import io
import json
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inference.artifact import ArtifactError
from inference.classifier import DEFAULT_TOP_K, Classifier, usable_cores
from inference.errors import RequestError

MAX_BODY_BYTES = 6 * 1024 * 1024
"""SageMaker's own limit on a real-time request."""

CONTENT_TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "application/x-image"})
ACCEPTS = frozenset({"", "*/*", "application/*", "application/json"})

DRAIN_S = 25
"""SageMaker kills a container 30 s after SIGTERM; requests in flight have this long to end."""

logger = logging.getLogger("kennel.serving")


class Service:
    """The model's life in the server: loading, ready, or failed for good."""

    def __init__(self, model_dir: Path) -> None:
        self._model_dir = model_dir
        self._classifier: Classifier | None = None
        self.failure: str | None = None

    @property
    def ready(self) -> bool:
        return self._classifier is not None

    def load(self) -> None:
        """Load the artifact and make one real prediction; only then is the service ready.

        Raises ArtifactError where either does not work.
        """
        started = time.perf_counter()
        classifier = Classifier(self._model_dir)
        try:
            classifier.predict(_any_photo())
        except Exception as error:
            raise ArtifactError(f"The model loads but cannot predict ({type(error).__name__}); train again.") from error
        self._classifier = classifier
        _log("ready", model=classifier.model_id, breeds=len(classifier.labels), load_s=_since(started))

    def answer(self, photo: bytes, top_k: int) -> dict[str, object]:
        if self._classifier is None:
            raise RequestError(503, "loading", "The model is still being loaded; try again in a second.")
        predictions = self._classifier.predict(photo, top_k=top_k)
        return {
            "predictions": [{"breed": p.breed, "probability": round(p.probability, 6)} for p in predictions],
            "model": self._classifier.model_id,
        }


def application(service: Service) -> Starlette:
    """The ASGI application over `service`, which it loads in the background once it listens."""
    # One prediction uses every core it can; more at once would only take turns and hold more memory.
    workers = anyio.CapacityLimiter(usable_cores())

    async def ping(_: Request) -> Response:
        return JSONResponse(
            {"status": "ready" if service.ready else "loading"}, status_code=200 if service.ready else 503
        )

    async def invocations(request: Request) -> Response:
        started = time.perf_counter()
        try:
            top_k = _top_k(request)
            _check_types(request)
            photo = await _body(request)
            answer = await anyio.to_thread.run_sync(service.answer, photo, top_k, limiter=workers)
        except RequestError as error:
            _log("refused", status=error.status, code=error.code, ms=_since(started, 1000))
            return JSONResponse({"error": {"code": error.code, "message": error.message}}, status_code=error.status)
        except Exception:  # a bug, not the caller's fault: the log has the traceback, the caller has a sentence
            logger.exception("unhandled")
            message = "The model failed on this photo through a fault of its own; the service's log has the cause."
            return JSONResponse({"error": {"code": "internal", "message": message}}, status_code=500)
        _log("answered", bytes=len(photo), ms=_since(started, 1000))
        return JSONResponse(answer)

    async def load() -> None:
        try:
            await anyio.to_thread.run_sync(service.load)
        except ArtifactError as error:
            service.failure = str(error)
        except Exception as error:  # MemoryError, OSError while reading: still one line, then the end
            service.failure = f"The model could not be loaded ({type(error).__name__}: {error})."

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        loading = asyncio.create_task(load())
        yield
        loading.cancel()

    return Starlette(
        routes=[Route("/ping", ping), Route("/invocations", invocations, methods=["POST"])],
        lifespan=lifespan,
    )


async def _body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    chunks, size = [], int(declared) if declared.isdigit() else 0
    if size <= MAX_BODY_BYTES:
        size = 0
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                break
    if size > MAX_BODY_BYTES:
        raise RequestError(413, "too_large", f"The photo is larger than {MAX_BODY_BYTES // 2**20} MiB; scale it down.")
    return b"".join(chunks)


def _check_types(request: Request) -> None:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent not in CONTENT_TYPES:
        raise RequestError(
            415, "unsupported_type", f"The content type is {sent[:60]!r}; send image/jpeg, image/png or image/webp."
        )
    accepted = {part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")}
    if not accepted & ACCEPTS:
        raise RequestError(406, "not_acceptable", "Answers are application/json; ask for that in the Accept header.")


def _top_k(request: Request) -> int:
    attributes = request.headers.get("x-amzn-sagemaker-custom-attributes", "")
    for attribute in attributes.split(","):
        name, _, value = attribute.partition("=")
        if name.strip() == "top_k":
            if not value.strip().isdecimal() or not 1 <= int(value) <= 1000:
                raise RequestError(
                    400, "bad_top_k", f"top_k is {value.strip()[:20]!r}; give a whole number from 1 to 1000."
                )
            return int(value)
    return DEFAULT_TOP_K


def _any_photo() -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


def _since(started: float, scale: int = 1) -> float:
    return round((time.perf_counter() - started) * scale, 3)


def _log(event: str, **fields: object) -> None:
    logger.info(json.dumps({"event": event, **fields}))


async def serve(service: Service, listener: socket.socket) -> None:
    """Serve on `listener` until SIGTERM or SIGINT, then drain; end early where the model cannot be loaded."""
    config = uvicorn.Config(
        application(service),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    server = uvicorn.Server(config)

    async def end_on_failure() -> None:
        while not service.ready:
            if service.failure:
                server.should_exit = True
                return
            await asyncio.sleep(0.02)

    watch = asyncio.create_task(end_on_failure())
    await server.serve(sockets=[listener])
    watch.cancel()


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address. Raises OSError where it is taken or not ours."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m inference.server",
        description="Serve a model artifact over HTTP, to SageMaker's container contract.",
        epilog="example: python -m inference.server --model-dir build/rehearsal/model --port 8080",
    )
    parser.add_argument(
        "command", nargs="?", choices=["serve"], help="what SageMaker calls the container with; may be left out"
    )
    parser.add_argument(
        "--model-dir", type=Path, default=Path("/opt/ml/model"), help="the artifact (default: %(default)s)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")), help="default: %(default)s"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)

    service = Service(arguments.model_dir)
    try:
        listener = listen(arguments.host, arguments.port)
    except (OSError, OverflowError) as error:
        print(
            f"Cannot listen on {arguments.host}:{arguments.port} ({error}); "
            "another process may hold the port, so end it or give another --port.",
            file=sys.stderr,
        )
        return 1
    with listener:
        asyncio.run(serve(service, listener))
    if service.failure:
        print(f"MODEL LOAD FAILED: {service.failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
