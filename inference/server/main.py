"""The serving container's process: a web server around `app.py`.

python -m inference.server --model-dir DIR --port 8080
curl --data-binary @dog.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8080/invocations
"""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import anyio.to_thread
import uvicorn

from inference.artifact import ArtifactError
from inference.memory import return_large_blocks
from inference.photo.limits import DECODING
from inference.server.app import application
from inference.server.connections import BACKLOG, limited_protocol
from inference.server.log import log
from inference.server.service import Service

DRAIN_S = 25
"""How long requests in flight may take after SIGTERM. SageMaker kills a container 30 s after it."""

KEEP_ALIVE_S = 75
"""Longer than a proxy keeps an idle connection, so that a connection is never closed while a request is in transit."""

WAITING = 2048
"""Connections that the system queues until they are accepted."""


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(WAITING)  # asyncio has set the system's queue to BACKLOG


async def serve(service: Service, listener: socket.socket) -> None:
    """Serve on `listener` until SIGTERM or SIGINT, then drain. End at once if the model cannot be loaded."""
    config = uvicorn.Config(
        application(service),
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
    server = _Server(config)

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


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the address. Raises OSError if that fails, and OverflowError for an impossible port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only if the protocol is named; it costs 40 ms for each response on a kept
    # connection.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(WAITING)  # now: two sockets can be bound to one port, but only one can listen
    except BaseException:
        listener.close()
        raise
    return listener


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m inference.server",
        description="Serve a model artifact over HTTP, to SageMaker's container contract.",
        epilog="example: python -m inference.server --model-dir build/rehearsal/job/model --port 8080",
    )
    parser.add_argument(
        "command", nargs="?", choices=["serve"], help="SageMaker passes it to the container; may be left out"
    )
    parser.add_argument(
        "--model-dir", type=Path, default=Path("/opt/ml/model"), help="the artifact's folder (default: %(default)s)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"), help="default: %(default)s"
    )
    arguments = parser.parse_args()
    # force: a library that logged while it was imported may have configured the root logger already
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # its warnings are about hostile requests
    return_large_blocks()
    # libjpeg's own memory limit, in 1000 bytes: libjpeg may read a larger size from a file than Pillow does
    os.environ["JPEGMEM"] = str(DECODING.size // 1000)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn drains on these signals and raises them again; this handler makes the exit code 0
        signal.signal(number, lambda *_: sys.exit(0))

    try:
        listener = listen(arguments.host, arguments.port)
    except OverflowError:
        print(f"There is no port {arguments.port}; give a --port from 0 to 65535.", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"Cannot listen on {arguments.host}:{arguments.port} ({error.strerror}); "
            "stop the process that uses the port, or give another --port or --host.",
            file=sys.stderr,
        )
        return 1
    log("listening", host=arguments.host, port=listener.getsockname()[1])
    service = Service(arguments.model_dir)
    with listener:
        asyncio.run(serve(service, listener))
    if service.failure:
        print(f"MODEL LOAD FAILED: {service.failure}", file=sys.stderr)
        return 1
    return 0
