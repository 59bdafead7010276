"""Reads docs/runbook.md."""

from stacks.common.runbook import RUNBOOK, anchor
from tests.infra.conftest import ROOT


def headings() -> set[str]:
    lines = (ROOT / RUNBOOK).read_text().splitlines()
    return {anchor(line.lstrip("# ")) for line in lines if line.startswith("##")}
