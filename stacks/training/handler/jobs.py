"""Find, start, watch and stop training jobs on SageMaker. Nothing here depends on CloudFormation."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .aws_errors import (
    PROPAGATION_WAITS_S,
    Answer,
    TrainingError,
    is_capacity,
    is_propagation,
    is_transient,
    quota_sentence,
    wait_for_permission,
)
from .description import failure_reason, lacked_capacity, test_accuracy
from .network import check_security_groups
from .photos import check_photos, data_digest
from .request import JobRequest, Json

RUNNING = ("InProgress",)
BILLED = (*RUNNING, "Stopping")
"""Statuses in which a job is still billed."""

SHORTEST_S = 600
"""A job with less time than this is not started: it could hardly finish."""

MOST_ATTEMPTS = 99
"""Most attempts for the same inputs. SageMaker never frees a job's name, so each attempt needs a new one."""

STALE_AFTER = timedelta(minutes=10)
"""Twice the slowest poll interval. After that no deploy can still be polling this job."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Jobs:
    """The training jobs of one account and region.

    An attempt is what one deploy may start: a first job and, where AWS lacks capacity, one for each fallback instance
    type. It is identified by the name of its first job, which is the custom resource's physical id.
    """

    sagemaker: Any
    s3: Any
    ec2: Callable[[], Any]
    """Makes the client when it is needed: the description of EC2's API takes seconds to load."""
    region: str
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def start(self, request: JobRequest, known: str = "") -> str:
        """Return the attempt that has, or will have, the result of this request. Starts a job only if there is none.

        `known` is the attempt before an update. Without `request.data_version` its photos are meant, whatever the
        bucket contains by now: CloudFormation rolls a failed update back to it.

        Raises `TrainingError` if no job can be started.
        """
        if not request.data_version and request.has_same_inputs(known):
            found = self._newest_job(request, known)
            if found is not None and self._has_result(request, found):
                return known
        name = self._name(request)
        for first in _attempt_names(name):
            found = self._newest_job(request, first)
            if found is None:
                self._allowed(lambda: check_photos(self.s3, request))
                self._allowed(lambda: check_security_groups(self.ec2, request))
                self._launch(request, first, list(request.job_names(first)))
                return first
            if found["TrainingJobStatus"] in RUNNING or self._has_result(request, found):
                return first
            if lacked_capacity(found) and (untried := _jobs_left(request, first, found)):
                self._launch(request, first, untried)
                return first
        raise TrainingError(
            f"{MOST_ATTEMPTS} attempts of training job {name} failed or were stopped, so no other is started. "
            f"Read their log ({self.log_link(name)}), then change the code, the photos or a training setting."
        )

    def result(self, request: JobRequest, first: str, *, since: datetime | None = None) -> Json | None:
        """Return the attributes of the custom resource, or None while the attempt runs.

        Where AWS had no capacity, it starts a job on the next instance type, limited to what is left of the time that
        the deploy, which began at `since`, waits. Raises `TrainingError` for an attempt that will not finish.
        """
        found = self._newest_job(request, first)
        if found is None:
            raise TrainingError(f"Training job {first} no longer exists: it was deleted meanwhile. Deploy again.")
        job, status = found["TrainingJobName"], found["TrainingJobStatus"]
        if status in BILLED:
            return None
        if status == "Completed":
            artifact = found["ModelArtifacts"]["S3ModelArtifacts"]
            return {
                "JobName": job,
                "ModelData": artifact,
                # SageMaker packs /opt/ml/output/data next to the model
                "Report": f"{artifact.removesuffix('model.tar.gz')}output.tar.gz",
                "TestAccuracy": test_accuracy(found),
                "InstanceType": request.job_names(first)[job],
            }
        if lacked_capacity(found):
            untried = _jobs_left(request, first, found)
            self._launch(self._in_time(request, job, since) if untried else request, first, untried)
            return None
        raise TrainingError(f"Training job {job} is {status}: {failure_reason(found)}. Its log: {self.log_link(job)}")

    def _in_time(self, request: JobRequest, job: str, since: datetime | None) -> JobRequest:
        if since is None or not request.deploy_wait_s:
            return request
        waited_s = (self.now() - since).total_seconds()
        left_s = request.deploy_wait_s - waited_s - request.startup_s
        if left_s < min(SHORTEST_S, request.max_runtime_s):
            raise TrainingError(
                f"AWS reported that it has no capacity for training job {job} after {waited_s / 60:.0f} minutes; the "
                f"deploy may wait {request.deploy_wait_s // 60} minutes in total, so there is no time left to try "
                "another instance type. "
                "Deploy again: the next type is then tried first."
            )
        return request.limited_to(left_s)

    def all_stopped(self, jobs: list[str]) -> bool:
        """Stop the running ones of these jobs. Returns whether none of them is billed now, or will be later."""
        states = [found for job in jobs if (found := self.describe(job)) is not None]
        for found in states:
            if found["TrainingJobStatus"] in RUNNING:
                self._stop(found["TrainingJobName"])
        if any(found["TrainingJobStatus"] in BILLED for found in states):
            return False
        if not states or not lacked_capacity(states[-1]) or states[-1]["TrainingJobName"] == jobs[-1]:
            return True
        # A cancelled deploy may still poll this job, see that AWS had no capacity, and start the next one.
        waited: timedelta = self.now() - states[-1]["LastModifiedTime"]
        return waited > STALE_AFTER

    def jobs_to_stop(self, request: JobRequest, first: str) -> list[str]:
        """Names of the jobs that a Delete of this physical id must stop."""
        if re.fullmatch(rf"{re.escape(request.prefix)}-[0-9a-f]{{20}}(-\d+)?", first):
            return list(request.job_names(first))
        # CloudFormation generated this id: it cancelled the create before it received a physical id. The properties
        # give the name, except for its half for the photos, which may have changed since.
        attempts = dict.fromkeys([*self._attempts(request), *self._recent_attempts(request)])
        return [job for known in attempts for job in request.job_names(known)]

    def describe(self, job: str) -> Json | None:
        """DescribeTrainingJob's answer, or None for a job that does not exist."""
        try:
            found: Json = self._allowed(lambda: self.sagemaker.describe_training_job(TrainingJobName=job))
        except ClientError as error:
            # "Requested resource not found" on AWS, "Could not find training job" on moto; a bad name is a third
            if error.response["Error"]["Code"] in ("ValidationException", "ValidationError", "ResourceNotFound"):
                return None
            raise
        return found

    def log_link(self, job: str) -> str:
        """The console page with this job's log streams."""
        return (
            f"https://{self.region}.console.aws.amazon.com/cloudwatch/home?region={self.region}#logsV2:log-groups/"
            f"log-group/$252Faws$252Fsagemaker$252FTrainingJobs$3FlogStreamNameFilter$3D{job}"
        )

    def _newest_job(self, request: JobRequest, first: str) -> Json | None:
        """The last job that an attempt has started, or None if it has started none."""
        states = (self.describe(job) for job in reversed(list(request.job_names(first))))
        return next((found for found in states if found is not None), None)

    def _attempts(self, request: JobRequest) -> list[str]:
        """All attempts of this request on the photos in the bucket; none if there are no photos."""
        try:
            name = self._name(request)
        except TrainingError:
            return []
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchBucket", "404"):
                return []
            raise
        return list(takewhile(lambda first: self._newest_job(request, first) is not None, _attempt_names(name)))

    def _recent_attempts(self, request: JobRequest) -> Iterator[str]:
        """The attempts with these inputs, on any photos, that run or may still start a job, the newest one last."""
        query = {"NameContains": request.inputs_name, "SortBy": "CreationTime", "SortOrder": "Ascending"}
        while True:
            page = self._allowed(lambda: self.sagemaker.list_training_jobs(MaxResults=100, **query))
            for found in page["TrainingJobSummaries"]:
                age = self.now() - found.get("LastModifiedTime", found["CreationTime"])
                if found["TrainingJobStatus"] in BILLED or age <= STALE_AFTER:
                    yield found["TrainingJobName"].partition("-on-")[0]
            if not page.get("NextToken"):
                return
            query["NextToken"] = page["NextToken"]

    def _launch(self, request: JobRequest, first: str, jobs: list[str]) -> None:
        """Start the first of these jobs whose instance type AWS has capacity for."""
        kinds = request.job_names(first)
        for job in jobs:
            if self._create(request, job, kinds[job]):
                print(f"job={job} instance_type={kinds[job]} instance_count={request.instance_count} started")
                return
            print(f"job={job} instance_type={kinds[job]} no capacity")
        raise TrainingError(
            f"AWS has no capacity now for {request.instance_count} x {' or '.join(kinds.values())} in {self.region}. "
            f"Deploy again later, or add other types to training.fallback_instance_types"
            f"{' or turn training.spot off' if request.max_wait_s else ''}."
        )

    def _create(self, request: JobRequest, job: str, kind: str) -> bool:
        """CreateTrainingJob; False where AWS lacks the instances.

        It is the last act before the answer that names the job: nothing can fail between the two. A call that is lost
        or throttled, and a role or a policy that is not known everywhere yet, are waited for, for two minutes.
        """
        for wait_s in (*PROPAGATION_WAITS_S, None):
            try:
                self.sagemaker.create_training_job(**request.arguments(job, kind))
                return True
            except (BotoCoreError, ClientError) as error:
                if isinstance(error, ClientError):
                    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
                    if code == "ResourceInUse":
                        return True  # an earlier attempt of this call succeeded
                    if is_capacity(error):
                        return False
                    if code == "ResourceLimitExceeded":
                        spot, count = bool(request.max_wait_s), request.instance_count
                        raise TrainingError(quota_sentence(kind, count, spot=spot, message=message)) from error
                    if wait_s is None or not (is_propagation(error) or is_transient(error)):
                        raise TrainingError(f"SageMaker refuses training job {job}: {message}") from error
                elif wait_s is None:
                    raise
            self.sleep(wait_s)
        raise AssertionError("the last wait is None, which raises or returns")

    def _stop(self, job: str) -> None:
        try:
            self._allowed(lambda: self.sagemaker.stop_training_job(TrainingJobName=job))
        except ClientError as error:
            # it ended after describe_training_job: SageMaker refuses to stop a job that does not run
            if error.response["Error"]["Code"] != "ValidationException":
                raise

    def _has_result(self, request: JobRequest, found: Json) -> bool:
        """Whether the job completed and its artifact can be read.

        The artifact may have been deleted since, or be under an earlier `storage.artifact_prefix`, where no role may
        read it.
        """
        if found["TrainingJobStatus"] != "Completed":
            return False
        uri = found["ModelArtifacts"]["S3ModelArtifacts"]
        if not uri.startswith(request.artifacts.uri):
            return False
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        listed = self._allowed(lambda: self.s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1))
        return any(item["Key"] == key for item in listed.get("Contents", []))

    def _name(self, request: JobRequest) -> str:
        return request.name(request.data_version or self._allowed(lambda: data_digest(self.s3, request.data)))

    def _allowed(self, call: Callable[[], Answer]) -> Answer:
        """The answer to a call that this function's role may not be known to be allowed yet."""
        return wait_for_permission(call, self.sleep)


def _attempt_names(name: str) -> Iterator[str]:
    """The name, then name-2, name-3 and so on: SageMaker keeps the name of a failed job taken."""
    yield name
    for number in range(2, MOST_ATTEMPTS + 1):
        yield f"{name}-{number}"


def _jobs_left(request: JobRequest, first: str, newest: Json) -> list[str]:
    """The jobs of an attempt after its newest one."""
    jobs = list(request.job_names(first))
    return jobs[jobs.index(newest["TrainingJobName"]) + 1 :]
