"""A custom resource that deletes the versions of a model package group before CloudFormation deletes the group.

SageMaker deletes no group that has versions. It does not use CDK's Provider framework: the work fits into one
invocation, and the framework would add a function, two roles and a wildcard right.
"""

import json
import time
from typing import Any

import boto3
import urllib3
from botocore.config import Config

from .aws_errors import wait_for_permission
from .request import Json

MOST_CHARACTERS = 900
"""Of a reason, of up to four bytes each: CloudFormation accepts a response of at most 4096 bytes."""


def on_event(event: Json, _context: Any) -> None:
    """Always respond to CloudFormation: without a response, the stack would wait until its timeout."""
    group = event["ResourceProperties"]["ModelGroup"]
    outcome: Json = {"Status": "SUCCESS"}
    try:
        if event["RequestType"] == "Delete":
            config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 10})
            print(f"group={group} versions_deleted={empty(boto3.client('sagemaker', config=config), group)}")
    except Exception as error:
        reason = f"The versions of the model package group {group} could not be deleted: {error!r}"
        outcome = {"Status": "FAILED", "Reason": reason[:MOST_CHARACTERS]}
    print(json.dumps({"request": event["RequestType"], **outcome}))
    _respond(event, {"PhysicalResourceId": f"versions-of-{group}", **outcome})


def empty(sagemaker: Any, group: str) -> int:
    """Delete every version. Returns how many. A group that no longer exists has none."""
    deleted = 0
    while True:
        try:
            page = wait_for_permission(
                lambda: sagemaker.list_model_packages(ModelPackageGroupName=group, MaxResults=100), time.sleep
            )
        except sagemaker.exceptions.ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return deleted
            raise
        if not page["ModelPackageSummaryList"]:
            return deleted
        for version in page["ModelPackageSummaryList"]:
            sagemaker.delete_model_package(ModelPackageName=version["ModelPackageArn"])
            deleted += 1


def _respond(event: Json, body: Json) -> None:
    named = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    urllib3.PoolManager().request(
        "PUT",
        event["ResponseURL"],
        body=json.dumps({**named, **body}, ensure_ascii=False).encode(),
        headers={"content-type": ""},  # the URL is signed without a content type
        timeout=10,
        retries=urllib3.Retry(5, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504)),
    )
