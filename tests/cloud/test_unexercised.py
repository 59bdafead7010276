"""unexercised.toml, without a deployment: its entries name statements of the templates."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rehearsal.cloud.statement import Statement

GOLDEN = Path(__file__).resolve().parents[1] / "infra" / "golden" / "development"
ENTRIES = tomllib.loads(Path(__file__).with_name("unexercised.toml").read_text())["unexercised"]


def statements() -> Iterator[tuple[str, str]]:
    """Role and statement of each inline policy of the templates."""
    for file in GOLDEN.glob("*.json"):
        for resource in json.loads(file.read_text())["Resources"].values():
            if resource["Type"] == "AWS::IAM::Policy":
                properties = resource["Properties"]
                for role in properties["Roles"]:
                    path = f"kennel-{file.stem.lower()}/{re.sub('[0-9A-F]{8}$', '', role['Ref'])}"
                    yield from ((path, name) for name in names(properties["PolicyDocument"]))


def names(document: Any) -> list[str]:
    """References to resources are left out: no name has one."""
    return [Statement.read({**each, "Resource": "*"}).name for each in document["Statement"]]


def test_each_entry_names_a_statement_of_the_templates() -> None:
    found = set(statements())

    assert len(found) > 30
    assert {(entry["role"], entry["statement"]) for entry in ENTRIES} - found == set()


def test_each_entry_has_a_reason_and_is_there_once() -> None:
    assert [entry for entry in ENTRIES if len(entry["reason"].split()) < 5] == []
    assert len({(entry["role"], entry["statement"]) for entry in ENTRIES}) == len(ENTRIES)
