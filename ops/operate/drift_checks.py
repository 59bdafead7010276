"""The environment's daily drift checks: whether it has them, and which one was started last."""

from dataclasses import dataclass
from datetime import datetime

from ops.operate.account import Account, asking
from ops.operate.deployed import Deployed

SCHEDULE = "AWS::Scheduler::Schedule"


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftCheck:
    """A processing job, as SageMaker lists it."""

    name: str
    status: str
    created: datetime

    @property
    def failed(self) -> bool:
        return self.status in ("Failed", "Stopped")


def checked_daily(deployed: Deployed) -> bool:
    """Whether the Serving stack has the schedule of the check (monitoring.drift.daily). Raises AccountError."""
    return any(each.id.startswith("DriftSchedule") for each in deployed.resources("serving", SCHEDULE))


def job_prefix(account: Account) -> str:
    """Of the names of the checks' processing jobs."""
    return f"{account.environment.job_prefix}-drift-"


def newest_check(account: Account) -> DriftCheck | None:
    """The environment's check that was created last; None if there is none. Raises AccountError."""
    prefix = job_prefix(account)
    with asking("the call that lists the drift checks", needs="sagemaker:ListProcessingJobs"):
        pages = account.client("sagemaker").get_paginator("list_processing_jobs")
        listed = pages.paginate(NameContains=prefix, SortBy="CreationTime", SortOrder="Descending")
        jobs = (job for page in listed for job in page["ProcessingJobSummaries"])
        found = next((job for job in jobs if job["ProcessingJobName"].startswith(prefix)), None)
    if found is None:
        return None
    return DriftCheck(
        name=found["ProcessingJobName"], status=found["ProcessingJobStatus"], created=found["CreationTime"]
    )
