"""SageMaker's training API as a small state machine, for what moto lacks: jobs that run, fail, and can be stopped.

Wordings and error codes are the service's. Where moto has an operation too, `test_training_job_on_moto.py` holds the
two together.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from botocore.exceptions import ClientError, ReadTimeoutError

Json = dict[str, Any]


def refuse(operation: str, code: str, message: str, status: int = 400) -> NoReturn:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    raise ClientError(response, operation)


class FakeSageMaker:
    """The jobs of an account. A test moves them on with `finish`, `fail`, `settle`; or all of them with `tick`."""

    def __init__(self, s3: Any = None, fate: "Callable[[FakeSageMaker, str], None] | None" = None) -> None:
        self.s3 = s3
        self.fate = fate
        self.time = datetime(2026, 11, 22, tzinfo=UTC)
        self.lost: list[str] = []
        self.jobs: dict[str, Json] = {}
        self.created: list[Json] = []
        self.faults: list[tuple[str, str, str, int]] = []

    # -- the API

    def create_training_job(self, **request: Any) -> Json:
        self._fault("CreateTrainingJob")
        name = request["TrainingJobName"]
        if not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name):
            refuse("CreateTrainingJob", "ValidationException", f"Value '{name}' failed to satisfy constraint")
        if name in self.jobs:
            refuse("CreateTrainingJob", "ResourceInUse", "Training job names must be unique within an AWS account")
        self.created.append(request)
        self.jobs[name] = {
            "ResourceConfig": request["ResourceConfig"],
            "LastModifiedTime": self.time,
            "TrainingJobName": name,
            "TrainingJobStatus": "InProgress",
            "SecondaryStatus": "Starting",
            "OutputDataConfig": request["OutputDataConfig"],
        }
        if "CreateTrainingJob" in self.lost:
            self.lost.remove("CreateTrainingJob")
            raise ReadTimeoutError(endpoint_url="https://api.sagemaker.eu-west-1.amazonaws.com")
        return {"TrainingJobArn": f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{name}"}

    def describe_training_job(self, *, TrainingJobName: str) -> Json:  # noqa: N803
        self._fault("DescribeTrainingJob")
        if TrainingJobName not in self.jobs:
            refuse("DescribeTrainingJob", "ValidationException", "Requested resource not found.")
        return dict(self.jobs[TrainingJobName])

    def stop_training_job(self, *, TrainingJobName: str) -> Json:  # noqa: N803
        self._fault("StopTrainingJob")
        job = self.jobs.get(TrainingJobName)
        if job is None:
            refuse("StopTrainingJob", "ValidationException", "Requested resource not found.")
        if job["TrainingJobStatus"] != "InProgress":
            state = job["TrainingJobStatus"]
            refuse("StopTrainingJob", "ValidationException", f"The request was rejected because the job is {state}.")
        job.update(TrainingJobStatus="Stopping", SecondaryStatus="Stopping")
        return {}

    # -- what happens in the course of time

    def finish(self, name: str, **metrics: float) -> None:
        """The job ends well and its artifact is in the bucket."""
        uri = f"{self.jobs[name]['OutputDataConfig']['S3OutputPath']}/{name}/output/model.tar.gz"
        self.jobs[name].update(
            TrainingJobStatus="Completed",
            SecondaryStatus="Completed",
            ModelArtifacts={"S3ModelArtifacts": uri},
            FinalMetricDataList=[{"MetricName": key, "Value": value} for key, value in metrics.items()],
        )
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.s3.put_object(Bucket=bucket, Key=key, Body=b"model")

    def fail(self, name: str, reason: str) -> None:
        self.jobs[name].update(
            TrainingJobStatus="Failed", SecondaryStatus="Failed", FailureReason=reason, LastModifiedTime=self.time
        )

    def tick(self) -> None:
        """Half a minute passes: what is stopping stops, what runs meets its fate."""
        self.time += timedelta(seconds=30)
        self.settle()
        for name in [name for name, job in self.jobs.items() if job["TrainingJobStatus"] == "InProgress"]:
            if self.fate:
                self.fate(self, name)

    def expire(self, name: str) -> None:
        """The job reaches MaxRuntimeInSeconds."""
        self.jobs[name].update(TrainingJobStatus="Stopped", SecondaryStatus="MaxRuntimeExceeded")

    def settle(self) -> None:
        """Every job that is being stopped has stopped."""
        for job in self.jobs.values():
            if job["TrainingJobStatus"] == "Stopping":
                job.update(TrainingJobStatus="Stopped", SecondaryStatus="Stopped")

    def lose_next_answer(self, operation: str) -> None:
        """The next call of an operation gets through, and its answer does not come back."""
        self.lost.append(operation)

    def fail_next(self, operation: str, code: str, message: str, status: int = 400) -> None:
        """The next call of an operation is refused."""
        self.faults.append((operation, code, message, status))

    @property
    def running(self) -> list[str]:
        """Jobs that are billed."""
        return [name for name, job in self.jobs.items() if job["TrainingJobStatus"] in ("InProgress", "Stopping")]

    def _fault(self, operation: str) -> None:
        for fault in self.faults:
            if fault[0] == operation:
                self.faults.remove(fault)
                refuse(*fault)
