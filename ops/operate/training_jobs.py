"""The environment's newest training job: its status, its metrics, and why it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ops.operate.account import Account, asking

RUNNING = ("InProgress", "Stopping")
FAILED = ("Failed", "Stopped")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingJob:
    """As SageMaker describes it."""

    name: str
    status: str
    stage: str
    """SageMaker's secondary status, such as Downloading."""
    reason: str
    """FailureReason; of a stopped job, its secondary status."""
    created: datetime
    ended: datetime | None
    instance_type: str
    instance_count: int
    metrics: Mapping[str, float]
    """The last value of each metric."""
    artifact: str
    """The URI of model.tar.gz; empty if there is none."""

    @property
    def running(self) -> bool:
        return self.status in RUNNING

    @property
    def failed(self) -> bool:
        return self.status in FAILED


def newest_job(account: Account) -> TrainingJob | None:
    """The environment's training job that was created last; None if there is none. Raises AccountError."""
    sagemaker = account.client("sagemaker")
    prefix = f"{account.environment.job_prefix}-"
    with asking("the call that lists the training jobs", needs="sagemaker:ListTrainingJobs"):
        pages = sagemaker.get_paginator("list_training_jobs").paginate(
            NameContains=prefix, SortBy="CreationTime", SortOrder="Descending"
        )
        listed = (each["TrainingJobName"] for page in pages for each in page["TrainingJobSummaries"])
        name = next((name for name in listed if name.startswith(prefix)), None)
    if name is None:
        return None
    with asking(f"the call that describes the training job {name}", needs="sagemaker:DescribeTrainingJob"):
        found = sagemaker.describe_training_job(TrainingJobName=name)
        status, created, modified = found["TrainingJobStatus"], found["CreationTime"], found["LastModifiedTime"]
    resources = found.get("ResourceConfig", {})
    return TrainingJob(
        name=name,
        status=status,
        stage=found.get("SecondaryStatus", ""),
        reason=found.get("FailureReason") or (found.get("SecondaryStatus", "") if status == "Stopped" else ""),
        created=created,
        ended=found.get("TrainingEndTime") or (None if status in RUNNING else modified),
        instance_type=resources.get("InstanceType", ""),
        instance_count=int(resources.get("InstanceCount", 0)),
        metrics={each["MetricName"]: float(each["Value"]) for each in found.get("FinalMetricDataList", [])},
        artifact=found.get("ModelArtifacts", {}).get("S3ModelArtifacts", "") if status == "Completed" else "",
    )
