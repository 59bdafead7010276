"""The report of a smoke run: build/smoke/report.md, and the same text on the screen."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ops.smoke.leftovers import Look
from ops.smoke.stacks import Refused

CREATED = "whether the endpoint is created with RetainAllVariantProperties and ExcludeRetainedVariantProperties"
AS_ROOT = "whether a container that starts as root and becomes another user serves"
UPDATED = "whether an endpoint is updated with them, blue/green"
QUESTIONS = (CREATED, AS_ROOT, UPDATED)
NOT_REACHED = "no answer, the run did not get that far"


@dataclass(kw_only=True)
class Report:
    """What has happened so far."""

    account: str
    region: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    """Each step and how it ended."""
    refused: list[Refused] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=lambda: dict.fromkeys(QUESTIONS, NOT_REACHED))
    """What only AWS can answer, and its answer."""
    look: Look | None = None
    """What is left after the destroy. None: it was not looked up."""
    interrupted: bool = False

    @property
    def passed(self) -> bool:
        """Whether every step ended well, AWS refused nothing, and nothing is left that bills."""
        steps = all(ended == "done" for _, ended in self.steps)
        return steps and not self.interrupted and not self.refused and self.nothing_bills

    @property
    def nothing_bills(self) -> bool:
        return self.look is not None and not self.look.billing and not self.look.unknown

    def text(self) -> str:
        parts = [
            f"# Smoke run in account {self.account}, {self.region}\n",
            "It was interrupted.\n" if self.interrupted else "",
            _section("Steps", [f"- {name}: {ended}" for name, ended in self.steps]),
            _section("What AWS refused", [_refused(each) for each in self.refused] or ["Nothing."]),
            _section("What only AWS can answer", [f"- {what}: {answer}" for what, answer in self.answers.items()]),
            _section("What is left", _left(self.look)),
        ]
        return "\n".join(part for part in parts if part)

    def write(self, path: Path) -> None:
        path.write_text(self.text(), encoding="utf-8")


def _section(title: str, lines: Sequence[str]) -> str:
    return f"## {title}\n\n" + "".join(f"{line}\n" for line in lines)


def _refused(each: Refused) -> str:
    return f"- {each.step}: {each.what}\n  AWS says: {' '.join(each.reason.split())}"


def _left(look: Look | None) -> list[str]:
    if look is None:
        return ["Not looked up. Run `make smoke ARGS=--clean-up`."]
    lines = []
    for each in look.left:
        bills = "bills" if each.bills else "costs nothing"
        lines.append(f"- {each.kind} {each.name} ({bills}). Delete it: `{each.remedy}`")
    lines += [f"- Unknown: {sentence}" for sentence in look.unknown]
    if not look.left and not look.unknown:
        lines = [
            "Nothing of this environment. The bootstrap stack keeps the assets that were published (`make bootstrap`)."
        ]
    return lines
