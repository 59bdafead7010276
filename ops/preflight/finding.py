"""What a check finds."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "unknown"]
"""error: the deploy would fail. warning: it would succeed, but something would fail later. unknown: AWS did not let
these credentials find out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One gap, and how to close it."""

    severity: Severity
    subject: str
    """What was checked, such as `quotas`."""
    summary: str
    """One sentence: what is wrong, with the value."""
    remedy: str
    """The command that closes the gap, or a sentence that says what to do."""
    otherwise: str = ""
    """What else may be done, such as a setting to deploy without it; empty if nothing."""


def error(subject: str, summary: str, remedy: str, otherwise: str = "") -> Finding:
    return Finding(severity="error", subject=subject, summary=summary, remedy=remedy, otherwise=otherwise)


def warning(subject: str, summary: str, remedy: str, otherwise: str = "") -> Finding:
    return Finding(severity="warning", subject=subject, summary=summary, remedy=remedy, otherwise=otherwise)


def unknown(subject: str, summary: str, remedy: str, otherwise: str = "") -> Finding:
    return Finding(severity="unknown", subject=subject, summary=summary, remedy=remedy, otherwise=otherwise)
