"""What `kennel logs` reads: training jobs, containers, the function, drift checks, and the events of the stacks."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from botocore.exceptions import ClientError

from ops.operate.account import Account, asking, is_missing
from ops.operate.deployed import Deployed, Stack, events
from ops.operate.drift_checks import checked_daily, job_prefix, newest_check
from ops.operate.log_lines import Line, LogGroup, Source
from ops.operate.training_jobs import newest_job

TRAINING_GROUP = "/aws/sagemaker/TrainingJobs"
"""All training jobs of an account write to it."""
PROCESSING_GROUP = "/aws/sagemaker/ProcessingJobs"
"""All processing jobs of an account write to it."""
DEFAULT_SINCE_S = 3600
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Kind(StrEnum):
    """What has a log."""

    TRAINING = "training"
    ENDPOINT = "endpoint"
    LAMBDA = "lambda"
    DRIFT = "drift"
    DEPLOY = "deploy"


def training_log(account: Account, job: str = "") -> LogGroup:
    """The log of the environment's training jobs, or of one job."""
    prefix = f"{job}/" if job else f"{account.environment.job_prefix}-"
    return LogGroup(account=account, name=Kind.TRAINING, group=TRAINING_GROUP, prefix=prefix)


def drift_log(account: Account, job: str = "") -> LogGroup:
    """The log of the environment's drift checks, or of one check."""
    prefix = f"{job}/" if job else job_prefix(account)
    return LogGroup(account=account, name=Kind.DRIFT, group=PROCESSING_GROUP, prefix=prefix)


def endpoint_log(deployed: Deployed) -> LogGroup:
    """The log of the endpoint's containers."""
    group = f"/aws/sagemaker/Endpoints/{deployed.endpoint_name}"
    return LogGroup(account=deployed.account, name=Kind.ENDPOINT, group=group)


def function_log(account: Account) -> LogGroup | None:
    """The log of the Api stack's function; None if there is no function. Raises AccountError."""
    name = account.environment.function_name
    with asking(f"the call that describes the function {name}", needs="lambda:GetFunctionConfiguration"):
        try:
            found = account.client("lambda").get_function_configuration(FunctionName=name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
    group = found.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}"
    return LogGroup(account=account, name=Kind.LAMBDA, group=group)


@dataclass(kw_only=True, slots=True)
class FunctionLog:
    """The log of the function, which may not exist yet."""

    account: Account
    name: str = Kind.LAMBDA
    _group: LogGroup | None = None

    def read(self, since: float) -> list[Line]:
        """The lines since a moment. Raises AccountError."""
        self._group = self._group or function_log(self.account)
        return self._group.read(since) if self._group else []


@dataclass(kw_only=True, slots=True)
class StackEvents:
    """The events of the environment's stacks, also of those that are created or deleted meanwhile."""

    account: Account
    name: str = Kind.DEPLOY
    _known: dict[str, Stack] = field(default_factory=dict)

    def read(self, since: float) -> list[Line]:
        """The events since a moment, the oldest one first. Raises AccountError."""
        self._known |= {stack.id: stack for stack in Deployed.of(self.account).stacks.values()}
        return sorted(
            (line for stack in self._known.values() for line in self._of(stack, since)), key=lambda line: line.at
        )

    def _of(self, stack: Stack, since: float) -> list[Line]:
        found = []
        for event in events(self.account, stack):  # the newest one first
            at = event["Timestamp"].timestamp()
            if at < since:
                break
            reason = " ".join(event.get("ResourceStatusReason", "").split())
            what = f"{event['ResourceStatus']}  {event['ResourceType']}  {event['LogicalResourceId']}"
            found.append(
                Line(
                    at=at,
                    source=self.name,
                    stream=stack.name,
                    message=f"{what}: {reason}" if reason else what,
                    id=event["EventId"],
                )
            )
        return found[::-1]


def kinds_by_default(account: Account) -> list[Kind]:
    """What is read if no log is named: every kind, the drift checks only where they run daily. Raises AccountError."""
    return [kind for kind in Kind if kind is not Kind.DRIFT or checked_daily(Deployed.of(account))]


def sources(account: Account, kinds: Sequence[Kind], since: float | None) -> list[tuple[Source, float]]:
    """The sources of these kinds, each with the moment of its first line.

    since: seconds since 1970; None: the start of the newest training job or drift check and of the last operation of a
    stack, and an hour ago for the others. Raises AccountError.
    """
    return [_source(account, kind, since) for kind in kinds]


def _source(account: Account, kind: Kind, since: float | None) -> tuple[Source, float]:
    recent = time.time() - DEFAULT_SINCE_S
    match kind:
        case Kind.TRAINING:
            if since is None:
                job = newest_job(account)
                since = job.created.timestamp() if job else recent
            return training_log(account), since
        case Kind.ENDPOINT:
            return endpoint_log(Deployed.of(account)), recent if since is None else since
        case Kind.DRIFT:
            if since is None:
                check = newest_check(account)
                since = check.created.timestamp() if check else recent
            return drift_log(account), since
        case Kind.LAMBDA:
            return FunctionLog(account=account), recent if since is None else since
        case Kind.DEPLOY:
            if since is None:
                changed = [stack.changed.timestamp() for stack in Deployed.of(account).stacks.values()]
                since = min(recent, max(changed, default=recent))
            return StackEvents(account=account), since


def absent(account: Account, kinds: Sequence[Kind]) -> str:
    """Why there is no log of any of these kinds; empty if one of them exists. Raises AccountError."""
    deployed = Deployed.of(account)
    where = f"account {account.number}, {account.region}"
    if not deployed.stacks and newest_job(account) is None:
        return (
            f"Nothing of the environment {account.environment.name} is deployed in {where}, so there is no log. Deploy "
            "first (make deploy), or name another environment (kennel --env NAME)."
        )
    needs = {Kind.ENDPOINT: "serving", Kind.LAMBDA: "api"}
    missing = []
    for kind in kinds:
        if kind in needs and needs[kind] not in deployed.stacks:
            missing.append(f"the stack {account.environment.stack(needs[kind])} does not exist")
        elif kind is Kind.DEPLOY and not deployed.stacks:
            missing.append("no stack exists")
        elif kind is Kind.TRAINING and newest_job(account) is None:
            missing.append(f"no training job of {account.environment.job_prefix} exists")
        elif kind is Kind.DRIFT and newest_check(account) is None:
            missing.append(f"no drift check of {account.environment.job_prefix} exists (monitoring.drift.daily)")
    if len(missing) < len(kinds):
        return ""
    return (
        f"There is no log to read in {where}: {'; '.join(missing)}. Deploy it first (make deploy), or name another "
        "environment (kennel --env NAME)."
    )


def moment(text: str, now: float) -> float:
    """Seconds since 1970 of `30m`, `2h`, `1d` before now, or of a time such as 2026-11-28T03:00:00Z.

    Raises ValueError for another text.
    """
    if found := re.fullmatch(r"(\d+)([smhd])", text):
        return now - int(found[1]) * _UNITS[found[2]]
    given = datetime.fromisoformat(text)
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()
