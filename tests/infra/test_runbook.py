"""docs/runbook.md: the alarms link to it, and its own links and settings exist."""

import re
from typing import Any

from stacks.common.runbook import RUNBOOK
from stacks.settings import Settings
from tests.infra.conftest import ROOT, Assembly, load_settings
from tests.infra.runbook import headings


def test_every_alarm_and_event_rule_links_to_a_heading_of_the_runbook(development: Assembly) -> None:
    texts = {
        logical_id: resource["Properties"][text]
        for kind, text in {"AWS::CloudWatch::Alarm": "AlarmDescription", "AWS::Events::Rule": "Description"}.items()
        for _, logical_id, resource in development.resources(kind)
    }
    assert len(texts) > 8
    for logical_id, text in texts.items():
        sentence, _, link = text.rpartition(" ")
        assert sentence.endswith("."), logical_id
        path, _, heading = link.partition("#")
        assert path == RUNBOOK, logical_id
        assert heading in headings(), f"{logical_id} links to a heading that {RUNBOOK} does not have"


def test_the_links_within_the_runbook_lead_to_headings() -> None:
    linked = re.findall(r"\]\(#([^)]+)\)", (ROOT / RUNBOOK).read_text())
    assert linked
    assert set(linked) <= headings()


def test_every_setting_that_the_runbook_names_exists() -> None:
    text = (ROOT / RUNBOOK).read_text()
    given = re.findall(r"-c ([a-z_.]+)=([^\s'`]+)", text)
    assert len(given) > 10
    for name, value in given:
        load_settings({} if "..." in value else {name: value.replace("BUCKET", "bucket")})
    for name in re.findall(r"`((?:project|storage|training|serving|api|workbench|monitoring)\.[a-z_.]+)`", text):
        found: Any = Settings()
        for part in name.split("."):
            found = getattr(found, part)
