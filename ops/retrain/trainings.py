"""The training jobs of an account: found, started, waited for and registered by the code of the stack's functions."""

import contextlib
import io
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError, NoCredentialsError

import ops.session
from ops.data.aws_errors import is_denied, sentence
from ops.operate.account import Account, AccountError, asking
from ops.operate.log_lines import Follower, LogGroup
from ops.operate.log_sources import TRAINING_GROUP, Kind
from ops.preflight.target import PATIENCE
from ops.retrain.errors import RetrainError
from ops.retrain.sdk import TrainerClient
from stacks.training.handler.aws_errors import TrainingError
from stacks.training.handler.jobs import Jobs
from stacks.training.handler.registry import Registry
from stacks.training.handler.request import JobRequest, Json

STATUS_S = 5.0
"""Between two looks at the job's status."""
LINES_S = 2.0
"""Between two looks at its log, as with `kennel logs -f`."""
ASK = "the calls about the training job"
NEEDS = "the permissions of docs/operating.md"
FIRST_HOST = "algo-1"
"""Its first process prints the progress."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a start would do."""

    first: str
    """The name of the attempt's first job."""
    job: str
    """The name of the job that would start, or of the one that exists."""
    status: str
    """Of the job that exists; empty if there is none."""
    arguments: Json
    """Those of CreateTrainingJob."""
    fallbacks: tuple[str, ...]
    """Instance types that are tried after that job's, where AWS lacks capacity."""

    @property
    def starts(self) -> bool:
        """Whether a job would start."""
        return not self.status


@dataclass(slots=True)
class _Recorder:
    """A client that notes the job that it would start."""

    client: Any
    request: Json = field(default_factory=dict)

    def __getattr__(self, operation: str) -> Any:
        return getattr(self.client, operation)

    def create_training_job(self, **request: Any) -> None:
        self.request = request


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainings:
    """The training jobs of one account and region."""

    account: Account
    jobs: Jobs
    """Its CreateTrainingJob is made by the SageMaker Python SDK."""
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, account: Account) -> "Trainings":
        def client(service: str) -> Any:
            make: Any = account.session.client  # its types name every service
            made = make(service, config=PATIENCE)
            made.meta.events.register(f"after-call.{service}", _refuse_at_once)
            return made

        credentials = account.session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        sdk = TrainerClient(
            client=client("sagemaker"),
            credentials=credentials,
            profile=ops.session.profile(account.environment.name),
            region=account.region,
        )
        return cls(
            account=account,
            jobs=Jobs(sagemaker=sdk, s3=client("s3"), ec2=lambda: client("ec2"), region=account.region),
        )

    def plan(self, request: JobRequest) -> Plan:
        """What a start would do. Raises RetrainError if the deploy's own checks refuse the job, and AccountError."""
        recorder = _Recorder(self.jobs.sagemaker)
        first = self._start(replace(self.jobs, sagemaker=recorder), request)
        kinds = request.job_names(first)
        if recorder.request:
            job, status, arguments = recorder.request["TrainingJobName"], "", recorder.request
        else:
            with asking(ASK, needs=NEEDS):
                found = self._newest(request, first)
            job, status = found["TrainingJobName"], found["TrainingJobStatus"]
            arguments = request.arguments(job, kinds[job])
        left = tuple(kinds.values())[list(kinds).index(job) + 1 :]
        return Plan(first=first, job=job, status=status, arguments=arguments, fallbacks=left)

    def start(self, request: JobRequest) -> str:
        """Start the job, unless it exists. Returns the name of the attempt. Raises as `plan` does."""
        return self._start(self.jobs, request)

    def newest(self, request: JobRequest, first: str) -> str:
        """The name of the attempt's newest job; empty if it has none. Raises AccountError."""
        with asking(ASK, needs=NEEDS):
            names = reversed(list(request.job_names(first)))
            return next((job for job in names if self.jobs.describe(job) is not None), "")

    def follow(
        self, request: JobRequest, first: str, on_line: Callable[[str], None], warn: Callable[[str], None]
    ) -> Json:
        """Wait for the end of the job, and pass the lines of its log. Returns DescribeTrainingJob's response.

        Where AWS had no capacity, the next instance type is tried, as in a deploy. A call that fails in passing is
        reported once, and repeated. Raises TrainingError for a job that failed or was stopped, and AccountError for an
        error that stays, such as a session that has expired.
        """
        names = request.job_names(first)
        with asking(ASK, needs=NEEDS):
            begun = self._newest(request, first)["CreationTime"].timestamp()
        log = LogGroup(account=self.account, name=Kind.TRAINING, group=TRAINING_GROUP, prefix=first)
        lines = _Lines(Follower([(log, begun)]), names, on_line, warn)
        looked, unreachable = -STATUS_S, False
        while True:
            lines.pass_on()
            if time.monotonic() - looked >= STATUS_S:
                looked = time.monotonic()
                try:
                    ended, unreachable = self._ended(request, first), False
                except AccountError as error:
                    if not error.passing:
                        raise
                    if not unreachable:
                        warn(f"{error} The job goes on, and this command asks again every few seconds.")
                    ended, unreachable = None, True
                if ended is not None:
                    lines.pass_on()  # those that were written meanwhile
                    return ended
            self.sleep(LINES_S)

    def register(self, request: JobRequest, job: Json) -> int:
        """Register a finished job as a deploy does. Returns the number of its version.

        Raises TrainingError for a model that may not be served, whose version is Rejected, and AccountError.
        """
        if not request.model_group:
            raise RetrainError(
                "The deployed Training stack is of an earlier version of Kennel, which has no Model Registry, so the "
                f"job {job['TrainingJobName']} was not registered. Deploy, then run the same command again: make deploy"
            )
        with asking("the calls that register the model", needs=NEEDS), _quiet():
            # not `kept`: a deploy registers it with the same comparison with the serving model
            return int(Registry(sagemaker=self.jobs.sagemaker).admit(request, job, kept=False))

    def _ended(self, request: JobRequest, first: str) -> Json | None:
        """The job at its end; None while it runs."""
        with asking(ASK, needs=NEEDS), _quiet():
            return None if self.jobs.result(request, first) is None else self._newest(request, first)

    def _start(self, jobs: Jobs, request: JobRequest) -> str:
        with asking(ASK, needs=NEEDS), _quiet():
            try:
                return jobs.start(request)
            except TrainingError as error:
                raise RetrainError(f"No job was started, by the rules of a deploy. {error}") from error

    def _newest(self, request: JobRequest, first: str) -> Json:
        for job in reversed(list(request.job_names(first))):
            if found := self.jobs.describe(job):
                return found
        raise RetrainError(f"The training job {first} no longer exists. Run the same command again.")


class _Silent(io.StringIO):
    """Takes what is printed. Rich, whose bar runs meanwhile, writes to `rich_proxied_file` where there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.rich_proxied_file = getattr(sys.stdout, "rich_proxied_file", sys.stdout)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave out the lines that the functions print for their log."""
    with contextlib.redirect_stdout(_Silent()):
        yield


class _Lines:
    """Passes the lines of the first host. A log that cannot be read does not end the wait for the job."""

    def __init__(
        self, follower: Follower, jobs: dict[str, str], on_line: Callable[[str], None], warn: Callable[[str], None]
    ) -> None:
        self._follower, self._jobs, self._on_line, self._warn = follower, jobs, on_line, warn
        self._readable = True

    def pass_on(self) -> None:
        if not self._readable:
            return
        try:
            found = self._follower.new()
        except AccountError as error:
            if not error.passing:
                self._readable = False
                self._warn(f"{error} The job goes on, and is waited for without its log.")
            return
        for line in found:
            job, _, host = line.stream.partition("/")
            if job in self._jobs and host.startswith(f"{FIRST_HOST}-"):
                self._on_line(line.message)


def _refuse_at_once(parsed: Json, model: Any, **_: Any) -> None:
    """End the command at a missing permission. A deploy waits, because its role may be new."""
    if "Error" in parsed:
        refusal = ClientError(parsed, model.name)  # type: ignore[arg-type]
        if is_denied(refusal):
            service = model.service_model.signing_name
            raise AccountError(sentence(refusal, f"the call {model.name}", needs=f"{service}:{model.name}"))
