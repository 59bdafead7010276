"""The state of an environment: stacks, endpoint, training, alarms, errors and price, and what needs attention."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ops.operate.account import Account
from ops.operate.alarms import Alarm, alarms
from ops.operate.answers import Answers
from ops.operate.changed.declared import Change
from ops.operate.changed.look import changes
from ops.operate.cost_now import CostNow, cost_now
from ops.operate.deployed import Deployed, Stack
from ops.operate.endpoint import Endpoint, endpoint, missing_endpoint
from ops.operate.error_lines import recent_errors
from ops.operate.log_lines import Line
from ops.operate.log_sources import Kind, endpoint_log, function_log
from ops.operate.signals import Signal, signals
from ops.operate.training_jobs import TrainingJob, newest_job

NAMES = {Kind.ENDPOINT.value: "endpoint's containers", Kind.LAMBDA.value: "function"}
"""What wrote the lines of a source."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """One look at an environment."""

    environment: str
    account: str
    region: str
    stacks: tuple[Stack, ...]
    endpoint: Endpoint | None
    missing_endpoint: str
    """A sentence if the Serving stack has deployed an endpoint and there is none."""
    job: TrainingJob | None
    changes: tuple[Change, ...]
    """What was changed or deleted outside the deploy."""
    signals: tuple[Signal, ...]
    """What only a metric or another service says."""
    alarms: tuple[Alarm, ...]
    errors: tuple[Line, ...]
    """The newest errors in the logs of the endpoint and of the function, of the last hour."""
    cost: CostNow | str | None
    """A sentence if there is no price; None if nothing is deployed."""
    unknown: tuple[str, ...]
    """What AWS did not say, with the reason."""

    @property
    def nothing_deployed(self) -> bool:
        return not (self.stacks or self.endpoint or self.job or self.unknown)

    @property
    def problems(self) -> list[str]:
        """What needs attention, a sentence each."""
        return list(self._problems())

    def _problems(self) -> Iterator[str]:
        for stack in self.stacks:
            if stack.failed:
                yield f"The stack {stack.name} is {stack.status}: its last deploy failed."
        if self.missing_endpoint:
            yield self.missing_endpoint
        if self.endpoint and self.endpoint.problem:
            yield self.endpoint.problem
        if self.job and self.job.failed and not superseded(self.job, self.stacks):
            yield f"The training job {self.job.name} is {self.job.status}. SageMaker's reason: {self.job.reason}"
        for change in self.changes:
            yield change.what
        for signal in self.signals:
            yield signal.what
        for alarm in self.alarms:
            if alarm.rings and not alarm.expected:
                yield f"The alarm {alarm.name} is in the state ALARM. {alarm.text}"
        for source in dict.fromkeys(line.source for line in self.errors):
            yield f"The log of the {NAMES[source]} has errors of the last hour."


def superseded(job: TrainingJob, stacks: tuple[Stack, ...]) -> bool:
    """Whether a later deploy of the Training stack has succeeded without this job, such as with an artifact."""
    return any(
        stack.kind == "training"
        and stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        and stack.changed >= (job.ended or job.created)
        for stack in stacks
    )


def status(account: Account) -> Status:
    """Look at everything. What AWS refuses to say is in `unknown`.

    Raises AccountError if not even the stacks can be described.
    """
    deployed, answers = Deployed.of(account), Answers()
    its_endpoint = answers.of(lambda: endpoint(deployed), None)
    missing = answers.of(lambda: missing_endpoint(deployed), "") if its_endpoint is None else ""
    job = answers.of(lambda: newest_job(account), None)
    return Status(
        environment=account.environment.name,
        account=account.number,
        region=account.region,
        stacks=tuple(deployed.stacks.values()),
        endpoint=its_endpoint,
        missing_endpoint=missing,
        job=job,
        changes=tuple(changes(deployed, answers)),
        signals=tuple(signals(deployed, answers)),
        alarms=tuple(answers.of(lambda: alarms(deployed), [])),
        errors=tuple(answers.of(lambda: errors(deployed), [])),
        cost=answers.of(lambda: cost_now(deployed, its_endpoint, job), None) if deployed.stacks else None,
        unknown=answers.unknown,
    )


def errors(deployed: Deployed) -> list[Line]:
    """The newest errors of the endpoint and of the function, the oldest one first. Raises AccountError."""
    groups = [endpoint_log(deployed)] if "serving" in deployed.stacks else []
    function = function_log(deployed.account) if "api" in deployed.stacks else None
    lines = [line for group in (*groups, function) if group for line in recent_errors(group)]
    return sorted(lines, key=lambda line: line.at)


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, such as `3 min ago`."""
    minutes = int((now - moment).total_seconds() // 60)
    if minutes < 60:
        return f"{max(0, minutes)} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
