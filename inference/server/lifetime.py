"""The server from its start to its end: it loads the model while it serves, and drains after a signal."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
import uvicorn
from starlette.types import ASGIApp

from inference.artifact import ArtifactError
from inference.memory import return_large_blocks
from inference.photo.limits import PHOTO_BYTES
from inference.server import output
from inference.server.app import application
from inference.server.connections import BACKLOG, limited_protocol
from inference.server.listener import WAITING
from inference.server.log import log
from inference.server.service import Service

DRAIN_S = 25
"""How long requests in flight may take after SIGTERM. SageMaker kills a container 30 s after it."""

KEEP_ALIVE_S = 75
"""Longer than a proxy keeps an idle connection, so that a connection is never closed while a request is in transit."""


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(WAITING)  # asyncio has set the system's queue to BACKLOG


def _server(app: ASGIApp) -> _Server:
    config = uvicorn.Config(
        app,
        http=limited_protocol(),
        backlog=BACKLOG,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
    return _Server(config)


async def _serve(server: _Server, service: Service, listener: socket.socket) -> None:
    """Serve on `listener` until SIGTERM or SIGINT, then drain. End at once if the model cannot be loaded."""

    async def load() -> None:
        try:
            await anyio.to_thread.run_sync(service.load)
        except ArtifactError as error:
            service.failure = str(error)
        except Exception as error:  # MemoryError, or OSError while reading: one sentence instead of a traceback
            service.failure = f"The model could not be loaded ({type(error).__name__}: {error})."
        server.should_exit |= service.failure is not None

    loading = asyncio.create_task(load())
    await server.serve(sockets=[listener])
    await loading


def run(model_dir: Path, listener: socket.socket, *, application: Callable[[Service], ASGIApp] = application) -> int:
    """Serve the artifact in `model_dir` until a signal. Returns the exit code: 1 if the model cannot be loaded.

    application: makes what is served, over the model's service.
    """
    output.use_for_standard_streams()
    # force: a library that logged while it was imported may have configured the root logger already
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # its warnings are about hostile requests
    return_large_blocks()
    # libjpeg's own memory limit, in 1000 bytes: libjpeg may read a larger size from a file than Pillow does
    os.environ["JPEGMEM"] = str(PHOTO_BYTES // 1000)
    service = Service(model_dir)
    server = _server(application(service))
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn's own handler, which it installs only once its loop runs: it drains, and the exit code is 0. A handler
        # that raised an exception could do so while asyncio makes the loop.
        signal.signal(number, server.handle_exit)

    host, port = listener.getsockname()[:2]
    log("listening", host=host, port=port, user=os.getuid())
    asyncio.run(_serve(server, service, listener))
    if service.failure:
        print(f"MODEL LOAD FAILED: {service.failure}", file=sys.stderr)
        return 1
    return 0
