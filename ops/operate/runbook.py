"""The entries of docs/runbook.md, and which of them explains a failure.

runbook.toml, beside this file, is the mapping.
"""

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stacks.common.runbook import RUNBOOK, anchor

PAGE = Path(__file__).resolve().parents[2] / RUNBOOK
MAPPING = Path(__file__).with_name("runbook.toml")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An incident of the runbook."""

    heading: str
    parts: Mapping[str, str]
    """From a label, such as `Fix`, to its text."""

    @property
    def link(self) -> str:
        return f"{RUNBOOK}#{anchor(self.heading)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """An entry of the mapping."""

    heading: str
    said: tuple[re.Pattern[str], ...]
    example: str
    of: tuple[str, ...]


@functools.cache
def rules() -> tuple[Rule, ...]:
    """The mapping, in its order."""
    return tuple(
        Rule(
            heading=each["heading"],
            said=tuple(re.compile(expression, re.IGNORECASE) for expression in each["said"]),
            example=each["example"],
            of=tuple(each.get("of", ())),
        )
        for each in tomllib.loads(MAPPING.read_text(encoding="utf-8"))["entry"]
    )


@functools.cache
def entries() -> Mapping[str, Entry]:
    """Each incident of the runbook by its heading."""
    text = PAGE.read_text(encoding="utf-8")
    incidents = re.findall(r"^## (.+?)\n(.*?)(?=^## |^# |\Z)", text, re.MULTILINE | re.DOTALL)
    return {
        heading: Entry(heading=heading, parts=parts)
        for heading, body in incidents
        if (parts := dict(re.findall(r"^- \*\*(.+?):\*\*\s+(.*?)(?=^- \*\*|\Z)", body, re.MULTILINE | re.DOTALL)))
    }


def heading_of(link: str) -> str:
    """The heading that an anchor leads to; empty if no incident has it."""
    return next((heading for heading in entries() if anchor(heading) == link), "")


def explained_by(text: str, kind: str = "") -> str:
    """The heading of the entry for what AWS or a log says; empty if none explains it.

    kind: of the failure, if `kennel why` found it itself.
    """
    for rule in rules():
        if any(expression.search(text) for expression in rule.said):
            return rule.heading
    return next((rule.heading for rule in rules() if kind and kind in rule.of), "")
