"""What a request leaves behind beside its response: metrics in the log, and a trace at X-Ray's daemon."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws

from rehearsal.aws.lambda_runtime import LambdaRuntime
from tests.patience import PATIENCE_S
from tests.rehearsal.container import ANSWER, Container, any_event
from tests.rehearsal.function import function_and_container

ROOT, PARENT = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
SAMPLED = f"Root={ROOT};Parent={PARENT};Sampled=1;Lineage=1:a8f7c3d1:0"


@dataclass
class Parts:
    function: LambdaRuntime
    container: Container
    daemon: socket.socket

    def line(self, event: object) -> dict[str, Any]:
        """The line that the function logs for an event."""
        before = len(self.function.log.splitlines())
        self.function.invoke(event)
        (line,) = self.function.log.splitlines()[before:]
        parsed: dict[str, Any] = json.loads(line)
        return parsed

    def document(self, event: object, trace: str = SAMPLED) -> dict[str, Any]:
        """The next document that the daemon gets."""
        self.function.invoke(event, trace=trace)
        header, _, document = self.daemon.recv(65_536).partition(b"\n")
        assert json.loads(header) == {"format": "json", "version": 1}
        parsed: dict[str, Any] = json.loads(document)
        return parsed


@pytest.fixture(scope="module")
def running() -> Iterator[Parts]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(PATIENCE_S)
        address = f"127.0.0.1:{daemon.getsockname()[1]}"
        with function_and_container(PAGE="true", AWS_XRAY_DAEMON_ADDRESS=address) as (function, container):
            yield Parts(function, container, daemon)


@pytest.fixture
def parts(running: Parts) -> Parts:
    running.container.status, running.container.body = 200, json.dumps(ANSWER).encode()
    return running


def test_a_line_of_the_log_has_the_metrics_of_an_answer(parts: Parts) -> None:
    line = parts.line(any_event())

    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Kennel"
    assert directive["Dimensions"] == [["FunctionName"]]
    assert line["FunctionName"] == "function"
    assert directive["Metrics"] == [
        {"Name": "EndpointTime", "Unit": "Milliseconds"},
        {"Name": "OwnTime", "Unit": "Milliseconds"},
        {"Name": "TopProbability", "Unit": "None"},
        {"Name": "Answered", "Unit": "Count"},
    ]
    assert line["TopProbability"] == 0.97  # exact: a copy of the answer's
    assert line["Answered"] == 1
    assert line["EndpointTime"] > 0
    assert line["OwnTime"] > 0
    assert line["EndpointTime"] + line["OwnTime"] == pytest.approx(line["ms"], abs=0.1)
    assert line["model"] == ANSWER["model"]
    assert line["code"] == "ok"


@pytest.mark.parametrize(
    ("status", "outcome", "code"), [(422, "Refused", "unreadable"), (500, "Failed", "model_failed")]
)
def test_an_error_of_the_endpoint_is_counted_by_whose_it_is(parts: Parts, status: int, outcome: str, code: str) -> None:
    parts.container.status, parts.container.body = status, b"{}"

    line = parts.line(any_event())

    counted = {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert counted == {"EndpointTime", "OwnTime", outcome}
    assert line[outcome] == 1
    assert line["code"] == code


def test_an_event_that_is_refused_at_once_has_no_time_of_the_endpoint(parts: Parts) -> None:
    line = parts.line({})

    assert [metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]] == ["OwnTime", "Refused"]


def test_the_page_is_no_request_for_a_prediction(parts: Parts) -> None:
    line = parts.line({"rawPath": "/", "requestContext": {"http": {"method": "GET"}}})

    assert line["status"] == 200
    assert "_aws" not in line


def test_a_sampled_call_sends_its_stages_to_the_daemon(parts: Parts) -> None:
    document = parts.document(any_event())

    assert (document["trace_id"], document["parent_id"], document["type"]) == (ROOT, PARENT, "subsegment")
    assert document["annotations"] == {"code": "ok"}
    assert (document["error"], document["fault"]) == (False, False)
    (stage,) = document["subsegments"]
    assert stage["name"] == "endpoint"
    assert document["start_time"] <= stage["start_time"] <= stage["end_time"] <= document["end_time"]
    assert stage["id"] != document["id"]
    with mock_aws():
        xray = boto3.client("xray", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        answer = xray.put_trace_segments(TraceSegmentDocuments=[json.dumps(document)])
    assert answer["UnprocessedTraceSegments"] == []


@pytest.mark.parametrize(("status", "flag"), [(422, "error"), (500, "fault")])
def test_a_trace_says_whose_error_it_was(parts: Parts, status: int, flag: str) -> None:
    parts.container.status, parts.container.body = status, b"{}"

    document = parts.document(any_event())

    assert {name for name in ("error", "fault") if document[name]} == {flag}
    assert document["subsegments"][0]["fault"]


@pytest.mark.parametrize(
    "trace", ["", f"Root={ROOT};Parent={PARENT};Sampled=0", "Root=;Parent=;Sampled=1", "Sampled=1;;="]
)
def test_a_call_that_is_not_sampled_sends_nothing(parts: Parts, trace: str) -> None:
    parts.function.invoke({}, trace=trace)

    assert parts.document(any_event())["annotations"] == {"code": "ok"}  # not the refusal of the call before
