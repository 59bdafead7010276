"""A training job's life on SageMaker: find or start it, watch it, end it. Knows nothing of CloudFormation."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contract.photos import SPLITS, digest, is_digest, listed_photos
from contract.training_metrics import METRIC_NAMES

from .refusals import (
    PROPAGATION_WAITS_S,
    TrainingError,
    is_capacity,
    is_propagation,
    is_transient,
    quota_sentence,
    says_no_capacity,
)
from .request import JobRequest, Json, Location

RUNNING = ("InProgress",)
ENDING = (*RUNNING, "Stopping")
"""What is still billed."""

LEAST_S = 600
"""A job that would have less time than this is not started: it could hardly end in it."""

TRIES = 99
"""How many tries one recipe may have had before someone should look: a job's name stays taken for ever."""

STALE = timedelta(minutes=10)
"""Two looks of the slowest deploy: a try that died longer ago has nobody left who would go on with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Jobs:
    """The jobs of one account and region."""

    sagemaker: Any
    s3: Any
    region: str
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def start(self, request: JobRequest, known: str = "") -> str:
        """The try that has, or will have, this request's result, by the name of its first job. Starts a job only if
        there is none.

        `known` is the try before an update. Where nobody says which photos are meant, those that it was trained on are:
        an update that fails is rolled back to it, whatever has become of the photos since.
        """
        if not request.data_version and request.made(known):
            found = self._newest(request, known)
            if found is not None and self._has_result(request, found):
                return known
        name = self._name(request)
        for first in _tries(name):
            found = self._newest(request, first)
            if found is None:
                self._check_photos(request)
                self._launch(request, first, list(request.attempts(first)))
                return first
            if found["TrainingJobStatus"] in RUNNING or self._has_result(request, found):
                return first
            if _lacked_capacity(found) and (untried := _untried(request, first, found)):
                self._launch(request, first, untried)
                return first
        raise TrainingError(
            f"{TRIES} tries of {name} have already failed or been stopped, so no other is started. "
            f"See {self.log_link(name)}, then change what they share: the code, the data or a setting."
        )

    def result(self, request: JobRequest, first: str, *, since: datetime | None = None) -> Json | None:
        """What a try made, or None while it runs. Where AWS had no capacity, goes on with the next instance type, in
        what is left of the time that the deploy, begun at `since`, waits.

        Raises `TrainingError` for a try that will never finish.
        """
        found = self._newest(request, first)
        if found is None:
            raise TrainingError(f"Training job {first} is gone: it was deleted while the deploy waited. Deploy again.")
        job, status = found["TrainingJobName"], found["TrainingJobStatus"]
        if status in ENDING:
            return None
        if status == "Completed":
            artifact = found["ModelArtifacts"]["S3ModelArtifacts"]
            return {
                "JobName": job,
                "ModelData": artifact,
                # SageMaker packs /opt/ml/output/data beside the model
                "Report": f"{artifact.removesuffix('model.tar.gz')}output.tar.gz",
                "TestAccuracy": _accuracy(found),
                "InstanceType": request.attempts(first)[job],
            }
        if _lacked_capacity(found):
            untried = _untried(request, first, found)
            self._launch(self._in_time(request, job, since) if untried else request, first, untried)
            return None
        raise TrainingError(f"Training job {job} is {status}: {_reason(found)}. Its log: {self.log_link(job)}")

    def _in_time(self, request: JobRequest, job: str, since: datetime | None) -> JobRequest:
        if since is None or not request.deploy_wait_s:
            return request
        waited_s = (self.now() - since).total_seconds()
        left_s = request.deploy_wait_s - waited_s - request.startup_s
        if left_s < min(LEAST_S, request.max_runtime_s):
            raise TrainingError(
                f"AWS had no capacity for training job {job}, and told so only after {waited_s / 60:.0f} minutes: too "
                f"late in a deploy of {request.deploy_wait_s // 60} to try another type. Deploy again: it is next."
            )
        return request.limited_to(left_s)

    def ended(self, jobs: list[str]) -> bool:
        """Whether nothing of these is billed any more, nor ever will be. Stops what runs."""
        states = [found for job in jobs if (found := self.describe(job)) is not None]
        for found in states:
            if found["TrainingJobStatus"] in RUNNING:
                self._stop(found["TrainingJobName"])
        if any(found["TrainingJobStatus"] in ENDING for found in states):
            return False
        if not states or not _lacked_capacity(states[-1]) or states[-1]["TrainingJobName"] == jobs[-1]:
            return True
        # A deploy that was given up may still look at this job, see that AWS had no capacity, and start the next one.
        waited: timedelta = self.now() - states[-1]["LastModifiedTime"]
        return waited > STALE

    def doomed(self, request: JobRequest, first: str) -> list[str]:
        """Each job that a Delete of this physical id means."""
        if re.fullmatch(rf"{re.escape(request.prefix)}-[0-9a-f]{{20}}(-\d+)?", first):
            return list(request.attempts(first))
        # An id that CloudFormation invented, when it gave up before it had heard ours: the properties tell the name.
        return [job for known in self._tried(request) for job in request.attempts(known)]

    def describe(self, job: str) -> Json | None:
        """DescribeTrainingJob's answer, or None for a job that does not exist."""
        try:
            found: Json = self.sagemaker.describe_training_job(TrainingJobName=job)
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

    def _newest(self, request: JobRequest, first: str) -> Json | None:
        """The last job that a try has started, or None for a try that has started none."""
        states = (self.describe(job) for job in reversed(list(request.attempts(first))))
        return next((found for found in states if found is not None), None)

    def _tried(self, request: JobRequest) -> list[str]:
        """Each try of this request, as far as the data can still tell its name."""
        try:
            name = self._name(request)
        except TrainingError:
            return []  # no data: nothing was ever started for it
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchBucket", "404"):
                return []
            raise
        return list(takewhile(lambda first: self._newest(request, first) is not None, _tries(name)))

    def _launch(self, request: JobRequest, first: str, jobs: list[str]) -> None:
        """Start the first of these jobs for whose instance type AWS has capacity now."""
        kinds = request.attempts(first)
        for job in jobs:
            if self._create(request, job, kinds[job]):
                print(f"job={job} instance_type={kinds[job]} instance_count={request.instance_count} started")
                return
            print(f"job={job} instance_type={kinds[job]} no capacity")
        raise TrainingError(
            f"AWS has no capacity for {request.instance_count} x {' nor '.join(kinds.values())} in {self.region} now; "
            f"each was tried once. Deploy again later, or name other types in training.fallback_instance_types"
            f"{' or turn training.spot off' if request.max_wait_s else ''}."
        )

    def _create(self, request: JobRequest, job: str, kind: str) -> bool:
        """CreateTrainingJob; False where AWS lacks the instances.

        It is the last act before the answer that names the job: nothing can fail between the two. A call that is lost
        or throttled, and a role that is not known everywhere yet, are waited for, for two minutes.
        """
        for wait_s in (*PROPAGATION_WAITS_S, None):
            try:
                self.sagemaker.create_training_job(**request.arguments(job, kind))
                return True
            except (BotoCoreError, ClientError) as error:
                if isinstance(error, ClientError):
                    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
                    if code == "ResourceInUse":
                        return True  # an earlier try of this very call had got through
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
            self.sagemaker.stop_training_job(TrainingJobName=job)
        except ClientError as error:
            # it ended between the look and the call: SageMaker refuses to stop what does not run
            if error.response["Error"]["Code"] != "ValidationException":
                raise

    def _has_result(self, request: JobRequest, found: Json) -> bool:
        """A job may be Completed and its artifact deleted since, or lie where `storage.artifact_prefix` was once, which
        nobody may read any more. Its name then promises nothing.
        """
        if found["TrainingJobStatus"] != "Completed":
            return False
        uri = found["ModelArtifacts"]["S3ModelArtifacts"]
        if not uri.startswith(request.artifacts.uri):
            return False
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
        return any(item["Key"] == key for item in listed.get("Contents", []))

    def _name(self, request: JobRequest) -> str:
        return request.name(request.data_version or self._digest(request.data))

    def _check_photos(self, request: JobRequest) -> None:
        """Before anything is paid for: the photos are there, and are still those that were listed."""
        found, named = self._digest(request.data), request.data_version
        if is_digest(named) and found != named:
            raise TrainingError(
                f"The photos under {request.data.uri} are no longer those that training.data_version names "
                f"({named}; now {found}), so no instance was started. Deploy again: make deploy"
            )

    def _digest(self, data: Location) -> str:
        """The digest of the photos in the bucket. Raises `TrainingError` where a split has none."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=data.bucket, Prefix=data.prefix)
        objects = (item for page in pages for item in page.get("Contents", []))
        photos = listed_photos(objects, data.prefix).values()
        present = {photo.name.partition("/")[0] for photo in photos}
        missing = [f"{data.uri}{split}/" for split in SPLITS if split not in present]
        if missing:
            raise TrainingError(
                f"There are no photos in {' and none in '.join(missing)} to train on, so no instance was started. "
                f"Upload your photos, then deploy again: kennel data upload DIR {data.uri.rstrip('/')}"
            )
        return digest(photos)


def _tries(name: str) -> Iterator[str]:
    """A recipe's name, then name-2, name-3...: a job's name stays taken after it has failed."""
    yield name
    for number in range(2, TRIES + 1):
        yield f"{name}-{number}"


def _accuracy(found: Json) -> str:
    """Of what is served, which may be in int8; else the network's own."""
    metrics = {metric["MetricName"]: metric["Value"] for metric in found.get("FinalMetricDataList", [])}
    value = metrics.get(METRIC_NAMES["served_test_accuracy"], metrics.get(METRIC_NAMES["test_accuracy"]))
    return "not measured" if value is None else f"{value:.4f}"


def _lacked_capacity(found: Json) -> bool:
    return found["TrainingJobStatus"] == "Failed" and says_no_capacity(found.get("FailureReason", ""))


def _untried(request: JobRequest, first: str, newest: Json) -> list[str]:
    """What a try has left after its newest job."""
    jobs = list(request.attempts(first))
    return jobs[jobs.index(newest["TrainingJobName"]) + 1 :]


def _reason(found: Json) -> str:
    limits = {
        "MaxRuntimeExceeded": "it reached its time limit (raise training.max_runtime_min, "
        "or train outside the deploy and pass the artifact in as training.model_data)",
        "MaxWaitTimeExceeded": "no spot instances came in time (raise training.spot_max_wait_min, "
        "or turn training.spot off)",
    }
    secondary = found.get("SecondaryStatus", "")
    return limits.get(secondary) or found.get("FailureReason") or f"SageMaker gives no reason; last state {secondary}"
