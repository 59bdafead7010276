"""What has failed in an environment: each failure with its root cause, its log lines, and its runbook entry."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from ops.operate.account import Account
from ops.operate.alarms import alarms
from ops.operate.answers import Answers
from ops.operate.changed.declared import Change
from ops.operate.changed.look import changes
from ops.operate.deployed import ENDPOINT, Deployed, Stack
from ops.operate.endpoint import Endpoint, endpoint, missing_endpoint
from ops.operate.error_lines import errors_since, is_own, last_lines, recent_errors
from ops.operate.log_lines import Line
from ops.operate.log_sources import endpoint_log, function_log, training_log
from ops.operate.runbook import explained_by, heading_of
from ops.operate.signals import Signal, signals
from ops.operate.stack_events import RootCause, root_cause
from ops.operate.status import superseded
from ops.operate.training_jobs import TrainingJob, newest_job

BEFORE_S = 600
"""Log lines of so long before a failure are about it."""
_JOB = re.compile(r"Training job ([\w-]+) ")
COVERED = {"role": ("silent",), "throttled": ("throttles",)}
"""The signals that a change of this kind has caused."""
_TRAINING, _CHECK = "Custom::TrainingJob", "Custom::EndpointCheck"


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Something that failed and was not repaired since."""

    kind: str
    """stack, rollback, training, endpoint, container, function, alarm, or one of a change or a signal."""
    at: datetime
    what: str
    """One sentence."""
    details: tuple[str, ...]
    """What AWS says, the root cause first."""
    lines: tuple[Line, ...]
    """The log lines that matter."""
    log: str
    """The words after `kennel logs` that print all of them; empty if there is no log."""
    heading: str
    """Of the entry in the runbook."""
    covers: tuple[str, ...] = ()
    """The kinds of failures that this one has caused, or that have caused it: they are not listed again."""
    urgent: bool = True
    """Whether callers can get errors because of it. The others come last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """Every failure, the last one first."""

    failures: tuple[Failure, ...]
    unknown: tuple[str, ...]
    """What AWS did not say, with the reason."""
    nothing_deployed: bool


def diagnose(account: Account) -> Diagnosis:
    """Look for what failed. What AWS refuses to say is in `unknown`.

    Raises AccountError if not even the stacks can be described.
    """
    deployed = Deployed.of(account)
    answers = Answers()
    look = _Look(deployed, answers)
    found = [failure for each in look.all() for failure in each]
    covered = {kind for failure in found for kind in failure.covers}
    kept = [failure for failure in found if failure.kind not in covered]
    return Diagnosis(
        failures=tuple(sorted(_once(kept), key=lambda failure: (failure.urgent, failure.at), reverse=True)),
        unknown=answers.unknown,
        nothing_deployed=not deployed.stacks and not found and not answers.unknown,
    )


def _once(failures: Iterable[Failure]) -> list[Failure]:
    """Without an alarm whose entry another failure has, which has the log lines too."""
    others = {failure.heading for failure in failures if failure.kind != "alarm"}
    return [each for each in failures if each.kind != "alarm" or each.heading not in others]


class _Look:
    def __init__(self, deployed: Deployed, answers: Answers) -> None:
        self._deployed = deployed
        self._answers = answers
        self._answered = answers.of
        self._now = datetime.now(UTC)
        self._job = self._answered(lambda: newest_job(deployed.account), None)
        self._endpoint = self._answered(lambda: endpoint(deployed), None)

    def all(self) -> Iterator[list[Failure]]:
        """The failures of each kind."""
        for stack in self._deployed.stacks.values():
            if stack.failed:
                yield self._answered(partial(self._stack, stack), [])
        yield self._answered(lambda: list(self._training()), [])
        yield self._answered(lambda: list(self._of_endpoint()), [])
        yield self._answered(lambda: list(self._container()), [])
        yield self._answered(lambda: list(self._function()), [])
        yield [self._changed(each) for each in changes(self._deployed, self._answers)]
        yield [self._signalled(each) for each in signals(self._deployed, self._answers)]
        yield self._answered(lambda: list(self._alarms()), [])

    # -- what the stacks have deployed, and what only a metric or another service says

    def _changed(self, change: Change) -> Failure:
        """It is as new as what fails now: AWS does not say when it was made."""
        return Failure(
            kind=change.kind,
            at=self._now,
            what=change.what,
            details=(f"Put back: {change.put_back}",),
            lines=(),
            log="",
            heading=explained_by("", change.kind),
            covers=COVERED.get(change.kind, ()),
            urgent=change.breaks,
        )

    def _signalled(self, signal: Signal) -> Failure:
        log = signal.log
        lines = self._lines(lambda: last_lines(log, 0)) if log else ()
        return Failure(
            kind=signal.kind,
            at=signal.at,
            what=signal.what,
            details=signal.details,
            lines=lines,
            log=log.name if log and lines else "",
            heading=explained_by(" ".join((signal.what, *signal.details)), signal.kind),
            urgent=signal.urgent,
        )

    # -- stacks

    def _stack(self, stack: Stack) -> list[Failure]:
        cause = root_cause(self._deployed.events(stack.kind))
        kind = "rollback" if stack.status == "UPDATE_ROLLBACK_FAILED" else "stack"
        what = f"The last operation of the stack {stack.name} failed; it is {stack.status} now."
        details = [f"The root cause: {_named(cause)}", f"AWS says: {cause.reason}"] if cause else []
        if not cause and stack.reason:
            details = [f"AWS says: {stack.reason}"]
        said = f"{stack.status}: {cause.type} {cause.reason}" if cause else f"{stack.status}: {stack.reason}"
        failure = Failure(
            kind=kind,
            at=cause.at if cause else stack.changed,
            what=what,
            details=tuple(details),
            lines=(),
            log="deploy",
            heading=_heading(cause.type if cause else "", cause.reason if cause else stack.reason, kind, said),
        )
        return [self._with_log(failure, cause) if cause else failure]

    def _with_log(self, failure: Failure, cause: RootCause) -> Failure:
        """With the log lines of what failed, and SageMaker's own reason."""
        if cause.type == _TRAINING:
            named = _JOB.search(cause.reason)
            job = named[1] if named else ""
            if not job:
                return failure
            lines = self._lines(lambda: last_lines(training_log(self._deployed.account, job), 0))
            return replace(failure, lines=lines, log="training" if lines else failure.log, covers=("training",))
        if cause.type in (ENDPOINT, _CHECK):
            reason = self._endpoint.reason if self._endpoint else ""
            more = (f"SageMaker's reason: {reason}",) if reason and reason not in cause.reason else ()
            lines = self._container_lines(failure.at)
            return replace(
                failure,
                details=(*failure.details, *more),
                lines=lines,
                log="endpoint" if lines else failure.log,
                covers=("endpoint", "container"),
            )
        return failure

    # -- SageMaker

    def _training(self) -> Iterator[Failure]:
        job = self._job
        if job is None or not job.failed or superseded(job, tuple(self._deployed.stacks.values())):
            return
        yield Failure(
            kind="training",
            at=job.ended or job.created,
            what=f"The training job {job.name} is {job.status}.",
            details=(f"SageMaker's reason: {job.reason}",),
            lines=self._training_lines(job),
            log="training",
            heading=explained_by(job.reason, "training"),
        )

    def _of_endpoint(self) -> Iterator[Failure]:
        found: Endpoint | None = self._endpoint
        if found is None and (missing := missing_endpoint(self._deployed)):
            yield self._missing(missing)
        if found is None or not found.problem:
            return
        yield Failure(
            kind="endpoint",
            at=found.changed,
            what=found.problem,
            details=(),
            lines=self._container_lines(found.changed),
            log="endpoint",
            heading=explained_by(found.reason, "endpoint"),
            covers=("container",),
        )

    def _missing(self, sentence: str) -> Failure:
        """The failure of an endpoint that was deleted. It is the newest one: AWS does not say when."""
        return Failure(
            kind="endpoint",
            at=self._now,
            what=sentence,
            details=(),
            lines=(),
            log="",
            heading=explained_by(sentence, "endpoint"),
            covers=("container",),
        )

    def _container(self) -> Iterator[Failure]:
        if "serving" not in self._deployed.stacks:
            return
        lines = recent_errors(endpoint_log(self._deployed))
        if lines:
            yield Failure(
                kind="container",
                at=lines[-1].time,
                what="The endpoint's containers have logged errors in the last hour.",
                details=(),
                lines=tuple(lines),
                log="endpoint",
                heading=explained_by("", "container"),
            )

    # -- the function and the alarms

    def _function(self) -> Iterator[Failure]:
        log = function_log(self._deployed.account) if "api" in self._deployed.stacks else None
        lines = [line for line in recent_errors(log, most=6) if is_own(line.message)] if log else []
        if lines:
            yield Failure(
                kind="function",
                at=lines[-1].time,
                what="The function has failed in the last hour.",
                details=(),
                lines=tuple(lines),
                log="lambda",
                heading=explained_by("", "function"),
            )

    def _alarms(self) -> Iterator[Failure]:
        for alarm in alarms(self._deployed):
            if alarm.rings and not alarm.expected:
                yield Failure(
                    kind="alarm",
                    at=alarm.since,
                    what=f"The alarm {alarm.name} is in the state ALARM.",
                    details=(alarm.text, f"CloudWatch says: {alarm.reason}"),
                    lines=(),
                    log="",
                    heading=heading_of(alarm.anchor) or explained_by(f"Alarm {alarm.name}", "alarm"),
                )

    # -- log lines

    def _lines(self, read: Callable[[], list[Line]]) -> tuple[Line, ...]:
        return tuple(self._answered(read, []))

    def _training_lines(self, job: TrainingJob) -> tuple[Line, ...]:
        log = training_log(self._deployed.account, job.name)
        return self._lines(lambda: last_lines(log, job.created.timestamp()))

    def _container_lines(self, at: datetime) -> tuple[Line, ...]:
        log = endpoint_log(self._deployed)
        return self._lines(lambda: errors_since(log, at.timestamp() - BEFORE_S))


def _named(cause: RootCause) -> str:
    return f"{cause.type} ({cause.id}) in {cause.stack}, {cause.status}"


_KIND_OF_TYPE = {_TRAINING: "training", ENDPOINT: "endpoint", _CHECK: "endpoint"}


def _heading(type: str, reason: str, kind: str, said: str) -> str:
    """The entry of a stack's failure: of its state if only that helps, else of the reason, else of what failed."""
    if kind == "rollback":
        return explained_by("", kind)
    generic = explained_by("", "stack")
    found = explained_by(f"{type} {reason}")
    if found and found != generic:
        return found
    return explained_by("", _KIND_OF_TYPE.get(type, "stack")) or explained_by(said)
