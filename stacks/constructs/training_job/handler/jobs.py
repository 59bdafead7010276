"""A training job's life on SageMaker: find or start it, watch it, end it. Knows nothing of CloudFormation."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from botocore.exceptions import ClientError

from .request import JobRequest, Json, Location

RUNNING = ("InProgress",)
DEAD = ("Failed", "Stopped", "Stopping")
"""A job of ours in one of these will never have the result that its name promises."""

ATTEMPTS = 20
"""How many jobs one recipe may have had before someone should look."""

NOT_YET_PROPAGATED = (
    # A new role takes seconds to reach SageMaker, S3 and ECR; these are the words in which they say so.
    "Could not assume role",
    "Unauthorized to List objects under S3 URL",
    "Access denied to OutputDataConfig S3 bucket",
    "no identity-based policy allows the s3:ListBucket action",
    "Access denied for repository",
)
PROPAGATION_WAITS_S = (5, 10, 15, 20, 30, 40)


class TrainingError(Exception):
    """What ends a deploy. Its text is what CloudFormation shows: what is wrong, and what to do now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Jobs:
    """The jobs of one account and region."""

    sagemaker: Any
    s3: Any
    region: str
    sleep: Callable[[float], None] = time.sleep

    def start(self, request: JobRequest) -> str:
        """The name of the job that has, or will have, this request's result. Starts one only if there is none."""
        name = request.name(self._digest(request.data))
        for job in _attempts(name):
            found = self.describe(job)
            if found is None:
                self._create(request, job)
                return job
            if found["TrainingJobStatus"] in RUNNING or self._has_result(found):
                return job
        raise TrainingError(
            f"{ATTEMPTS} training jobs named {name} have already failed or been stopped, so no other is started. "
            f"See {self.log_link(name)}, then change what they share: the code, the data or a setting."
        )

    def stop(self, job: str) -> None:
        """Stop a job if it runs. One that has ended or never was is left alone."""
        found = self.describe(job)
        if found is None or found["TrainingJobStatus"] not in RUNNING:
            return
        try:
            self.sagemaker.stop_training_job(TrainingJobName=job)
        except ClientError as error:
            # it ended between the look and the call: SageMaker refuses to stop what does not run
            if error.response["Error"]["Code"] != "ValidationException":
                raise

    def ended(self, job: str) -> bool:
        """Whether nothing of this job is billed any more."""
        found = self.describe(job)
        return found is None or found["TrainingJobStatus"] not in (*RUNNING, "Stopping")

    def result(self, job: str) -> Json | None:
        """What a finished job made, or None while it runs. Raises `TrainingError` for one that will never finish."""
        found = self.describe(job)
        if found is None:
            raise TrainingError(f"Training job {job} is gone: it was deleted while the deploy waited. Deploy again.")
        status = found["TrainingJobStatus"]
        if status in (*RUNNING, "Stopping"):
            return None
        if status == "Completed":
            metrics = {metric["MetricName"]: metric["Value"] for metric in found.get("FinalMetricDataList", [])}
            return {
                "JobName": job,
                "ModelData": found["ModelArtifacts"]["S3ModelArtifacts"],
                "TestAccuracy": f"{metrics['test:accuracy']:.4f}" if "test:accuracy" in metrics else "not measured",
            }
        if found.get("SecondaryStatus") == "MaxRuntimeExceeded":
            reason = (
                "it reached its time limit (raise training.max_runtime_min, "
                "or train outside the deploy and pass the artifact in as training.model_data)"
            )
        else:
            reason = found.get("FailureReason") or f"SageMaker gives no reason; last state {found['SecondaryStatus']}"
        raise TrainingError(f"Training job {job} is {status}: {reason}. Its log: {self.log_link(job)}")

    def named_for(self, request: JobRequest) -> list[str]:
        """Each job that has been started for this request, as far as the data can still tell its name."""
        try:
            name = request.name(self._digest(request.data))
        except TrainingError:
            return []  # no data: nothing was ever started for it
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchBucket", "404"):
                return []
            raise
        return list(takewhile(lambda job: self.describe(job) is not None, _attempts(name)))

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

    def _create(self, request: JobRequest, job: str) -> None:
        """CreateTrainingJob, as the last act: nothing can fail between it and the answer that names the job."""
        for wait_s in (*PROPAGATION_WAITS_S, None):
            try:
                self.sagemaker.create_training_job(**request.arguments(job))
                return
            except ClientError as error:
                code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
                if code == "ResourceInUse":
                    return  # an earlier try of this very call had got through
                if code == "ResourceLimitExceeded":
                    raise TrainingError(
                        f"This account may not run {request.instance_count} x {request.instance_type} for training. "
                        f"Ask for the Service Quotas entry '{request.instance_type} for training job usage' to be "
                        f"{request.instance_count} or more, then deploy again. SageMaker says: {message}"
                    ) from error
                if wait_s is None or not any(words in message for words in NOT_YET_PROPAGATED):
                    raise TrainingError(f"SageMaker refuses training job {job}: {message}") from error
                self.sleep(wait_s)

    def _has_result(self, found: Json) -> bool:
        """A job may be Completed and its artifact deleted since; its name then promises nothing."""
        if found["TrainingJobStatus"] in DEAD:
            return False
        bucket, _, key = found["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
        return self._exists(bucket, key)

    def _exists(self, bucket: str, key: str) -> bool:
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
        return any(item["Key"] == key for item in listed.get("Contents", []))

    def _digest(self, data: Location) -> str:
        """Digest of the listing: each photo's key, size and checksum. Raises `TrainingError` where there is no data."""
        digest = hashlib.sha256()
        sets = set()
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=data.bucket, Prefix=data.prefix):
            for item in page.get("Contents", []):  # S3 lists in the order of the keys
                key = item["Key"].removeprefix(data.prefix)
                sets.add(key.partition("/")[0])
                digest.update(f"{key}\t{item['Size']}\t{item['ETag']}\n".encode())
        missing = [name for name in ("train", "valid", "test") if name not in sets]
        if missing:
            raise TrainingError(
                f"There is no {' and no '.join(f'{data.uri}{name}/' for name in missing)} to train on, so no instance "
                f"was started. Upload your photos, then deploy again: kennel data upload DIR {data.uri.rstrip('/')}"
            )
        return digest.hexdigest()


def _attempts(name: str) -> Iterator[str]:
    """A recipe's name, then name-2, name-3...: a job's name stays taken after it has failed."""
    yield name
    for number in range(2, ATTEMPTS + 1):
        yield f"{name}-{number}"
