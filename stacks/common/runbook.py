"""Where an alarm sends the person whom it wakes."""

import re

RUNBOOK = "docs/runbook.md"


def entry(sentence: str, heading: str) -> str:
    """An alarm's description: what happened, and the heading of the runbook that says what to do."""
    return f"{sentence} {RUNBOOK}#{anchor(heading)}"


def anchor(heading: str) -> str:
    """A heading as GitHub links it: lower case, no punctuation, hyphens for spaces."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
