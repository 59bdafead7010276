"""A fake of SageMaker's training API as a state machine. Unlike moto's, its jobs can run, fail and be stopped.

Error codes and messages are those of the service. `test_training_job_on_moto.py` runs the handler on moto, too, as far
as moto implements the operations.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from botocore.exceptions import ClientError, ReadTimeoutError

Json = dict[str, Any]


def raise_client_error(operation: str, code: str, message: str, status: int = 400) -> NoReturn:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    raise ClientError(response, operation)


class FakeSageMaker:
    """The jobs of an account. A test changes their state with `finish`, `fail`, `settle`, or all with `tick`."""

    def __init__(self, s3: Any = None, on_tick: "Callable[[FakeSageMaker, str], None] | None" = None) -> None:
        self.s3 = s3
        self.on_tick = on_tick
        self.time = datetime(2026, 11, 22, tzinfo=UTC)
        self.lost_responses: list[str] = []
        self.jobs: dict[str, Json] = {}
        self.created: list[Json] = []
        self.faults: list[tuple[str, str, str, int]] = []

    # -- the API

    def create_training_job(self, **request: Any) -> Json:
        self._fault("CreateTrainingJob")
        name = request["TrainingJobName"]
        if not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name):
            raise_client_error(
                "CreateTrainingJob", "ValidationException", f"Value '{name}' failed to satisfy constraint"
            )
        if name in self.jobs:
            raise_client_error(
                "CreateTrainingJob", "ResourceInUse", "Training job names must be unique within an AWS account"
            )
        self.created.append(request)
        self.jobs[name] = {
            "ResourceConfig": request["ResourceConfig"],
            "CreationTime": self.time,
            "LastModifiedTime": self.time,
            "TrainingJobName": name,
            "TrainingJobStatus": "InProgress",
            "SecondaryStatus": "Starting",
            "OutputDataConfig": request["OutputDataConfig"],
        }
        if "CreateTrainingJob" in self.lost_responses:
            self.lost_responses.remove("CreateTrainingJob")
            raise ReadTimeoutError(endpoint_url="https://api.sagemaker.eu-west-1.amazonaws.com")
        return {"TrainingJobArn": f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{name}"}

    def describe_training_job(self, *, TrainingJobName: str) -> Json:  # noqa: N803
        self._fault("DescribeTrainingJob")
        if TrainingJobName not in self.jobs:
            raise_client_error("DescribeTrainingJob", "ValidationException", "Requested resource not found.")
        return dict(self.jobs[TrainingJobName])

    def list_training_jobs(
        self,
        *,
        NameContains: str,  # noqa: N803
        SortBy: str,  # noqa: N803
        SortOrder: str,  # noqa: N803
        MaxResults: int,  # noqa: N803
        NextToken: str = "0",  # noqa: N803
    ) -> Json:
        """Pages of two jobs, fewer than asked for, as the service may answer."""
        self._fault("ListTrainingJobs")
        assert (SortBy, SortOrder) == ("CreationTime", "Ascending")
        assert MaxResults <= 100
        keys = ("TrainingJobName", "TrainingJobStatus", "CreationTime", "LastModifiedTime")
        found = [{key: job[key] for key in keys} for name, job in self.jobs.items() if NameContains in name]
        start, end = int(NextToken), int(NextToken) + 2
        more = {"NextToken": str(end)} if end < len(found) else {}
        return {"TrainingJobSummaries": found[start:end], **more}

    def stop_training_job(self, *, TrainingJobName: str) -> Json:  # noqa: N803
        self._fault("StopTrainingJob")
        job = self.jobs.get(TrainingJobName)
        if job is None:
            raise_client_error("StopTrainingJob", "ValidationException", "Requested resource not found.")
        if job["TrainingJobStatus"] != "InProgress":
            state = job["TrainingJobStatus"]
            raise_client_error(
                "StopTrainingJob", "ValidationException", f"The request was rejected because the job is {state}."
            )
        job.update(TrainingJobStatus="Stopping", SecondaryStatus="Stopping")
        return {}

    # -- state changes

    def finish(self, name: str, **metrics: float) -> None:
        """The job succeeds, and its artifact is in the bucket."""
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
        """30 seconds pass: stopping jobs have stopped, and `on_tick` is called for each running one."""
        self.time += timedelta(seconds=30)
        self.settle()
        for name in [name for name, job in self.jobs.items() if job["TrainingJobStatus"] == "InProgress"]:
            if self.on_tick:
                self.on_tick(self, name)

    def expire(self, name: str) -> None:
        """The job reaches MaxRuntimeInSeconds."""
        self.jobs[name].update(TrainingJobStatus="Stopped", SecondaryStatus="MaxRuntimeExceeded")

    def settle(self) -> None:
        """Every stopping job has stopped."""
        for job in self.jobs.values():
            if job["TrainingJobStatus"] == "Stopping":
                job.update(TrainingJobStatus="Stopped", SecondaryStatus="Stopped")

    def lose_next_response(self, operation: str) -> None:
        """The next call of an operation takes effect, but its response is lost."""
        self.lost_responses.append(operation)

    def fail_next(self, operation: str, code: str, message: str, status: int = 400) -> None:
        """The next call of an operation raises this error."""
        self.faults.append((operation, code, message, status))

    @property
    def running(self) -> list[str]:
        """The jobs that are billed."""
        return [name for name, job in self.jobs.items() if job["TrainingJobStatus"] in ("InProgress", "Stopping")]

    def _fault(self, operation: str) -> None:
        for fault in self.faults:
            if fault[0] == operation:
                self.faults.remove(fault)
                raise_client_error(*fault)
