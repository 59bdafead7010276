"""Metrics in the lines of a log."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rehearsal.cloud.embedded_metrics import EmbeddedMetricsError, embedded_metrics, extract
from tests.cloud.fake_engine import FakeEngine


def line(directive: dict[str, Any] | None = None, **members: Any) -> str:
    default = {"Namespace": "Shop", "Dimensions": [["Queue"]], "Metrics": [{"Name": "Wait", "Unit": "Seconds"}]}
    about = {"Timestamp": 2000, "CloudWatchMetrics": [{**default, **(directive or {})}]}
    return json.dumps({"_aws": about, "Queue": "till", "Wait": 3.5, **members})


def test_a_metric_has_the_values_of_the_members_that_its_directive_names() -> None:
    ((namespace, datum),) = embedded_metrics(line())

    assert namespace == "Shop"
    # exact: numbers as they are written
    assert datum == {
        "MetricName": "Wait",
        "Unit": "Seconds",
        "Values": [3.5],
        "Counts": [1],
        "Timestamp": datetime.fromtimestamp(2, UTC),
        "Dimensions": [{"Name": "Queue", "Value": "till"}],
    }


def test_each_set_of_dimensions_is_a_metric() -> None:
    found = list(embedded_metrics(line({"Dimensions": [["Queue"], ["Queue", "City"], []]}, City="Ulm")))

    assert [[each["Name"] for each in datum["Dimensions"]] for _, datum in found] == [["Queue"], ["Queue", "City"], []]


def test_a_metric_may_have_several_values() -> None:
    ((_, datum),) = embedded_metrics(line(Wait=[1, 2]))

    assert (datum["Values"], datum["Counts"]) == ([1, 2], [1, 1])


@pytest.mark.parametrize(
    "text", ["", "_aws", '"_aws"', "START RequestId: 1", "{}", '["_aws"]', '{"ms": 1}', '{"_aws": ']
)
def test_any_other_line_has_no_metric(text: str) -> None:
    assert list(embedded_metrics(text)) == []  # exact: whole numbers as written


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"_aws": 1}', "Timestamp"),
        ('{"_aws": {"CloudWatchMetrics": []}}', "Timestamp"),
        ('{"_aws": {"Timestamp": 1}}', "CloudWatchMetrics"),
        ('{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [1]}}', "no object"),
        (line({"Namespace": ""}), "Namespace"),
        (line({"Dimensions": ["Queue"]}), "Dimensions"),
        (line({"Dimensions": [["Queue"] * 31]}), "Dimensions"),
        (line({"Dimensions": [["City"]]}), "City"),
        (line(Queue=7), "Queue"),
        (line({"Metrics": {}}), "Metrics"),
        (line({"Metrics": [{}]}), "Name"),
        (line({"Metrics": [{"Name": "Other"}]}), "Other"),
        (line(Wait="long"), "Wait"),
        (line(Wait=True), "Wait"),
        (line(Wait=[]), "Wait"),
        (line(Wait=[1] * 101), "Wait"),
    ],
)
def test_a_wrong_form_is_named(text: str, named: str) -> None:
    with pytest.raises(EmbeddedMetricsError, match=named):
        list(embedded_metrics(text))


def test_lines_without_a_fault_are_extracted_and_a_wrong_one_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    engine = FakeEngine()

    extract(engine, "/shop", [line(), line(Wait="\x1b[2J"), "END", line({"Namespace": "Other"}), line(Wait=1)])

    # exact: numbers as they are written
    assert {namespace: [datum["Values"] for datum in data] for namespace, data in engine.metrics} == {
        "Shop": [[3.5], [1]],
        "Other": [[3.5]],
    }
    assert "no metric from a line of /shop: the member Wait" in capsys.readouterr().out
