"""Runbook links for the descriptions of alarms and event rules."""

import re

RUNBOOK = "docs/runbook.md"


def with_runbook_link(sentence: str, heading: str) -> str:
    """What happened, followed by a link to the heading of the runbook that says what to do."""
    return f"{sentence} {RUNBOOK}#{anchor(heading)}"


def anchor(heading: str) -> str:
    """GitHub's anchor for a heading: lower case, no punctuation, hyphens for spaces."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
