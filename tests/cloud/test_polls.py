"""How long a state machine polls."""

import json
from typing import Any
from uuid import uuid4

import pytest

from rehearsal.cloud.local import LocalAws
from tests.cloud.conftest import Client
from tests.cloud.test_service_calls import function, role
from tests.patience import wait_until


@pytest.mark.parametrize(
    ("backoff", "attempts"), [(1, 1 + 20 * 2), (2, 1 + 2)], ids=["a poll", "a retry of something that failed"]
)
def test_a_poll_has_as_many_more_attempts_as_the_clock_is_faster(
    backoff: int, attempts: int, client: Client, local_aws: LocalAws
) -> None:
    """Two attempts after the first one, each a second later: on a clock of speed 20 the wait is a twentieth."""
    assert local_aws.settings.state_machine_speed == 20
    retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": backoff}
    state = {"Type": "Task", "Resource": function(client), "Retry": [retry], "End": True}
    steps = client("stepfunctions")
    machine = steps.create_state_machine(
        name=f"machine-{uuid4().hex[:8]}",
        definition=json.dumps({"StartAt": "Ask", "States": {"Ask": state}}),
        roleArn=role(client, "states.amazonaws.com", "lambda:InvokeFunction"),
    )
    execution = steps.start_execution(stateMachineArn=machine["stateMachineArn"], input='{"fail": true}')
    arn = execution["executionArn"]

    assert wait_until(lambda: steps.describe_execution(executionArn=arn)["status"] != "RUNNING")

    pages: Any = steps.get_paginator("get_execution_history").paginate(executionArn=arn)
    failed = [event for page in pages for event in page["events"] if event["type"] == "TaskFailed"]
    assert len(failed) == attempts
