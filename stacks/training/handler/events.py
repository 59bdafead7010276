"""CloudFormation's events, as the CDK Provider framework passes them on."""

import os
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .jobs import Jobs
from .refusals import is_transient
from .request import JobRequest, Json


def on_event(event: Json, _context: Any = None, jobs: Jobs | None = None) -> Json:
    """Start or adopt a job, or name those to stop. The physical id is the name of a try's first job.

    Raises `TrainingError` where no job can be started: before any instance is, and within seconds.
    """
    jobs = jobs or _jobs()
    request = JobRequest.of(event["ResourceProperties"])
    if event["RequestType"] != "Delete":
        begun = jobs.now().isoformat()  # the framework hands what is returned here on to `is_complete`
        return {"PhysicalResourceId": jobs.start(request, event.get("PhysicalResourceId", "")), "Begun": begun}
    known = event["PhysicalResourceId"]
    return {"PhysicalResourceId": known, "Jobs": jobs.doomed(request, known)}


def is_complete(event: Json, _context: Any = None, jobs: Jobs | None = None) -> Json:
    """Whether the try that `on_event` named has ended, as the request wants it ended.

    Raises `TrainingError`, with SageMaker's reason and the log's address, for a job that failed or was stopped.
    """
    jobs = jobs or _jobs()
    request = JobRequest.of(event["ResourceProperties"])
    try:
        if event["RequestType"] == "Delete":
            return {"IsComplete": jobs.ended(event["Jobs"])}
        result = jobs.result(request, event["PhysicalResourceId"], since=datetime.fromisoformat(event["Begun"]))
    except (BotoCoreError, ClientError) as error:
        if is_transient(error):
            return {"IsComplete": False}  # a deploy must not fail because one look did; the next is seconds away
        raise
    return {"IsComplete": False} if result is None else {"IsComplete": True, "Data": result}


def _jobs() -> Jobs:
    patient = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
    return Jobs(
        sagemaker=boto3.client("sagemaker", config=patient),
        s3=boto3.client("s3", config=patient),
        region=os.environ["AWS_REGION"],
    )
