"""Send every photo and attack to a server on loopback, and print the responses.

    python -m tests.security.send_all PORT [SHARE]

A program, so that it can be run inside a network that only the server and it share (nsenter).
"""

import json
import sys
import urllib.request
from urllib.error import HTTPError

from tests.builders import LABELS, any_photo, colour_of
from tests.patience import PATIENCE_S
from tests.security.barrage import Body, Caller
from tests.security.make_attacks import all_attacks


def bodies(share: int = 1) -> list[Body]:
    """Photos of every breed in every format, and every attack, or one in `share`."""
    kinds = [(index, kind) for index in range(len(LABELS)) for kind in ("JPEG", "PNG", "WEBP")]
    photos = [Body(f"{LABELS[index]}.{kind}", any_photo(colour_of(index), format=kind)) for index, kind in kinds]
    return photos + [Body(attack.name, attack.body(), attack.content_type) for attack in all_attacks()[::share]]


def ping(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def responses(port: int, share: int = 1) -> dict[str, tuple[int, object]]:
    """Status and document of each response, by the name of the body."""
    caller = Caller(port)
    found: dict[str, tuple[int, object]] = {"ping": (ping(port), None)}
    for body in bodies(share):
        status, answer = caller.send(body)
        found[body.name] = status, json.loads(answer)
    caller.close()
    return found


if __name__ == "__main__":
    print(json.dumps(responses(*map(int, sys.argv[1:]))))
