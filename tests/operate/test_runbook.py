"""Each incident of the runbook is reachable from AWS's words or an alarm, and each link that is printed exists."""

import json
import re
from pathlib import Path

import pytest

from ops.operate.runbook import PAGE, entries, explained_by, heading_of, rules
from stacks.common.runbook import anchor
from tests.operate.deployment import flat, kennel

GOLDEN = Path(__file__).parents[1] / "infra" / "golden"
KINDS = ("stack", "rollback", "training", "endpoint", "container", "function", "alarm")
"""Of ops/operate/failures.py."""
CHANGES = ("changed", "deleted", "role", "scaling", "alerts", "key", "throttled")
"""Of ops/operate/changed."""
SIGNALS = ("throttles", "silent", "scaling", "drift check", "budget", "notebook")
"""Of ops/operate/signals.py."""


def incidents() -> set[str]:
    """The headings of the two sections of incidents, read without the code under test."""
    text = PAGE.read_text(encoding="utf-8")
    sections = dict(re.findall(r"^# (.+?)\n(.*?)(?=^# |\Z)", text, re.MULTILINE | re.DOTALL))
    return {
        heading
        for section in ("Alerts", "Failed deploys")
        for heading in re.findall(r"^## (.+)$", sections[section], re.MULTILINE)
    }


def test_each_incident_has_one_entry_in_the_mapping_and_each_entry_is_an_incident() -> None:
    headings = [rule.heading for rule in rules()]

    assert len(headings) == len(set(headings))
    assert set(headings) == incidents() == set(entries())


@pytest.mark.parametrize("heading", [rule.heading for rule in rules()])
def test_the_example_of_an_entry_leads_to_it(heading: str) -> None:
    (example,) = [rule.example for rule in rules() if rule.heading == heading]

    assert explained_by(example) == heading


@pytest.mark.parametrize("kind", sorted({*KINDS, *CHANGES, *SIGNALS}))
def test_each_kind_of_failure_has_an_entry_if_no_words_match(kind: str) -> None:
    assert explained_by("words of no entry", kind) in incidents()
    assert explained_by("words of no entry") == ""


def test_each_alarm_of_the_templates_leads_to_the_entry_of_its_own_link_also_by_its_name() -> None:
    found = {
        name: resource["Properties"]["AlarmDescription"]
        for template in GOLDEN.glob("*/*.json")
        for name, resource in json.loads(template.read_text()).get("Resources", {}).items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert len(found) > 8
    for name, description in found.items():
        heading = heading_of(description.rpartition("#")[2])
        assert heading in incidents(), name
        assert explained_by(f"Alarm kennel-some-{name}-1X2Y") == heading, name


def test_each_printed_link_leads_to_a_heading_of_the_page() -> None:
    headings = {anchor(line.lstrip("# ")) for line in PAGE.read_text().splitlines() if line.startswith("##")}

    assert len(entries()) > 20
    for entry in entries().values():
        page, _, link = entry.link.partition("#")
        assert page == "docs/runbook.md"
        assert link in headings


@pytest.mark.parametrize("heading", sorted(incidents()))
def test_the_first_step_of_each_incident_is_a_command_of_kennel(heading: str) -> None:
    step = entries()[heading].parts["First command"]

    assert re.match(r"`kennel (status|why|models|drift|preflight|logs (training|endpoint|lambda|drift|deploy))\b", step)


def test_why_explains_a_text_without_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = kennel("why", "ResourceLimitExceeded:", "the account-level service limit is 0")

    assert "What to do: docs/runbook.md#quota-errors" in result.stdout
    assert "AWS takes hours to days." in flat(result.stdout)
    assert result.exit_code == 0


def test_why_says_that_it_has_no_entry_for_a_text() -> None:
    result = kennel("why", "something else")

    assert result.exit_code == 1
    assert "No entry of docs/runbook.md has these words" in result.stderr
    assert json.loads(kennel("why", "something else", "--json").stdout)["entry"] == ""
