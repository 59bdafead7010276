"""Entry points of the two Lambda functions that the CDK Provider framework calls for the training job."""

import os
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .aws_errors import is_transient
from .jobs import Jobs
from .registry import Registry
from .request import JobRequest, Json


def on_event(event: Json, _context: Any = None, jobs: Jobs | None = None) -> Json:
    """Start a job, or find the one with the same inputs; on Delete, list the jobs to stop.

    The physical id is the name of the attempt's first job. Raises `TrainingError` if no job can be started: within
    seconds, and before any instance runs.
    """
    jobs = jobs or _jobs()
    request = JobRequest.of(event["ResourceProperties"])
    if event["RequestType"] != "Delete":
        begun, known = jobs.now().isoformat(), event.get("PhysicalResourceId", "")
        first = jobs.start(request, known)
        # the framework passes the returned values on to `is_complete`
        return {"PhysicalResourceId": first, "Begun": begun, "Kept": first == known}
    known = event["PhysicalResourceId"]
    return {"PhysicalResourceId": known, "Jobs": jobs.jobs_to_stop(request, known)}


def is_complete(event: Json, _context: Any = None, jobs: Jobs | None = None) -> Json:
    """Whether the jobs of the request have finished; on Delete, whether all have stopped.

    A finished job's artifact is registered. Raises `TrainingError`, with SageMaker's reason and the address of the log,
    for a job that failed or was stopped, and for a model that is too inaccurate to be served.
    """
    jobs = jobs or _jobs()
    request = JobRequest.of(event["ResourceProperties"])
    try:
        if event["RequestType"] == "Delete":
            return {"IsComplete": jobs.all_stopped(event["Jobs"])}
        result = jobs.result(request, event["PhysicalResourceId"], since=datetime.fromisoformat(event["Begun"]))
        if result is not None and request.model_group and (job := jobs.describe(result["JobName"])):
            registry = Registry(sagemaker=jobs.sagemaker, sleep=jobs.sleep)
            result["ModelVersion"] = registry.admit(request, job, kept=bool(event.get("Kept")))
    except (BotoCoreError, ClientError) as error:
        if is_transient(error):
            return {"IsComplete": False}  # one failed call must not fail the deploy; the next poll is seconds away
        raise
    return {"IsComplete": False} if result is None else {"IsComplete": True, "Data": result}


def _jobs() -> Jobs:
    config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
    return Jobs(
        sagemaker=boto3.client("sagemaker", config=config),
        s3=boto3.client("s3", config=config),
        ec2=lambda: boto3.client("ec2", config=config),
        region=os.environ["AWS_REGION"],
    )
