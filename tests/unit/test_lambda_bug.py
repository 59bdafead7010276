"""A bug in the function gives the caller a 500 with a fixed message, and the log a traceback."""

import importlib
import json

import pytest


class BrokenContext:
    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        raise ZeroDivisionError("a secret")


def test_a_bug_becomes_a_500_and_a_log_entry(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENDPOINT_NAME", "dogs")
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "us-east-1")
    handler = importlib.import_module("lambda_fn.handler").handler

    response = handler({"image": "/9j/"}, BrokenContext())

    assert response["statusCode"] == 500
    error = json.loads(response["body"])["error"]
    assert (error["code"], error["request_id"]) == ("internal", "request-1")
    assert "secret" not in response["body"]
    entry = json.loads(capsys.readouterr().out)
    assert "ZeroDivisionError: a secret" in entry["bug"]
