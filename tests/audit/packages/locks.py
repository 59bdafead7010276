"""The lock files that `make lock` writes, and the packages that they pin."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.markers import InvalidMarker, Marker

ROOT = Path(__file__).resolve().parents[3]
LOCKS = (
    *("locks/kennel.txt", "locks/uv.txt", "locks/toolkit.txt", "locks/reference-serving.txt"),
    *("locks/engine.txt", "locks/audit.txt", "locks/advisories.txt", "locks/links.txt", "locks/sagemaker-sdk.txt"),
    *("inference/requirements.txt", "training/requirements.txt", "training/requirements-host.txt"),
)

Pin = tuple[str, str]
"""A package's name and version."""


def pins(lock: str) -> Iterator[Pin]:
    """The pins of a lock's text, those for other platforms and Pythons too. Raises ValueError for any other line."""
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        found = re.fullmatch(r"([a-z0-9.-]+)==(\S+)(?: ; (.+?))?(?: \\\n    --hash=sha256:[0-9a-f]{64})+", entry)
        if not found or not _is_marker(found[3]):
            raise ValueError(f"a lock has {entry.splitlines()[0]!r}, but must have a version and hashes: run make lock")
        yield found[1], found[2]


def every_pin(root: Path = ROOT) -> set[Pin]:
    """The pins of all locks."""
    return {pin for name in LOCKS for pin in pins((root / name).read_text(encoding="utf-8"))}


def layers(found: Iterable[Pin]) -> list[list[Pin]]:
    """The same pins in lists in which each name is there once, since a tool may not accept two versions of one name."""
    lists: list[list[Pin]] = []
    for pin in sorted(found):
        free = next((layer for layer in lists if pin[0] not in {name for name, _ in layer}), None)
        if free is None:
            free = []
            lists.append(free)
        free.append(pin)
    return lists


def _is_marker(text: str | None) -> bool:
    try:
        return text is None or bool(Marker(text))
    except InvalidMarker:
        return False
