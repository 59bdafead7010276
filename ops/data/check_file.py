"""The file to which `kennel data check` writes its findings, and from which `kennel data upload` reads them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ops.atomic_write import atomic_write

if TYPE_CHECKING:  # an upload reads the file, and has not the packages of the check
    from ops.data.check import Check

Verdict = Literal["passed", "errors", "not checked"]


def as_json(found: "Check") -> str:
    """Everything that was found, with the name of every photo."""
    document = {
        "passed": found.passed,
        "folder": str(found.data.folder),
        "digest": found.data.digest(),
        "counts": found.counts(),
        "findings": [asdict(finding) for finding in found.findings],
    }
    return json.dumps(document, indent=2, ensure_ascii=True)  # a file's name may contain bytes that are not UTF-8


def write(found: "Check", path: Path) -> None:
    """Write the JSON to `path`; a reader sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, f"{as_json(found)}\n".encode())


def verdict(digest: str, path: Path) -> Verdict:
    """What the check in `path` found for the photos with this digest; a check of other photos does not count."""
    try:
        document = json.loads(path.read_bytes())
        checked, passed = document["digest"], document["passed"]
    except (OSError, ValueError, KeyError, TypeError):  # no file yet, or not one of this command's
        return "not checked"
    if checked != digest:
        return "not checked"
    return "passed" if passed is True else "errors"
