"""A fake CloudFormation with one training job in its stack, and a fake of CDK's provider framework.

They send what CloudFormation sends on failure, on rollback and after a replacement, with the same physical ids.
Sources: aws-cdk-lib/custom-resources/lib/provider-framework/runtime and CloudFormation's custom resource reference.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stacks.training.handler.events import is_complete, on_event
from stacks.training.handler.jobs import Jobs

Json = dict[str, Any]
CREATE_FAILED = "AWSCDK::CustomResourceProviderFramework::CREATE_FAILED"
MAX_POLLS = 110
"""How often the framework polls before it gives up with "Operation timed out": every 30 seconds for 55 minutes."""


@dataclass
class Outcome:
    """The framework's response to CloudFormation."""

    ok: bool
    physical_id: str
    reason: str = ""
    data: Json = field(default_factory=dict)


@dataclass
class CloudFormation:
    """The stack's record of its resource, and how it reacts to each response."""

    jobs: Jobs
    tick: Callable[[], None]
    """Advances the fake SageMaker by 30 seconds."""
    physical_id: str = ""
    properties: Json = field(default_factory=dict)
    deliveries: int = 1
    """How often each event arrives: Lambda delivers an asynchronous event at least once."""

    # -- the user's operations

    def create(self, properties: Json) -> Outcome:
        answer = self._send("Create", properties)
        self.physical_id, self.properties = answer.physical_id, properties
        if not answer.ok:
            self.delete()  # the rollback
        return answer

    def update(self, properties: Json) -> Outcome:
        before, old = self.physical_id, self.properties
        answer = self._send("Update", properties, PhysicalResourceId=before, OldResourceProperties=old)
        if answer.ok:
            self.physical_id, self.properties = answer.physical_id, properties
            if answer.physical_id != before:  # UPDATE_COMPLETE_CLEANUP_IN_PROGRESS
                assert self._send("Delete", old, PhysicalResourceId=before).ok
            return answer
        back = self._send("Update", old, PhysicalResourceId=answer.physical_id, OldResourceProperties=properties)
        assert back.ok, back.reason
        self.physical_id = back.physical_id
        if answer.physical_id != back.physical_id:
            assert self._send("Delete", properties, PhysicalResourceId=answer.physical_id).ok
        return answer

    def delete(self, physical_id: str = "") -> Outcome:
        answer = self._send("Delete", self.properties, PhysicalResourceId=physical_id or self.physical_id)
        if answer.ok:
            self.physical_id = ""
        return answer

    # -- the provider framework

    def _send(self, request: str, properties: Json, **event: Any) -> Outcome:
        event = {"RequestType": request, "ResourceProperties": properties, **event}
        if request == "Delete" and event["PhysicalResourceId"] == CREATE_FAILED:
            return Outcome(True, CREATE_FAILED)
        for _ in range(self.deliveries):
            try:
                answer = on_event(_through_json(event), None, self.jobs)
            except Exception as error:
                return Outcome(False, event.get("PhysicalResourceId", CREATE_FAILED), str(error))
        if request == "Delete":
            assert answer["PhysicalResourceId"] == event["PhysicalResourceId"], "the framework rejects another id"
        event = _through_json({**event, **answer})
        for _ in range(MAX_POLLS):
            try:
                poll = is_complete(_through_json(event), None, self.jobs)
            except Exception as error:
                return Outcome(False, event["PhysicalResourceId"], str(error))
            if poll["IsComplete"]:
                return Outcome(True, event["PhysicalResourceId"], data=_through_json(poll.get("Data", {})))
            assert not poll.get("Data"), "the framework rejects data before completion"
            self.tick()
        return Outcome(False, event["PhysicalResourceId"], "Operation timed out")


def _through_json(event: Json) -> Json:
    """A copy, as each call passes the event as JSON."""
    passed: Json = json.loads(json.dumps(event))
    return passed
