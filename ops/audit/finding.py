"""What an audit finds, and the report that has it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ops.audit.roles import Role

Severity = Literal["high", "medium", "low", "note", "unknown"]
"""high: the role reaches beyond this app. medium: more than its work needs, or a change that no template has. low: what
should be tidied up. note: for the reader, with nothing to do. unknown: AWS did not let these credentials find out."""
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low", "unknown", "note")
"""In the order of a report."""

UNUSED_DAYS = 90
"""After so many days without a use, a role or a key is a finding, unless the command gets another number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One gap of one role, or of the account."""

    severity: Severity
    subject: str
    """What kind: trust, wildcard, resource, escalation, exposure, action, policy, drift, unused or key."""
    where: str
    """The role as stack/logical id, or the user of a key."""
    summary: str
    """One sentence: what is wrong, with the value."""
    remedy: str = ""
    """What to do; empty for a note."""
    accepted: str = ""
    """Why this finding is accepted. An accepted finding does not change the exit status."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """When a deployed role was used."""

    name: str
    """The role's name in the account."""
    created: datetime
    last: datetime | None
    """None: not in the 400 days that IAM remembers."""
    services: dict[str, datetime | None] = field(default_factory=dict)
    """The services that the role may call, with the last call to each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The roles with their rights, and what is wrong with them."""

    environment: str
    source: str
    """Where the roles were read: `templates`, or `account 123456789012, eu-west-1`."""
    roles: Sequence[Role]
    findings: Sequence[Finding]
    uses: dict[str, Use] = field(default_factory=dict)
    """By `Role.where`; empty for templates alone."""

    @property
    def open(self) -> list[Finding]:
        """Findings that somebody has to act on, the worst first."""
        return [each for each in self.ordered if each.severity not in ("note", "unknown") and not each.accepted]

    @property
    def unknown(self) -> list[Finding]:
        """What could not be checked."""
        return [each for each in self.findings if each.severity == "unknown"]

    @property
    def ordered(self) -> list[Finding]:
        """All findings, the worst first, and the accepted ones last."""
        return sorted(
            self.findings,
            key=lambda each: (bool(each.accepted), SEVERITIES.index(each.severity), each.where, each.summary),
        )

    def counts(self, where: str) -> Counter[Severity]:
        """How many findings a role has that are not accepted, by severity."""
        return Counter(each.severity for each in self.findings if each.where == where and not each.accepted)
