"""The serving container's process: the command line, the socket and the user, and then the web server.

python -m inference.server --model-dir DIR --port 8080
curl --data-binary @dog.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8080/invocations
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from inference.server.admission import ANSWER_WITHIN, LIMIT_S
from inference.server.listener import listen
from inference.server.privileges import PrivilegeError, give_up_root


def main() -> int:
    arguments = _parser().parse_args()
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
    with listener:
        if arguments.user is not None:
            try:
                give_up_root(arguments.user)
            except PrivilegeError as error:
                print(
                    f"Cannot become user {arguments.user} ({error}); start the server as an ordinary user, in Docker "
                    f"with --user {arguments.user}.",
                    file=sys.stderr,
                )
                return 1
        # Imported now: NumPy starts threads when it is imported, and they would keep root's capabilities. So no code
        # but the standard library's and this package's ever runs as root.
        from inference.server import lifetime
        from inference.server.app import application

        limited = partial(application, answer_within_s=arguments.answer_within)
        return lifetime.run(arguments.model_dir, listener, application=limited)


def _parser() -> argparse.ArgumentParser:
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
    parser.add_argument(
        "--answer-within",
        type=_seconds,
        default=os.environ.get(ANSWER_WITHIN, str(LIMIT_S)),
        metavar="SECONDS",
        help="how long callers wait: a photo that could not be answered by then is refused at once (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--user",
        type=_ordinary_user,
        metavar="UID",
        help="where root starts the server: the user and group that it becomes before it reads the model or a request "
        "(default: root stays root)",
    )
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= LIMIT_S:
        raise argparse.ArgumentTypeError(f"{text} is not a time; give one of more than 0 and at most {LIMIT_S} seconds")
    return seconds


def _ordinary_user(text: str) -> int:
    user = int(text)
    if not 0 < user < 2**32 - 1:
        raise argparse.ArgumentTypeError(f"{user} is not the number of an ordinary user; give one from 1 to 4294967294")
    return user
