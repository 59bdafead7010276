"""Which processes could call a local AWS as the account's root. Linux only: it reads /proc."""

import re
from collections.abc import Iterator
from pathlib import Path


def descendants(process: int) -> Iterator[int]:
    """The processes that a process started, and theirs."""
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def environment(process: int) -> dict[str, str]:
    entries = Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def root_keys(variables: dict[str, str], key: str, secret: str) -> list[str]:
    """What of an environment lets its process call AWS as the account's root.

    key, secret: the root's. By itself the engine takes the keys `test`, an empty one and one of 12 digits for root's.
    """
    found = [name for name, value in variables.items() if key in value or secret in value]
    own = variables.get("AWS_ACCESS_KEY_ID")
    if own is not None and re.fullmatch(r"|test|\d{12}", own):
        found.append(f"AWS_ACCESS_KEY_ID={own}")
    return found


def engine_on(port: int) -> int:
    """The engine's process, by its port."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if environment(int(folder.name)).get("GATEWAY_PORT") == str(port):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if environment(parent).get("GATEWAY_PORT") != str(port):
                    return int(folder.name)
        except OSError:
            continue
    raise AssertionError("the engine does not run")
