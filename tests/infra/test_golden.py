"""The templates of both environments are equal to the golden files, so that an unintended change shows as a diff.

`make golden` (pytest --update-golden) writes the files again; the commit then shows what changes on AWS. Hashes of code
are masked: a change of code alone does not change the golden files.
"""

import difflib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import Assembly

GOLDEN = Path(__file__).parent / "golden"
ENVIRONMENTS = ["development", "production"]

MASKS = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<asset hash>"),
    # the logical id of a function's version contains a hash of its code
    (re.compile(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}\b"), r"\1<code hash>"),
    (re.compile(r'("Key": "inputs-digest",\s*"Value": ")[0-9a-f]+'), r"\1<inputs digest>"),
    (re.compile(r'("InputsDigest": ")[0-9a-f]+'), r"\1<inputs digest>"),
)


def masked(template: str) -> str:
    for pattern, text in MASKS:
        template = pattern.sub(text, template)
    return template


def in_order(node: Any) -> Any:
    """Sorts the resources of IAM statements: CDK orders them by ARN, and so by hashes of code."""
    if isinstance(node, list):
        return [in_order(item) for item in node]
    if not isinstance(node, dict):
        return node
    ordered = {key: in_order(value) for key, value in node.items()}
    if isinstance(ordered.get("Resource"), list):
        ordered["Resource"].sort(key=json.dumps)
    return ordered


def written(assembly: Assembly) -> Iterator[tuple[str, str]]:
    """Each stack's name, and its template as the golden file has it."""
    for stack in assembly.names:
        template = json.loads(masked(json.dumps(assembly.raw(stack), indent=1, sort_keys=True)))
        yield stack, json.dumps(in_order(template), indent=1, sort_keys=True) + "\n"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_templates_are_the_golden_ones(request: pytest.FixtureRequest, environment: str) -> None:
    folder = GOLDEN / environment
    templates = dict(written(request.getfixturevalue(environment)))
    if request.config.getoption("--update-golden"):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.json"):
            old.unlink()
        for stack, template in templates.items():
            (folder / f"{stack}.json").write_text(template)
        return
    golden = {path.stem: path.read_text() for path in folder.glob("*.json")}
    changes = [
        line
        for stack in sorted(templates.keys() | golden.keys())
        for line in difflib.unified_diff(
            golden.get(stack, "").splitlines(),
            templates.get(stack, "").splitlines(),
            f"golden/{environment}/{stack}.json",
            "now",
            n=2,
            lineterm="",
        )
    ]
    if changes:
        more = len(changes) - 200
        pytest.fail(
            "\n".join([*changes[:200], *([f"... and {more} more lines"] if more > 0 else [])])
            + "\n\nIf the change is intended, run `make golden` and check the diff that you commit.",
            pytrace=False,
        )


def test_no_golden_file_contains_a_hash_of_code() -> None:
    for path in GOLDEN.rglob("*.json"):
        assert not re.search(r"\b[0-9a-f]{64}\b", path.read_text()), path
