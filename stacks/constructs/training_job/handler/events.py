"""CloudFormation's events, as the CDK Provider framework passes them on."""

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .jobs import Jobs
from .request import JobRequest, Json

TRANSIENT = ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestTimeout", "ServiceUnavailable")


def on_event(event: Json, _context: Any = None, jobs: Jobs | None = None) -> Json:
    """Start, adopt or stop a job. The physical id is its name.

    Raises `TrainingError` where no job can be started: before any instance is, and within seconds.
    """
    jobs = jobs or _jobs()
    request = JobRequest.of(event["ResourceProperties"])
    if event["RequestType"] != "Delete":
        return {"PhysicalResourceId": jobs.start(request)}
    known = event["PhysicalResourceId"]
    # A Delete may carry an id that CloudFormation invented, when it gave up before it had heard the job's name;
    # the properties then tell which jobs are meant.
    doomed = [known] if known.startswith(f"{request.prefix}-") and jobs.describe(known) else jobs.named_for(request)
    for job in doomed:
        jobs.stop(job)
    return {"PhysicalResourceId": known, "Jobs": doomed}


def is_complete(event: Json, _context: Any = None, jobs: Jobs | None = None) -> Json:
    """Whether the job that `on_event` named has ended, as the request wants it ended.

    Raises `TrainingError`, with SageMaker's reason and the log's address, for a job that failed or was stopped.
    """
    jobs = jobs or _jobs()
    try:
        if event["RequestType"] == "Delete":
            return {"IsComplete": all(jobs.ended(job) for job in event["Jobs"])}
        result = jobs.result(event["PhysicalResourceId"])
    except (BotoCoreError, ClientError) as error:
        if _is_transient(error):
            return {"IsComplete": False}  # a deploy must not fail because one look did; the next is seconds away
        raise
    return {"IsComplete": False} if result is None else {"IsComplete": True, "Data": result}


def _is_transient(error: BotoCoreError | ClientError) -> bool:
    if not isinstance(error, ClientError):
        return True  # connection errors and timeouts
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error.response["Error"]["Code"] in TRANSIENT or status >= 500


def _jobs() -> Jobs:
    patient = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
    return Jobs(
        sagemaker=boto3.client("sagemaker", config=patient),
        s3=boto3.client("s3", config=patient),
        region=os.environ["AWS_REGION"],
    )
