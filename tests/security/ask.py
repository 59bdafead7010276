"""Ask a server on loopback everything that there is to ask, and print the answers.

    python -m tests.security.ask PORT [SHARE]

A program, so that it can be run inside a network that only the server and it share (nsenter).
"""

import json
import sys
import urllib.request
from urllib.error import HTTPError

from tests.builders import LABELS, any_photo, colour_of
from tests.security.barrage import Body, Caller
from tests.security.make_attacks import all_attacks


def questions(share: int = 1) -> list[Body]:
    """Photos of every breed in every format, and one attack in `share`."""
    kinds = [(index, kind) for index in range(len(LABELS)) for kind in ("JPEG", "PNG", "WEBP")]
    photos = [Body(f"{LABELS[index]}.{kind}", any_photo(colour_of(index), format=kind)) for index, kind in kinds]
    return photos + [Body(attack.name, attack.body(), attack.content_type) for attack in all_attacks()[::share]]


def ping(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def answers(port: int, share: int = 1) -> dict[str, tuple[int, object]]:
    """Status and document of each answer, by the question's name."""
    caller = Caller(port)
    told: dict[str, tuple[int, object]] = {"ping": (ping(port), None)}
    for body in questions(share):
        status, answer = caller.ask(body)
        told[body.name] = status, json.loads(answer)
    caller.close()
    return told


if __name__ == "__main__":
    print(json.dumps(answers(*map(int, sys.argv[1:]))))
